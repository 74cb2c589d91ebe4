"""One call, seen from the guest: a process and its pipes. Bytes go out as far as the host has given credit."""

import fcntl
import os
import signal
import struct
import termios
import time

from sandbox.guest.limits import scratch_used
from sandbox.guest.processes import descendants, in_group, signal_quietly
from sandbox.guest.rights import owned_by_tool
from sandbox.guest.wire import CHUNK, CREDIT, DATA, WINDOW, send

REPORT_LIMIT = 4096
GRACE = 0.2
TIOCSPTLCK, TIOCGPTN = 0x40045431, 0x80045430


def unread(descriptor):
    """How many bytes wait in a pipe."""
    return struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0"))[0]


class Call:
    """A process and its pipes: bytes go out as far as the host has given credit."""

    def __init__(self, guest, stream, has_stdin):
        self.guest = guest
        self.stream = stream
        self.credit = WINDOW
        self.taken = 0
        self.readers = {}
        self.stdin = None
        self.stdin_queue = bytearray()
        self.stdin_ended = not has_stdin
        self.terminal = None
        self.report = b""
        self.exit_code = self.signal = None
        self.unwatched = False
        self.problem = None
        self.deadline = None
        self.owed = None
        self.killed = False
        self.before = guest.limits.at_start(is_alone=not guest.calls)
        self.ended = 0
        self.status = self.supervisor = None

    def start(self, request, payload, crew):
        """Open the pipes and let the crew go, with the request as it came. Raises OSError, nothing left open."""
        theirs = []
        self.status, self.supervisor = crew.status, crew.pid
        try:
            with owned_by_tool(self.guest.config):
                if request.get("terminal"):
                    self.open_terminal(theirs)
                else:
                    self.open_pipes(request, theirs)
            self.resize(request.get("terminal"))
            crew.go(payload, theirs)
        except OSError:
            for descriptor in [*self.readers, self.status, self.stdin]:
                if descriptor is not None:
                    os.close(descriptor)
            raise
        finally:
            for descriptor in set(theirs):
                os.close(descriptor)
        for descriptor in self.readers:
            self.guest.watch(descriptor, self.on_output)
        self.guest.watch(self.status, self.on_status)

    def open_pipes(self, request, theirs):
        if request.get("stdin"):
            reader, self.stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.stdin, False)
        else:
            reader = os.dup(self.guest.null)
        theirs.append(reader)
        for number in (1, 2, 3) if request.get("report") else (1, 2):
            reader, writer = os.pipe2(os.O_CLOEXEC)
            theirs.append(writer)
            os.set_blocking(reader, False)  # the tool can open this end too, and take away what we were told of
            self.readers[reader] = number

    def open_terminal(self, theirs):
        """A terminal that belongs to the tool. In devpts nobody can put something else under the names."""
        self.terminal = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        fcntl.ioctl(self.terminal, TIOCSPTLCK, struct.pack("i", 0))
        number = struct.unpack("I", fcntl.ioctl(self.terminal, TIOCGPTN, b"\0\0\0\0"))[0]
        theirs += [os.open("/dev/pts/%d" % number, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)] * 3
        self.readers[self.terminal] = 1
        self.stdin = fcntl.fcntl(self.terminal, fcntl.F_DUPFD_CLOEXEC, 3)
        os.set_blocking(self.stdin, False)
        self.stdin_ended = False

    def resize(self, size):
        if self.terminal is not None and size:
            fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[0], size[1], 0, 0))

    def foreground(self):
        """The processes that the keys of its terminal go to."""
        try:
            return [] if self.terminal is None else in_group(os.tcgetpgrp(self.terminal))
        except OSError:
            return []  # nobody holds it any more

    def on_output(self, descriptor):
        number = self.readers[descriptor]
        if number != 3 and self.credit <= 0:
            return  # reading nothing would look like the end
        try:
            data = os.read(descriptor, CHUNK if number == 3 else min(CHUNK, self.credit))
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: the last holder of the terminal is gone
        if self.owed is not None:
            self.owed[descriptor] -= len(data)
        if not data:
            self.guest.unwatch(descriptor)
            os.close(descriptor)
            del self.readers[descriptor]
            if descriptor == self.terminal:
                self.terminal = None
            self.settle()
        elif number == 3:
            self.report = (self.report + data)[:REPORT_LIMIT]
        else:
            send(1, self.stream, DATA, bytes((number,)) + data)
            self.credit -= len(data)
            if self.credit <= 0:
                self.pause_output(True)

    def pause_output(self, pause):
        for descriptor, number in self.readers.items():
            if number != 3:
                self.guest.mute(descriptor, pause)

    def add_credit(self, amount):
        dry = self.credit <= 0
        self.credit += amount
        if dry and self.credit > 0:
            self.pause_output(False)

    def on_status(self, descriptor):
        data = os.read(descriptor, 256)
        for line in data.split(b"\n"):
            word, _, number = line.partition(b" ")
            if word in (b"exit", b"alone"):
                self.exit_code, self.signal = map(int, number.split())
                self.deadline = time.monotonic() + GRACE
                self.close_stdin()
            elif word in (b"cwd", b"exec"):
                self.problem = [word.decode(), int(number)]
        if not data or b"alone" in data:
            self.guest.unwatch(descriptor)
            os.close(descriptor)
            self.status = None
            if self.exit_code is None:  # the supervisor itself ended first
                self.exit_code, self.unwatched = 128 + signal.SIGKILL, True
                self.guest.orphaned = True
                self.deadline = time.monotonic() + GRACE
        self.settle()

    def settle(self, late=False):
        """The call is over when its main process ended and its pipes did too, or the grace for them is up."""
        if self.exit_code is None or not (late or (not self.readers and self.status is None)):
            return
        if late and (self.must_wait() or (self.killed and self.status is not None)):
            self.deadline = time.monotonic() + GRACE
            return
        left = 0 if self.status is None else len(descendants(self.supervisor))
        for descriptor in list(self.readers):
            self.guest.unwatch(descriptor)
            os.close(descriptor)
        self.readers = {}
        self.close_stdin()
        done = {"exit": self.exit_code, "left": left, "report": self.report.decode("latin-1")}
        if self.unwatched:
            done["unwatched"] = True
        if self.signal:
            done["signal"] = int(self.signal)
        if self.problem:
            done["problem"] = self.problem
        self.guest.end(self, done)

    def told_limits(self):
        """What of the container's limits was met since the call began, for its last word."""
        met = self.guest.limits.met_since(self.before)
        if self.ended and "processes" not in met:
            met.append("processes")
        told = {"limits": met} if met else {}
        if self.ended:
            told["ended"] = self.ended
        if "memory" in met:
            told["scratch"] = scratch_used()
        return told

    def must_wait(self):
        """Whether output would be lost now.

        Survivors may write for ever, and so may another call's process that was handed a pipe: of all that, only what
        is there the first time counts.
        """
        waiting = {descriptor: unread(descriptor) for descriptor in self.readers}
        if self.owed is None:
            self.owed = dict(waiting)
        return any(amount > 0 and self.owed[descriptor] > 0 for descriptor, amount in waiting.items())

    def add_stdin(self, data):
        if self.stdin is not None:
            self.stdin_queue += data
            self.push_stdin()

    def end_stdin(self):
        self.stdin_ended = True
        self.push_stdin()

    def push_stdin(self, _descriptor=None):
        try:
            while self.stdin is not None and self.stdin_queue:
                sent = os.write(self.stdin, self.stdin_queue[:CHUNK])
                del self.stdin_queue[:sent]
                self.taken += sent
        except BlockingIOError:
            self.guest.watch_write(self.stdin, self.push_stdin)
        except OSError:
            self.taken += len(self.stdin_queue)
            self.close_stdin()
        else:
            if self.stdin is not None:
                self.guest.unwatch(self.stdin)
                if self.stdin_ended:
                    self.close_stdin()
        self.grant()

    def grant(self):
        """Tell the host how much of stdin went on its way: it may send as much again."""
        if self.taken:
            send(1, self.stream, CREDIT, struct.pack(">I", self.taken))
            self.taken = 0

    def close_stdin(self):
        if self.stdin is not None:
            self.guest.unwatch(self.stdin)
            os.close(self.stdin)
            self.stdin = None
            self.stdin_queue.clear()

    def kill(self):
        self.killed = True  # from now on it is over when all of it is gone
        if self.status is not None:  # else nobody is left, and the number may be another process's by now
            signal_quietly(self.supervisor, signal.SIGTERM)
            signal_quietly(self.supervisor, signal.SIGCONT)  # who is stopped would not hear it
