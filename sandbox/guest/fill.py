"""Fills the workspace with what the host sends on stdin: a program of its own, run as its owner before any tool runs.

It reads records: a head, a path, a link's target, and for a file its content. A folder comes before what is in it.
"""

import os
import stat
import struct
import sys

from sandbox.guest.wire import CHUNK

HEAD = struct.Struct(">HHIQQ")  # bytes of the path and of the target, mode, size, time of change in nanoseconds


def main(root, without):
    """Make it all, without these bits of modes."""
    os.chdir(root)
    os.umask(0)
    folders = []
    source = sys.stdin.buffer
    while True:
        head = source.read(HEAD.size)
        if not head:
            break
        path_length, target_length, mode, size, when = HEAD.unpack(head)
        mode &= ~without
        path, target = source.read(path_length), source.read(target_length)
        if stat.S_ISDIR(mode):
            if path:
                os.mkdir(path, 0o700)
            folders.append((path or b".", mode, when))
        elif stat.S_ISLNK(mode):
            os.symlink(target, path)
            os.utime(path, ns=(when, when), follow_symlinks=False)
        elif stat.S_ISFIFO(mode):
            os.mkfifo(path, stat.S_IMODE(mode))
        else:
            take_file(source, path, stat.S_IMODE(mode), size, when)
    for path, mode, when in reversed(folders):  # what is made in a folder changes its time
        os.chmod(path, stat.S_IMODE(mode))
        os.utime(path, ns=(when, when))


def take_file(source, path, mode, size, when):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while size:
            data = source.read(min(size, CHUNK))
            if not data:
                raise EOFError("the host sent half a file")
            size -= len(data)
            while data:
                data = data[os.write(descriptor, data) :]
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(when, when))
    finally:
        os.close(descriptor)
