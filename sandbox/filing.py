"""File work inside, from the host's side: one question to the guest's helper, and what its answer means."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

import anyio

from sandbox.base import Entry
from sandbox.container import Container
from sandbox.errors import FileError, SandboxLost
from sandbox.frames import Kind
from sandbox.limits import LimitName, LimitReached, full_at
from sandbox.running import Done, Failure, collected

SECONDS = 60.0
LIST_LIMIT = 16 * 1024 * 1024
"""Bytes of one listing as it travels: some hundred thousand names."""
EntryKind = Literal["file", "directory", "link", "other"]
KINDS: Mapping[str, EntryKind] = {kind: kind for kind in get_args(EntryKind)}


async def asked(
    container: Container, request: Mapping[str, Any], data: bytes | None = None, *, most: int = 0
) -> tuple[bytes, Done]:
    """What the helper answers, at most so many bytes of it, and how that ended.

    Raises: FileError if there is no answer in time, SandboxLost.
    """
    async with container.channel.stream() as stream:
        try:
            with anyio.fail_after(SECONDS):
                rest = await stream.open(request, data)
                return await collected(stream, most, rest)
        except anyio.get_cancelled_exc_class():
            await stream.send(Kind.KILL)  # or half a write would stay behind, under a name of ours
            raise
        except TimeoutError as error:
            await stream.send(Kind.KILL)
            raise FileError("other", str(request["path"]), f"no answer within {SECONDS:.0f} s") from error


def entries(text: bytes) -> Sequence[Entry]:
    """A folder's entries, as the helper lists them. Raises SandboxLost."""
    try:
        return [Entry(str(name), KINDS[kind], int(size)) for name, kind, size in json.loads(text)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SandboxLost("the sandbox broke the protocol") from error


def failed(
    why: Failure, path: PurePosixPath, root: PurePosixPath, most: Mapping[LimitName, int], full: str = ""
) -> FileError:
    """The error for what the guest says of a file; `root` is the workspace, `most` what each limit allows.

    `full` says which limit of the disk's was reached, if one was.
    """
    match why:
        case "interrupted":
            return FileError("other", str(path), "something in the sandbox interrupted it; try again")
        case "no-process":
            limit = LimitReached("processes", most["processes"], "end what runs, then try again")
            return FileError("other", str(path), str(limit))
        case "no-space":
            return FileError("no-space", str(path), full or full_at(path, root, most))
        case kind:
            return FileError(kind, str(path))
