"""Commits on their way out: a bundle that git makes inside the sandbox, and the little of it that we read ourselves.

A bundle is a text, then a pack. We read the text and believe nothing in it but the shape: one name, which has to be the
one we asked for, and the commits it builds on, which the user's repository has to have. Its names are never used for
anything. The pack is git's to check (`sandbox.commits.quarantine`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import IO

import anyio

from sandbox.base import Command, Sandbox, Stream
from sandbox.commits.repository import Format, is_object_id
from sandbox.errors import CommitRefused
from sandbox.escape import escape

LARGEST = 1024**3
"""Bytes of a bundle. More than that in one session is no work of an agent's hands."""

ASKED = "HEAD"
"""What leaves: the commit that is checked out there, and what leads to it."""

SECONDS = 600.0
_LONGEST_TEXT = 4 * 1024 * 1024  # bytes before the pack
_TOLD = 300
_NO_PROGRAM = 127
_SAFE = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}


@dataclass(frozen=True)
class Header:
    """What stands before the pack: the one commit that was asked for, what it builds on, where the pack begins."""

    tip: str
    needs: tuple[str, ...]
    pack_at: int


async def bring_out(sandbox: Sandbox, known: Collection[str], into: IO[bytes], *, largest: int = LARGEST) -> bool:
    """Have git bundle, inside, what HEAD there has beyond the commits `known`; False if that is nothing.

    The bundle is written to `into`, from where that stands. Raises CommitRefused: no git in the image, no repository
    inside, nothing committed, more than `largest` bytes; SandboxLost.
    """
    await _require_commit(sandbox)
    order = Command(
        ["git", "bundle", "create", "-", "--ignore-missing", "--stdin", ASKED],
        sandbox.root,
        env=_SAFE,
        stdin="".join(f"^{commit}\n" for commit in sorted(set(known))).encode(),
        timeout=SECONDS,
    )
    with anyio.CancelScope() as scope:
        receiver = _Receiver(into, scope, largest)
        result = await sandbox.run(order, receiver)
    if receiver.problem:
        raise CommitRefused(receiver.problem)
    if result.exit_code == 0:
        into.flush()
        return True
    if b"empty bundle" in result.stderr.all:
        return False
    why = _last_line(result.stderr.all) or f"it ended with {result.exit_code}"
    raise CommitRefused(f"git in the sandbox made no bundle of its commits: {why}")


async def _require_commit(sandbox: Sandbox) -> None:
    """Say in a sentence why there is nothing to bundle. What answers is the sandbox: it decides nothing."""
    ask = ["git", "rev-parse", "--verify", "--quiet", f"{ASKED}^{{commit}}"]
    result = await sandbox.run(Command(ask, sandbox.root, env=_SAFE, timeout=60))
    match result.exit_code:
        case 0:
            return
        case code if code == _NO_PROGRAM:
            raise CommitRefused("the image has no git, so no commits were made in this sandbox")
        case 1:
            raise CommitRefused("nothing has been committed in the sandbox yet")
        case _:
            why = _last_line(result.stderr.all)
            raise CommitRefused(f"git finds no repository in the sandbox, so no commits can leave it: {why}")


class _Receiver:
    """Takes the bundle as it comes: into a file of ours, and no more than so many bytes."""

    def __init__(self, file: IO[bytes], scope: anyio.CancelScope, largest: int) -> None:
        self.problem = ""
        self._file = file
        self._scope = scope
        self._largest = self._left = largest

    def __call__(self, stream: Stream, data: bytes, /) -> None:
        if stream != "stdout" or self.problem:
            return
        self._left -= len(data)
        if self._left < 0:
            self._end(f"they are more than {self._largest:,} bytes")
            return
        try:
            self._file.write(data)
        except OSError as error:  # a callback must not raise
            self._end(f"{error.strerror}")

    def _end(self, why: str) -> None:
        self.problem = f"the sandbox's commits cannot be taken out: {why}"
        self._scope.cancel()


def read_header(file: IO[bytes], form: Format) -> Header:
    """What a bundle says of itself. Raises CommitRefused for anything but what we had asked for."""
    text = file.read(_LONGEST_TEXT)
    end = text.find(b"\n\n")
    lines = text[:end].split(b"\n") if end > 0 else []
    if not lines or lines[0] not in (b"# v2 git bundle", b"# v3 git bundle"):
        raise _forged("is no bundle")
    needs: list[str] = []
    tips: list[str] = []
    for line in lines[1:]:
        if line.startswith(b"@"):
            if lines[0] != b"# v3 git bundle" or line != b"@object-format=" + form.encode():
                raise _forged("is in a form that the repository does not have")
        elif line.startswith(b"-"):
            needs.append(_object_id(line[1:].partition(b" ")[0], form))
        else:
            object_id, _, name = line.partition(b" ")
            if name != ASKED.encode():
                raise _forged("names something that was not asked for")
            tips.append(_object_id(object_id, form))
    if len(tips) != 1:
        raise _forged(f"holds {len(tips)} branches instead of one")
    return Header(tips[0], tuple(needs), end + 2)


def _object_id(text: bytes, form: Format) -> str:
    found = text.decode("ascii", "replace")
    if not is_object_id(found, form):
        raise _forged("names an object by what is no object's name in this repository")
    return found


def _forged(what: str) -> CommitRefused:
    return CommitRefused(f"what came out of the sandbox {what}: nothing was taken over")


def _last_line(text: bytes) -> str:
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return escape(lines[-1].removeprefix("fatal: "))[:_TOLD] if lines else ""
