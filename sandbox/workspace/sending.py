"""A workspace on its way into a volume: its layers, merged, as the records that the guest's `fill` makes files of."""

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.gate.names import is_reserved
from sandbox.gate.syscalls import FILE
from sandbox.gate.upper import kind_of
from sandbox.workspace.layers import Layers, Place

HEAD = struct.Struct(">HHIQQ")
"""Bytes of the path and of the link's target, mode, size, time of change; a test holds it against the guest's own."""
PIECE = 1024 * 1024
LONGEST = 65_535


@dataclass
class Sent:
    """How much has been sent so far: entries below the root, and bytes of files."""

    entries: int = 0
    size: int = 0


def records(layers: Layers, root: os.stat_result, sent: Sent) -> Iterator[bytes]:
    """Every entry of a workspace, folders before what is in them, in pieces of about a megabyte.

    Sockets, devices and what is ours in the middle of an apply are left out. The user may go on working meanwhile: a
    file that has gone is left out, one that shrinks is filled up with zeros, and neither is what the manifest has.
    Raises OSError for what cannot be read.
    """
    kept = bytearray(_head(b"", b"", root, 0, Sent()))
    waiting = [(b"", layers.all)]
    while waiting:
        folder, within = waiting.pop()
        for place in layers.within(folder, within):
            if len(place.path) > LONGEST or (not folder and is_reserved(place.path)):
                continue
            for piece in _record(layers, place, sent):
                kept += piece
                if len(kept) >= PIECE:
                    yield bytes(kept)
                    kept.clear()
            if kind_of(place.facts) == "directory":
                waiting.append((place.path, place.layers))
    yield bytes(kept)


def _record(layers: Layers, place: Place, sent: Sent) -> Iterator[bytes]:
    match kind_of(place.facts):
        case "directory":
            yield _head(place.path, b"", place.facts, 0, sent)
        case "link":
            try:
                here, name = layers.file(place)
                target = os.readlink(name, dir_fd=here)
            except FileNotFoundError:
                return
            yield _head(place.path, target, place.facts, 0, sent)
        case "file":
            yield from _file(layers, place, sent)
        case _ if stat.S_ISFIFO(place.facts.st_mode):
            yield _head(place.path, b"", place.facts, 0, sent)
        case _:
            return


def _file(layers: Layers, place: Place, sent: Sent) -> Iterator[bytes]:
    try:
        here, name = layers.file(place)
        descriptor = os.open(name, FILE, dir_fd=here)
    except FileNotFoundError:
        return
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return
        yield _head(place.path, b"", facts, facts.st_size, sent)
        left = facts.st_size
        while left and (data := os.read(descriptor, min(left, PIECE))):
            left -= len(data)
            yield data
        while left:
            yield bytes(min(left, PIECE))
            left -= min(left, PIECE)
        sent.size += facts.st_size
    finally:
        os.close(descriptor)


def _head(path: bytes, target: bytes, facts: os.stat_result, size: int, sent: Sent) -> bytes:
    sent.entries += 1
    return HEAD.pack(len(path), len(target), facts.st_mode, size, max(0, facts.st_mtime_ns)) + path + target
