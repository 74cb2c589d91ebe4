"""File work, done by a helper process with the tool's rights: the guest itself never touches the workspace."""

import contextlib
import ctypes
import errno
import json
import os
import signal
import stat
import time

from sandbox.guest.rights import PR_SET_PDEATHSIG, libc, prctl, touch_files_as
from sandbox.guest.tree import list_tree
from sandbox.guest.wire import CHUNK, DATA, DONE, END, KILL, OPEN, Frames, send, send_json

TERMINALS = ("/dev/pts/", "/dev/tty")
FACCESSAT2, AT_FDCWD, AT_EACCESS = 439, -100, 0x200


def serve_files(link, config):
    """Read requests from `link`, touch files as the tool would, answer. Writes arrive in pieces, several at a time."""
    touch_files_as(config)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.umask(0o022)
    frames, writes = Frames(), {}
    while True:
        data = os.read(link, CHUNK)
        if not data:
            os._exit(0)
        for stream, kind, payload in frames.feed(data):
            try:
                answer = serve_one(link, stream, kind, payload, writes)
            except OSError as problem:
                drop_write(writes.pop(stream, None))
                answer = {"error": kind_of(problem)}
            except MemoryError:
                answer = {"error": "too-large"}
            if answer is not None:
                send_json(link, stream, DONE, answer)


def serve_one(link, stream, kind, payload, writes):
    if kind == DATA and stream in writes:
        write_all(writes[stream][0], payload[1:])
    elif kind == END and stream in writes:
        finish_write(*writes.pop(stream))
        return {}
    elif kind == KILL:
        drop_write(writes.pop(stream, None))
        return {"error": "other"}
    elif kind == OPEN:
        request = json.loads(payload)
        if request["op"] == "waits":
            return {"waits": any(map(reads_terminal, request["pids"]))}
        path = os.fsencode(request["path"])
        if request["op"] == "read":
            return read_file(link, stream, path, request["limit"])
        if request["op"] == "list":
            return list_folder(link, stream, path, request["limit"])
        if request["op"] == "tree":
            return list_tree(link, stream, path)
        writes[stream] = begin_write(path)
    return None


def reads_terminal(pid):
    """Whether a process waits for keys. Only who has its rights may know: that is why it is asked here."""
    read = {"x86_64": "0", "aarch64": "63", "riscv64": "63"}.get(os.uname().machine, "3")
    try:
        with open("/proc/%d/syscall" % pid) as file:
            number, descriptor = file.read().split()[:2]
        return number == read and os.readlink("/proc/%d/fd/%d" % (pid, int(descriptor, 16))).startswith(TERMINALS)
    except (OSError, ValueError):  # it runs, it is gone, or this kernel tells nobody
        return False


class Refused(OSError):
    """A file operation that we refuse ourselves; `kind` is the word for it."""

    def __init__(self, kind):
        super().__init__(0, kind)
        self.kind = kind


def kind_of(problem):
    if isinstance(problem, Refused):
        return problem.kind
    words = {
        errno.ENOENT: "not-found", errno.EISDIR: "is-directory", errno.ENOTDIR: "not-a-directory",
        errno.EACCES: "denied", errno.EPERM: "denied", errno.EROFS: "denied", errno.ENXIO: "not-a-file",
        errno.ENOSPC: "no-space", errno.EDQUOT: "no-space", errno.EFBIG: "too-large",
        errno.ENAMETOOLONG: "not-found", errno.ELOOP: "not-found",
    }  # fmt: skip
    return words.get(problem.errno, "other")


def read_file(link, stream, path, limit):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            raise Refused("is-directory")
        if not stat.S_ISREG(facts.st_mode):
            raise Refused("not-a-file")
        if facts.st_size > limit:
            raise Refused("too-large")
        left = limit + 1
        while left > 0:
            data = os.read(descriptor, min(CHUNK, left))
            if not data:
                return {}
            left -= len(data)
            send(link, stream, DATA, b"\x01" + data)
        raise Refused("too-large")
    finally:
        os.close(descriptor)


def list_folder(link, stream, path, limit):
    rows, size = [], 0
    with os.scandir(path) as entries:
        for entry in entries:
            row = json.dumps(entry_row(entry), separators=(",", ":"))
            size += len(row) + 1
            if size > limit - 2:
                raise Refused("too-large")
            rows.append((entry.name, row))
    text = b"[%s]" % ",".join(row for _, row in sorted(rows)).encode()
    for start in range(0, len(text), CHUNK):
        send(link, stream, DATA, b"\x01" + text[start : start + CHUNK])
    return {}


def entry_row(entry):
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return [os.fsdecode(entry.name), "other", 0]
    for kind, test in (("file", stat.S_ISREG), ("directory", stat.S_ISDIR), ("link", stat.S_ISLNK)):
        if test(facts.st_mode):
            return [os.fsdecode(entry.name), kind, facts.st_size if kind == "file" else 0]
    return [os.fsdecode(entry.name), "other", 0]


def begin_write(path):
    """Open a new file beside the target: the content appears by rename, at once or not at all."""
    target = os.path.realpath(path)
    mode = None
    try:
        facts = os.lstat(target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
    else:
        if stat.S_ISDIR(facts.st_mode):
            raise Refused("is-directory")
        if not stat.S_ISREG(facts.st_mode):
            raise Refused("not-a-file")
        if not is_writable(target):
            raise Refused("denied")
        mode = stat.S_IMODE(facts.st_mode)
    partial = os.path.join(os.path.dirname(target), b".paddock-%d-%d" % (os.getpid(), time.monotonic_ns()))
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    if mode is not None:
        os.fchmod(descriptor, mode)
    return descriptor, partial, target


def is_writable(path):
    """access(2), but for the ids that files are checked against: no C library asks for those everywhere."""
    if libc.syscall(FACCESSAT2, AT_FDCWD, path, os.W_OK, AT_EACCESS) == 0:
        return True
    if ctypes.get_errno() in (errno.ENOSYS, errno.EPERM):  # a kernel before 5.8, or an old engine's filter
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
        return True
    return False


def write_all(descriptor, data):
    while data:
        data = data[os.write(descriptor, data) :]


def finish_write(descriptor, partial, target):
    try:
        os.close(descriptor)
        os.rename(partial, target)
    except OSError:
        os.unlink(partial)
        raise


def drop_write(write):
    if write is not None:
        os.close(write[0])
        with contextlib.suppress(OSError):  # the tool may have moved or removed it
            os.unlink(write[1])
