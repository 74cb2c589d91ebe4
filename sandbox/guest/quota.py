"""Limits what a project may take of a file system, and lifts the limits of those that hold nothing any more.

A program of its own in a helper container, as root: whose projects they are, the host says (sandbox.quota).
"""

import ctypes
import errno
import os
import struct

QUOTACTL_FD = 443
GET_NEXT, SET = 0x800009, 0x800008
PROJECT = 2
RECORD = struct.Struct("=8QII")  # most KiB, -, bytes, most files, -, files, two times, which of it counts, project
LIMITS = 1 | 4

libc = ctypes.CDLL(None, use_errno=True)


def main(folder, first, project, size, files):
    """Where `folder` is, `project` may take `size` bytes and `files` names; of those from `first` on, empty ones go."""
    place = os.open(folder, os.O_PATH | os.O_CLOEXEC)  # root without its rights may not look into a user's folder
    for empty in list(left(place, first)):
        limit(place, empty, 0, 0)
    if project:
        limit(place, project, size // 1024, files)


def left(place, first):
    """The projects from `first` on that have limits and no file. One that has just been begun has two folders."""
    following = first
    while following < 2 * first:
        found = ctypes.create_string_buffer(RECORD.size)
        try:
            call(place, GET_NEXT, following, found)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESRCH):
                return
            raise
        most, _, size, most_files, _, files, _, _, _, project = RECORD.unpack(found.raw)
        if project >= 2 * first:
            return
        if (most or most_files) and not (size or files):
            yield project
        following = project + 1


def limit(place, project, size, files):
    record = RECORD.pack(size, 0, 0, files, 0, 0, 0, 0, LIMITS, 0)
    call(place, SET, project, ctypes.create_string_buffer(record, len(record)))


def call(place, command, project, record):
    if libc.syscall(QUOTACTL_FD, place, command << 8 | PROJECT, project, record) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
