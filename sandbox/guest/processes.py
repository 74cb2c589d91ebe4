"""The processes of a call: one supervisor each, so that a call can be killed whole and its survivors counted.

The supervisor is the subreaper of all that its call starts: whatever a tool forks, double-forks or moves to a new
session stays a descendant of it.
"""

import errno
import fcntl
import os
import signal
import termios

from sandbox.guest.rights import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, become_tool, prctl


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
            if fields[0] != b"Z":
                found[int(name)] = int(fields[1])
    return found


def descendants(ancestor):
    """All living processes below one."""
    table = parents()
    found = set()
    grown = True
    while grown:
        grown = False
        for pid, parent in table.items():
            if pid not in found and (parent == ancestor or parent in found):
                found.add(pid)
                grown = True
    return found


def kill_below(ancestor):
    """Kill every descendant, faster than it can fork: stop all first, until a look finds no new one; then kill."""
    stopped = set()
    while True:
        fresh = descendants(ancestor) - stopped
        if not fresh:
            break
        for pid in fresh:
            signal_quietly(pid, signal.SIGSTOP)
        stopped |= fresh
    for pid in stopped:
        signal_quietly(pid, signal.SIGKILL)


def signal_quietly(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def supervise(request, plumbing, status, config):
    """The life of one call: start its process, report its end, reap and, when told (SIGTERM), kill all it left."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    status = fcntl.fcntl(status, fcntl.F_DUPFD_CLOEXEC, 64)  # out of the way of the tool's own numbers
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    try:
        main = os.fork()
    except OSError as problem:
        refuse(status, problem)
    if main == 0:
        try:
            execute(request, plumbing, config)
        except BaseException as problem:  # the child must never return into the parent's code
            refuse(status, problem)
    for descriptor in plumbing.values():
        os.close(descriptor)
    killing = False
    while True:
        left = reap(main, status)
        if not left:
            os._exit(0)
        if killing:
            kill_below(os.getpid())
        got = signal.sigtimedwait({signal.SIGCHLD, signal.SIGTERM}, 0.01 if killing else 3600)
        if got is not None and got.si_signo == signal.SIGTERM:
            killing = True


def reap(main, status):
    """Collect the dead; say it when the main process is among them. False when nobody is left."""
    while True:
        try:
            pid, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        if pid == main:
            exit_code = 128 + os.WTERMSIG(code) if os.WIFSIGNALED(code) else os.WEXITSTATUS(code)
            os.write(status, b"exit %d\n" % exit_code)


def refuse(status, problem):
    """Say why the program could not start, with the exit code a shell would give."""
    number = getattr(problem, "errno", None) or 0
    what = "cwd" if isinstance(problem, NotADirectoryInside) else "exec"
    os.write(status, b"%s %d\n" % (what.encode(), number))
    os._exit(127 if number in (errno.ENOENT, errno.ENOTDIR) else 126)


class NotADirectoryInside(OSError):
    """The cwd cannot be entered."""


def execute(request, plumbing, config):
    """Turn this process into the tool's: descriptors, session, uid, cwd, program."""
    os.setsid()
    if "terminal" in plumbing:
        fcntl.ioctl(plumbing["terminal"], termios.TIOCSCTTY, 0)
        wanted = [plumbing["terminal"]] * 3
    else:
        wanted = [plumbing[0], plumbing[1], plumbing[2]] + ([plumbing[3]] if 3 in plumbing else [])
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64) for descriptor in wanted]
    for number, descriptor in enumerate(moved):
        os.dup2(descriptor, number)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    become_tool(config["uid"], config["gid"])
    os.umask(0o022)
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
