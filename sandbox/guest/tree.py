"""What a workspace that is not the host's own folder holds: every entry's facts, for the host to see what changed."""

import os
import stat
import struct

from sandbox.guest.wire import CHUNK, DATA, send

ROW = struct.Struct(">HHIQQQ")  # bytes of the path and of the link's target, mode, inode, size, ctime in nanoseconds
CLOSED = 0  # the mode that says of a folder: it cannot be looked into
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LONGEST_CALL, LONGEST = 3000, 60000  # bytes of a path: what one system call takes, and what we go down to


def list_tree(link, stream, root):
    """Send a row for every entry below `root`, folders before what is in them."""
    try:
        top = os.open(root, DIRECTORY)
    except PermissionError:  # a tool has closed it, to itself too
        os.chmod(root, 0o755)
        top = os.open(root, DIRECTORY)
    try:
        waiting, rows = [b""], bytearray()
        while waiting:
            folder = waiting.pop()
            try:
                rows_of(top, folder, rows, waiting)
            except OSError:
                rows += ROW.pack(len(folder), 0, CLOSED, 0, 0, 0) + folder
            while len(rows) >= CHUNK:
                send(link, stream, DATA, b"\x01" + rows[:CHUNK])
                del rows[:CHUNK]
        if rows:
            send(link, stream, DATA, b"\x01" + rows)
    finally:
        os.close(top)
    return {}


def rows_of(top, folder, rows, waiting):
    here = open_folder(top, folder)
    try:
        for name in sorted(map(os.fsencode, os.listdir(here))):
            path = folder + b"/" + name if folder else name
            try:
                facts = os.stat(name, dir_fd=here, follow_symlinks=False)
                target = os.readlink(name, dir_fd=here) if stat.S_ISLNK(facts.st_mode) else b""
            except OSError:
                continue  # it has gone meanwhile
            if len(path) > LONGEST:
                continue
            rows += ROW.pack(len(path), len(target), facts.st_mode, facts.st_ino, facts.st_size, facts.st_ctime_ns)
            rows += path + target
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(path)
    finally:
        os.close(here)


def open_folder(top, path):
    """A folder however deep it lies; one call takes only so many bytes."""
    here = os.dup(top)
    while path:
        cut = len(path) if len(path) <= LONGEST_CALL else path.rindex(b"/", 0, LONGEST_CALL)
        try:
            below = os.open(path[:cut], DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        here, path = below, path[cut:].lstrip(b"/")
    return here
