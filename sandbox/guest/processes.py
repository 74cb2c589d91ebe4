"""The processes of a call: one supervisor each, so that a call can be killed whole and its survivors counted.

The supervisor is the subreaper of all that its call starts: whatever a tool forks, double-forks or moves to a new
session stays a descendant of it.
"""

import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import termios

from sandbox.guest.forbidden import forbid
from sandbox.guest.limits import die_before_others
from sandbox.guest.rights import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, become_owner, become_tool, prctl
from sandbox.guest.wire import CHUNK

OUR_SCORE, TOOL_SCORE = 750, 1000
"""Who is killed first when memory runs out: tools, then what can be forked again, and last the guest itself."""
NOT_STARTED = 126  # the exit code by which shells tell it


def parents():
    """Every process's parent, by pid."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z" or int(fields[17]) > 1:  # one whose first thread has ended lives on in the others
                found[int(name)] = int(fields[1])
    return found


def in_group(group):
    """The living processes of a process group."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[2]) == group:
                    found.append(int(name))
        except OSError:
            continue
    return found


def descendants(ancestor, spare=()):
    """All living processes below one, but for those in `spare` and below them."""
    table = parents()
    found = set()
    grown = True
    while grown:
        grown = False
        for pid, parent in table.items():
            if pid not in found and pid not in spare and (parent == ancestor or parent in found):
                found.add(pid)
                grown = True
    return found


def kill_below(ancestor, spare=(), ours=()):
    """Kill every descendant, faster than it can fork: stop all first, until a look finds no new one; then kill.

    `spare` stay with all below them, `ours` without. Returns how many were killed.
    """
    stopped = set()
    while True:
        fresh = descendants(ancestor, spare) - stopped - set(ours)
        if not fresh:
            break
        for pid in fresh:
            signal_quietly(pid, signal.SIGSTOP)
        stopped |= fresh
    for pid in stopped:
        signal_quietly(pid, signal.SIGKILL)
    return len(stopped)


def signal_quietly(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def collect(ours):
    """Reap this process's dead, which then are no longer in `ours`; who is, and was stopped by a tool, goes on."""
    try:
        while (found := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
            pid, state = found
            if not os.WIFSTOPPED(state):
                ours.discard(pid)
            elif pid in ours:  # an orphan of a tool's may stay as it is
                signal_quietly(pid, signal.SIGCONT)
    except ChildProcessError:
        pass


class Crew:
    """A supervisor and the process that will become the tool, both forked ahead of need: a call then costs one exec.

    `status` is where the supervisor reports, `pid` whom to tell (SIGTERM) that all of the call must die.
    """

    def __init__(self, forget, config):
        self.status, status = os.pipe2(os.O_CLOEXEC)
        self.link, theirs = socket.socketpair()
        try:
            self.pid = os.fork()
            if self.pid == 0:
                try:
                    die_before_others(OUR_SCORE)
                    forget(keep=[status, theirs.fileno()])
                    supervise(theirs, status, config)
                finally:
                    os._exit(70)
        except OSError:
            os.close(self.status)
            self.link.close()
            raise
        finally:
            os.close(status)
            theirs.close()

    def is_dead(self):
        """Whether it has spoken already: made when there was no process to be had, it can do nothing but say so."""
        return bool(select.select([self.status], [], [], 0)[0])

    def drop(self):
        os.close(self.status)
        self.link.close()

    def go(self, request, descriptors):
        """Hand over the work: the request as it came, and the tool's descriptors in order."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("%di" % len(descriptors), *descriptors))]
        work = struct.pack(">I", len(request)) + request
        with self.link:
            rest = work[self.link.sendmsg([work], rights) :]
            if rest:  # sendall sends even nothing, and who has all of it may have closed its end by then
                self.link.sendall(rest)


def receive_work(link):
    """The other end of `go`: request and descriptors. Exits quietly if there will never be any."""
    size = struct.calcsize("i")
    head, rights, _, _ = link.recvmsg(4, socket.CMSG_SPACE(4 * size), socket.MSG_CMSG_CLOEXEC)
    if not head:
        os._exit(0)
    [(_, _, data)] = rights
    descriptors = list(struct.unpack("%di" % (len(data) // size), data))
    text, length = b"", struct.unpack(">I", head)[0]
    while len(text) < length:
        text += link.recv(min(length - len(text), CHUNK))
    return json.loads(text), descriptors


def supervise(link, status, config):
    """The life of one call: start its process, report its end, reap and, when told (SIGTERM), kill all it left."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    status = fcntl.fcntl(status, fcntl.F_DUPFD_CLOEXEC, 64)  # out of the way of the tool's own numbers
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    try:
        main = os.fork()
    except OSError as problem:
        os.write(status, b"exec %d\nalone %d 0\n" % (problem.errno, NOT_STARTED))
        os._exit(NOT_STARTED)
    if main == 0:
        try:
            die_before_others(TOOL_SCORE)
            if config["forbidden"]:
                forbid(config["forbidden"])
            execute(*receive_work(link), config)
        except BaseException as problem:  # the child must never return into the parent's code
            refuse(status, problem)
    link.close()
    killing = False
    while True:
        end, left = reap(main)
        if end is not None:  # `alone` spares the guest the wait for this process's own end
            os.write(status, b"%s %d %d\n" % (b"exit" if left else b"alone", *end))
        if not left:
            os._exit(0)
        if killing:
            kill_below(os.getpid())
        got = signal.sigtimedwait({signal.SIGCHLD, signal.SIGTERM}, 0.01 if killing else 3600)
        if got is not None and got.si_signo == signal.SIGTERM:
            killing = True


def reap(main):
    """Collect the dead: the main process's exit code and signal if it is among them, and whether anybody is left."""
    end = None
    while True:
        try:
            pid, code = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return end, False
        if pid == 0:
            return end, True
        if os.WIFSTOPPED(code):
            is_waiting = pid == main and user_of(main) == os.getuid()
            if is_waiting:  # for its call, and is no tool yet: one has stopped it
                signal_quietly(main, signal.SIGCONT)
        elif pid == main:
            number = os.WTERMSIG(code) if os.WIFSIGNALED(code) else 0
            end = (128 + number if number else os.WEXITSTATUS(code), number)


def user_of(pid):
    """Whose a child is, by its own number: while it is ours, nothing else of it can be looked at."""
    with open("/proc/%d/status" % pid, encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Uid:"))


def refuse(status, problem):
    """Say why the program could not start, with the exit code a shell would give."""
    number = getattr(problem, "errno", None) or 0
    what = "cwd" if isinstance(problem, NotADirectoryInside) else "exec"
    os.write(status, b"%s %d\n" % (what.encode(), number))
    os._exit(127 if number in (errno.ENOENT, errno.ENOTDIR) else NOT_STARTED)


class NotADirectoryInside(OSError):
    """The cwd cannot be entered."""


def execute(request, descriptors, config):
    """Turn this process into the tool's: descriptors, session, uid, cwd, program."""
    os.setsid()
    if request.get("terminal"):
        fcntl.ioctl(descriptors[0], termios.TIOCSCTTY, 0)
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64) for descriptor in descriptors]
    for number, descriptor in enumerate(moved):
        os.dup2(descriptor, number)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGIO):
        signal.signal(number, signal.SIG_DFL)
    (become_owner if request.get("fills") else become_tool)(config)
    os.umask(0o022)
    if request.get("file_size") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_size"],) * 2)
    try:
        os.chdir(os.fsencode(request["cwd"]))
    except OSError as problem:
        raise NotADirectoryInside(problem.errno, "cwd") from problem
    environment = {os.fsencode(key): os.fsencode(value) for key, value in request["env"].items()}
    argv = [os.fsencode(part) for part in request["argv"]]
    run_program(argv, environment)


def run_program(argv, environment):
    """execvpe, except that a file which is there but not executable outranks one that is not there."""
    program = argv[0]
    folders = [b""] if b"/" in program else environment.get(b"PATH", os.defpath.encode()).split(b":")
    worst = FileNotFoundError(errno.ENOENT, "not found")
    for folder in folders:
        try:
            os.execve(os.path.join(folder, program), argv, environment)
        except OSError as problem:
            if problem.errno == errno.ENOEXEC:
                os.execve(b"/bin/sh", [b"/bin/sh", os.path.join(folder, program), *argv[1:]], environment)
            if problem.errno not in (errno.ENOENT, errno.ENOTDIR):
                worst = problem
    raise worst
