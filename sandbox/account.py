"""The account of a sandbox: what its calls changed, noted as they end, and what befell it between them."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import anyio.to_thread

from sandbox.base import Call, Process
from sandbox.errors import OutOfSpace, SandboxError, StateError
from sandbox.gate.freeze import is_new, mark_beginning
from sandbox.gate.ledger import Ledger
from sandbox.gate.notes import Manner
from sandbox.sessions import Session


@dataclass(frozen=True)
class Left:
    """A call some of whose processes may run on: one that left them behind, or a background command."""

    call: Call
    process: Process | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to be expected of it, as far as that is known without a look inside."""
        result = None if self.process is None else self.process.result
        return result is not None and result.left_running == 0


class Account:
    """Kept by the process that holds the session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = Ledger(session)
        self._left: dict[str, Left] = {}
        self._has_begun = False

    @property
    def has_left(self) -> bool:
        """Whether a call left processes running that may go on changing things."""
        return bool(self._left)

    def leave(self, call: Call, process: Process | None = None) -> None:
        """This call is over, and processes of it run on: `process`, or some that it left behind."""
        self._left[call.id] = Left(call, process)

    def begin(self) -> int | None:
        """If nothing ever ran in the session: the moment it begins at, which tells what is of before from what came."""
        if self._has_begun or not is_new(self._session):
            return None
        self._has_begun = True
        return mark_beginning(self._session)

    async def catch_up(self) -> None:
        """Before a container takes another's place: what was left running has ended, and all else is nobody's doing."""
        with contextlib.suppress(SandboxError):  # the first call's own note fails of the same, and says so
            await self.note_rest()
            self._left.clear()
            await anyio.to_thread.run_sync(self._ledger.catch_up)

    async def note(self, call: Call) -> Sequence[bytes]:
        """Which paths changed since the last note, recorded as this call's doing. Raises OutOfSpace, StateError."""
        if call.id in self._left:
            self._left[call.id] = replace(self._left[call.id], call=call)
        manner: Manner = "beside" if self._left.keys() - {call.id} else "by"
        return await anyio.to_thread.run_sync(self._ledger.note, call, manner)

    async def note_between(self, *, have_ended: bool) -> Sequence[bytes]:
        """The same between two calls; of processes that have ended, nothing more is to be expected."""
        gone = [name for name, left in self._left.items() if have_ended or left.has_ended]
        paths = await self.note_rest()
        for name in gone:
            self._left.pop(name, None)
        return paths

    async def note_rest(self) -> Sequence[bytes]:
        """What changed between calls was done by processes that calls left running; without any, nothing can have."""
        if not self._left:
            return ()
        left = [one.call for one in self._left.values()]
        one = replace(left[0], id=",".join(call.id for call in left), summary=" or ".join(map(_shown, left)), tool="")
        return await anyio.to_thread.run_sync(self._ledger.note, one, "after")

    async def saw(self, path: PurePosixPath, data: bytes) -> None:
        """What an edit of a file begins with, by its path in the workspace. What cannot be noted becomes a conflict."""
        with contextlib.suppress(OutOfSpace, StateError):
            await anyio.to_thread.run_sync(self._ledger.saw, bytes(path), data)


def _shown(call: Call) -> str:
    return f"{call.tool} {call.summary}".strip()
