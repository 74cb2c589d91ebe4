"""One checkout and one session of it, for scripts: run, read, write, ask an agent, look, apply."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath

import anyio.to_thread
import platformdirs

from images import catalog
from runtime.agent import agent_for
from runtime.events import Event, Finished
from runtime.permissions.errors import DeniedByRule, SettingsError
from runtime.permissions.policy import Policy
from runtime.permissions.sources import own_files, policy_for
from runtime.sandbox_choice import Flags, chosen
from runtime.settings import Bounds, ModelChoice, Places
from sandbox.advisories import holes_of
from sandbox.base import Call, Command, ExecResult, Sandbox
from sandbox.changes import Change, ChangeSet
from sandbox.checkout import checked
from sandbox.choice import Choice, ProfileName
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.escape import escape
from sandbox.gate.aliases import aliases
from sandbox.gate.apply import Applied, Conflicts, apply
from sandbox.gate.blobs import Blobs
from sandbox.gate.decisions import approval as approval_of
from sandbox.gate.diff import unified
from sandbox.gate.effects import Host
from sandbox.gate.freeze import manifest_of
from sandbox.gate.held import independent
from sandbox.gate.recovery import recover
from sandbox.gate.undo import last_apply, undo
from sandbox.opening import noted, opened, prepare
from sandbox.orphans import sweep
from sandbox.runtimes import checked_runtime
from sandbox.sessions import Session, Sessions


class Project:
    """A sandbox on a checkout. Paths are relative to the checkout; nothing reaches it but through `apply`."""

    def __init__(self, checkout: Path, session: Session, sandbox: Sandbox, *, policy: Policy | None = None) -> None:
        self.policy = policy or Policy(str(checkout))
        self.checkout = checkout
        self.session = session
        self.sandbox = sandbox
        self._calls = 0

    async def run(self, script: str, *, timeout: timedelta = timedelta(minutes=10)) -> ExecResult:
        """Run a shell script in the workspace's root. A non-zero exit is a result. Raises SandboxLost."""
        call = self._call("run", script)
        argv = ["sh", "-c", script]
        command = Command(argv, self.sandbox.root, timeout=timeout.total_seconds(), call_id=call.id)
        async with noted(self.sandbox, call):
            return await self.sandbox.run(command)

    async def read(self, path: str) -> bytes:
        """The content of a file of the workspace. Raises FileError."""
        return await self.sandbox.read(self._inside(path))

    async def write(self, path: str, data: bytes) -> None:
        """Make a file of the workspace hold exactly this. Raises FileError."""
        async with noted(self.sandbox, self._call("write", path)):
            await self.sandbox.write(self._inside(path), data)

    async def ask(
        self,
        prompt: str,
        *,
        model: ModelChoice | None = None,
        bounds: Bounds | None = None,
        on_event: Callable[[Event], None] = lambda _: None,
    ) -> Finished:
        """Let an agent work on `prompt` to its end; asked again, it remembers.

        A failed model or a passed limit is told by `Finished.outcome`, never raised.
        """
        places = Places(self.checkout, user=Path.home() / ".claude")
        choice = model or ModelChoice()
        async with agent_for(
            self.session, self.sandbox, model=choice, bounds=bounds or Bounds(), places=places
        ) as agent:
            return await agent.run(prompt, on_event)

    async def freeze(self) -> ChangeSet:
        """What differs from the checkout now, contents kept: look at it, then apply all of it or a part."""
        return await self.sandbox.freeze()

    def patch(self, changes: Sequence[Change]) -> bytes:
        """These changes as a patch that `git apply` takes. Names and contents are the sandbox's: escape to print."""
        return unified(changes, Blobs(self.session.blobs))

    def review(self, changes: ChangeSet) -> str:
        """A change set as text that is safe to print: what is pending as a patch, the rest by name and reason."""
        lines = [escape(line, tabs=True) for line in self.patch(changes.pending).split(b"\n")[:-1]]
        lines += [f"ignored: {escape(change.path)}" for change in changes.changes if change.ignored]
        lines += [f"refused: {escape(one.path)}: {escape(one.reason)}" for one in changes.refused]
        return "\n".join(lines)

    async def apply(self, changes: ChangeSet, *, only: Sequence[Change] | None = None) -> Applied | Conflicts:
        """Write frozen changes to the checkout: all that is pending, or `only` some; all of them or, on conflict, none.

        What a deny rule is about stays pending, and cannot be asked for. Raises: DeniedByRule, OutOfSpace,
        SessionBusy, StateError, CheckoutRefused.
        """

        def work() -> Applied | Conflicts:
            approved = self._allowed(changes.pending if only is None else only, is_named=only is not None)
            return apply(
                approval_of(changes, approved, "the Python API"),
                checkout=self.checkout,
                blobs=Blobs(self.session.blobs),
                session=self.session,
                manifest=manifest_of(self.session),
                change_set=changes,
            )

        return await anyio.to_thread.run_sync(work)

    async def undo(self) -> Applied | Conflicts | None:
        """Take back this session's last apply that still stands, all of it or on conflict none; None if there is none.

        What is taken back is pending again. Raises: like `apply`.
        """

        def work() -> Applied | Conflicts | None:
            plan = last_apply(self.checkout, [self.session])
            return None if plan is None else undo(plan, checkout=self.checkout, by="the Python API")

        return await anyio.to_thread.run_sync(work)

    def _call(self, what: str, summary: str) -> Call:
        self._calls += 1
        return Call(f"api-{self._calls}", what, summary.strip().split("\n")[0], agent="the Python API")

    def _allowed(self, changes: Sequence[Change], *, is_named: bool) -> Sequence[Change]:
        host = Host(aliases=aliases(self.checkout, manifest_of(self.session).links()))
        verdicts = {change.path: self.policy.judge(change, host=host) for change in changes}
        denied = {path for path, verdict in verdicts.items() if verdict.decision == "deny"}
        if denied and is_named:
            first = min(denied)
            raise DeniedByRule(f"{escape(first)} is {verdicts[first].reason}: nothing was written")
        return independent([change for change in changes if change.path not in denied], changes)

    def _inside(self, path: str) -> PurePosixPath:
        return self.sandbox.root / path


@asynccontextmanager
async def project(
    checkout: str | Path,
    *,
    image: str = catalog.DEFAULT,
    state: Path | None = None,
    resume: str = "",
    profile: ProfileName | None = None,
    allow: Sequence[str] = (),
) -> AsyncIterator[Project]:
    """A sandbox on a folder, for the length of the block; what it changed stays pending in its session.

    Args:
        checkout: the folder to work on; it is never written but by `Project.apply`.
        image: a name of the catalog, or any image the engine holds or can pull.
        state: where sessions are kept; None is the user's own place, shared with the command line.
        resume: the id of an earlier session, to go on with its conversation and its files.
        profile: how tight the sandbox is; None is what settings say. `build` and `compat` have to be named here.
        allow: hosts that may be read from besides those of settings, in a profile with a network; nobody is asked.

    The user's settings files hold, as on the command line: their permission rules and what they say of the sandbox, but
    for variables of the environment, of which none goes in.

    Raises: EngineUnavailable, ImageError, CheckoutRefused, SessionNotFound, SessionBusy, SettingsError.
    """
    sessions = Sessions(state or platformdirs.user_state_path("paddock"))

    def prepared() -> tuple[Path, Engine, Session]:
        folder = checked(Path(checkout))
        recover(folder, sessions=sessions)
        engine = Engine.connect()
        sweep(engine)
        session = sessions.find(resume) if resume else None
        choice = _chosen(folder, Flags(profile=profile, allow=tuple(allow)), engine, session)
        if session is not None:
            session.save(session.meta().model_copy(update={"choice": choice}))
            return folder, engine, session
        pinned = catalog.resolve(image, engine.images, lambda _: None)
        made = prepare(sessions=sessions, checkout=folder, kind="run", image=pinned, choice=choice)
        return folder, engine, made

    folder, engine, session = await anyio.to_thread.run_sync(prepared)
    policy = await anyio.to_thread.run_sync(policy_for, folder, own_files(), session)
    async with opened(session, engine) as sandbox:
        yield Project(folder, session, sandbox, policy=policy)


def _chosen(folder: Path, flags: Flags, engine: Engine, session: Session | None) -> Choice:
    """What settings and the caller choose, held against the engine. Raises SettingsError, SandboxError."""
    found = chosen(folder, own_files(), flags, session, machine=engine.machine)
    if found.needs_consent:
        raise SettingsError(
            f"settings choose the profile {found.choice.profile}, in which tools are root inside: name it, as in "
            f'project(…, profile="{found.choice.profile}")'
        )
    checked_runtime(found.choice.runtime, engine.known)
    if found.must_be_patched and (known := holes_of(engine)):
        raise SandboxError(f"{known[0].sentence}, and settings require a patched engine (requirePatched)")
    return found.choice
