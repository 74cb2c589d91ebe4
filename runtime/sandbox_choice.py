"""From what settings, a repository and the command line wish to the one choice that holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

from runtime.permissions.errors import SettingsError
from runtime.permissions.sources import Files
from runtime.sandbox_settings import Wish, as_wish, wishes
from sandbox.choice import BaseKind, Choice, Machine, Network, ProfileName
from sandbox.egress.hosts import pattern
from sandbox.profile import profile_of
from sandbox.sessions import Session

ASKED_FOR: Final[tuple[ProfileName, ...]] = ("build", "compat")
"""Profiles in which tools are root inside: nobody gets them unasked."""

HOSTS: Final = ("allowed", "writable", "denied", "addresses")
LIMITS: Final = ("memory", "cpus", "processes", "disk", "idle")
_ORDER: Final[tuple[str, ...]] = get_args(ProfileName)
_ENDLESS: Final = float("inf")
Value = str | float | None


@dataclass(frozen=True)
class Flags:
    """What the command line, or a script, says for this one time; empty where it says nothing.

    `allow` are patterns of hosts that may be read from.
    """

    profile: ProfileName | None = None
    runtime: str = ""
    base: BaseKind | None = None
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The choice, and what is to be said about it. `needs_consent`: nobody has named this profile for this time.

    `must_be_patched`: an engine with a known hole is refused.
    """

    choice: Choice
    notices: Sequence[str] = ()
    needs_consent: bool = False
    must_be_patched: bool = False


def chosen(
    checkout: Path, files: Files, flags: Flags, session: Session | None = None, *, machine: Machine | None = None
) -> Chosen:
    """What holds for a new session of a checkout, or for `session`, which has chosen before. Raises SettingsError.

    `machine` is the engine's, None for this one.
    """
    found, notices = wishes(checkout, files, session)
    if session is not None:
        found = [*(one for one in found if one.source.scope == "managed"), as_wish(session.meta().choice)]
    made = choose(found, flags, machine)
    return replace(made, notices=[*notices, *made.notices])


def choose(found: Sequence[Wish], flags: Flags, machine: Machine | None = None) -> Chosen:
    """The choice that wishes, those with the most say first, and flags come to. Raises SettingsError."""
    return _Choosing(found, {key: value for key, value in vars(flags).items() if value}, machine).made()


class _Choosing:
    """One choice in the making: `holds` is what holds so far."""

    def __init__(self, found: Sequence[Wish], flags: Mapping[str, Any], machine: Machine | None) -> None:
        self.flags = flags
        self.machine = machine
        self.managed = [one for one in found if one.source.scope == "managed"]
        self.repository = [one for one in found if one.is_repositorys]
        self.users = [one for one in found if one not in (*self.managed, *self.repository)]
        self.notices: list[str] = []
        self.holds: dict[str, Any] = {}

    def made(self) -> Chosen:
        for key in ("profile", *LIMITS):
            self._settle(key)
        for key in ("runtime", "base"):
            self._take(key)
        for key in ("include", "environment"):
            lists = [one.values.get(key, ()) for one in (*self.managed, *self.users)]
            self.holds[key] = tuple(dict.fromkeys(entry for entries in lists for entry in entries))
        self.holds["network"] = self._network()
        for key in ("runtime", "base", "include", "environment", "require_patched"):
            for one in self.repository:
                if one.values.get(key):
                    self._ignore(one, key, "is not for a repository to say")
        choice = Choice(**{key: value for key, value in self.holds.items() if value is not None}, machine=self.machine)
        return Chosen(
            choice,
            self.notices,
            needs_consent=choice.profile in ASKED_FOR and self.flags.get("profile") != choice.profile,
            must_be_patched=any(one.values.get("require_patched") for one in (*self.managed, *self.users)),
        )

    def _settle(self, key: str) -> None:
        """What can be more or less: the user's word, tightened by a repository, never beyond what is managed."""
        value = self.flags.get(key, _first(self.users, key))
        for one in self.repository if key not in self.flags else ():
            wished = one.values.get(key)
            if wished is None:
                continue
            if self._rank(key, wished) <= self._rank(key, value):
                value = wished
            else:
                self._ignore(one, key, "would loosen the sandbox, which a repository cannot")
        for one in self.managed:
            most = one.values.get(key)
            if most is None:
                continue
            if value is not None and self._rank(key, value) > self._rank(key, most):
                self._overrule(one, key, value)
                value = None
            value = most if value is None else value
        self.holds[key] = value

    def _take(self, key: str) -> None:
        """What is neither more nor less: what is managed, else the flag, else the user's word."""
        managed = next((one for one in self.managed if one.values.get(key) is not None), None)
        value = self.flags.get(key, _first(self.users, key))
        if managed is not None:
            if value is not None and value != managed.values[key]:
                self._overrule(managed, key, value)
            value = managed.values[key]
        self.holds[key] = value

    def _network(self) -> Network:
        """What may leave: lists add up, a repository can only deny. Raises SettingsError."""
        managed, users, repository = (
            [one.values["network"] for one in found if "network" in one.values]
            for found in (self.managed, self.users, self.repository)
        )
        given = self._allowed_now()
        is_managed = any(one["managed_only"] for one in managed)
        if is_managed:
            if given:
                raise SettingsError("managed settings alone name what may be reached: --allow is not allowed here")
            users = [{**one, "allowed": (), "writable": (), "addresses": ()} for one in users]
        for one in self.repository:
            said = one.values.get("network", {})
            if any(said.get(key) for key in ("allowed", "writable", "addresses")):
                self._ignore(one, "network", "may deny here, and not allow")
        who = {"allowed": [*managed, *users], "denied": [*managed, *users, *repository]}
        lists = {key: [entry for one in who.get(key, who["allowed"]) for entry in one[key]] for key in HOSTS}
        lists["allowed"] += given
        found = {key: tuple(dict.fromkeys(entries)) for key, entries in lists.items()}
        return Network(**found, only_listed=is_managed)

    def _allowed_now(self) -> Sequence[str]:
        """The hosts that were named for this one time. Raises SettingsError if they could not be reached anyway."""
        try:
            given = [str(pattern(one)) for one in self.flags.get("allow", ())]
        except ValueError as error:
            raise SettingsError(f"--allow: {error}") from error
        name = self.holds["profile"] or "default"
        if given and not profile_of(Choice(profile=name)).has_proxy:
            raise SettingsError(f"--allow is for a profile with a network, and {name} has none: --profile egress has")
        return given

    def _rank(self, key: str, value: Value) -> float:
        """How much a value allows; None is what the profile gives."""
        if key == "profile":
            return _ORDER.index(str(value or "default"))
        if key == "idle":
            return float(Choice().idle if value is None else value or _ENDLESS)
        if value is not None:
            return float(value)
        given = getattr(profile_of(Choice(profile=self.holds["profile"] or "default"), self.machine), key, None)
        return _ENDLESS if given is None else float(given)

    def _overrule(self, one: Wish, key: str, value: Value) -> None:
        """Raises SettingsError if it was asked for just now."""
        holds = f"{one.where(key)} says sandbox.{key} {one.values[key]}"
        if key in self.flags:
            raise SettingsError(f"{holds}: --{key} {value} is not allowed here")
        self.notices.append(f"{holds}, so {value} does not hold")

    def _ignore(self, one: Wish, key: str, why: str) -> None:
        name = "requirePatched" if key == "require_patched" else key
        self.notices.append(f"{one.where(key)}: sandbox.{name} {why}: it is ignored")


def _first(found: Sequence[Wish], key: str) -> Value:
    said: Sequence[Value] = [one.values[key] for one in found if key in one.values]
    return said[0] if said else None
