"""Which sandbox a command gets: settings and flags made one choice, agreed to, and held against the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli import exits, place, rules
from cli.ask import Person, has_person
from cli.options import BaseKind, ProfileName
from cli.screen import safe

if TYPE_CHECKING:
    from cli.screen.terminal import Terminal
    from sandbox.choice import Choice
    from sandbox.engine import Engine
    from sandbox.sessions import Session

RISKS: Mapping[str, str] = {
    "build": "commands are root in there, and the system in there can be changed",
    "compat": "commands are root in there, setuid programs work, and the filter is the engine's own",
}


@dataclass(frozen=True)
class Wanted:
    """What the flags of a command say about the sandbox; `settings` is what `--settings` was given."""

    profile: ProfileName | None = None
    runtime: str = ""
    base: BaseKind | None = None
    settings: str = ""
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreed:
    """The choice, and the name of the runtime that it comes to on this engine."""

    choice: "Choice"
    runtime: str

    @property
    def described(self) -> str:
        """For the first line of a session."""
        return " · ".join(filter(None, (f"profile {self.choice.profile}", self.network, self.runtime)))

    @property
    def network(self) -> str:
        """What may be reached, as far as rules say; empty where nothing can be."""
        from sandbox.profile import profile_of

        profile = profile_of(self.choice)
        if not profile.has_proxy:
            return ""
        hosts = [*self.choice.network.writable, *self.choice.network.allowed]
        few = [*hosts[:3], *([f"{len(hosts) - 3} more"] if len(hosts) > 3 else [])]
        mirrors = ["your apt's mirrors"] if profile.changes_image and not self.choice.network.only_listed else []
        return f"network: {', '.join([*few, *mirrors]) or 'no host is listed'}"

    @property
    def is_usual(self) -> bool:
        """Whether it is what everybody gets who says nothing."""
        return self.choice.profile == "default" and not self.choice.runtime

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {"profile": self.choice.profile, "runtime": self.runtime, "network": bool(self.network)}


def agree(wanted: Wanted, folder: Path, engine: "Engine", said: "Terminal", session: "Session | None" = None) -> Agreed:
    """What holds for a new session, or from now on for `session`. Asks where that is needed.

    Raises: SettingsError, SandboxError, Misuse, ApprovalNeeded, CliError.
    """
    from runtime.sandbox_choice import Flags, chosen
    from sandbox.runtimes import UnknownRuntime, checked_runtime

    if session is not None and wanted.base is not None:
        raise exits.Misuse("what a session lies on is decided when it begins: leave out --base, or start a new one")
    flags = Flags(wanted.profile, wanted.runtime, wanted.base, wanted.allow)
    found = chosen(folder, rules.files(wanted.settings), flags, session, machine=engine.machine)
    for notice in found.notices:
        place.stderr().line(f"paddock: {safe.line(notice)}")
    try:
        runtime = checked_runtime(found.choice.runtime, engine.known)
    except UnknownRuntime as error:
        raise exits.Misuse(str(error)) from error
    if found.must_be_patched:
        _refuse_holes(engine)
    _consent(found.choice.profile, said, is_named=not found.needs_consent)
    if session is not None and found.choice != session.meta().choice:
        session.save(session.meta().model_copy(update={"choice": found.choice}))
    return Agreed(found.choice, runtime)


def _refuse_holes(engine: "Engine") -> None:
    from sandbox.advisories import holes_of

    found = holes_of(engine)
    if found:
        raise exits.CliError(
            f"{found[0].sentence}, and settings require a patched engine (requirePatched): "
            "update it, or look at `paddock doctor`"
        )


def _consent(profile: str, said: "Terminal", *, is_named: bool) -> None:
    """Nobody is root inside without a person's word: on a terminal now, elsewhere by the flag."""
    if profile not in RISKS:
        return
    if not has_person():
        if not is_named:
            raise exits.ApprovalNeeded(
                f"settings choose the profile {profile}, and nobody can be asked: name it with --profile {profile}"
            )
        return
    said.line(f"profile {profile}: {RISKS[profile]}")
    person = Person(said)
    is_agreed = person.confirm("go on?") if profile == "build" else person.read("type compat to go on: ") == "compat"
    if not is_agreed:
        raise exits.CliError("nothing was started: `--profile default` needs no word of yours")
