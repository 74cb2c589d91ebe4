"""Guest: the one program of ours inside a sandbox. It runs on the toolbox's Python, in any Linux image.

It is PID 1 of the container and speaks frames over its stdin and stdout, which only the host holds. It starts as root
with SETUID, SETGID, KILL and SETPCAP, becomes uid 65521 at once, and gives tools another uid and what rights their
profile names, mostly none: a tool can neither trace, read, signal nor be it (in compat it can be it, and signal its
processes). It never touches the workspace itself: a helper with the tool's rights does that. Nor does it open what a
tool of uid 0 could replace, such as /dev/null. When its stdin ends, the host is gone, it exits, and so does all else.
"""

import errno
import gc
import json
import os
import select
import signal
import struct
import sys
import time

from sandbox.guest.call import Call
from sandbox.guest.forbidden import program
from sandbox.guest.helper import Helper
from sandbox.guest.hold import Hold
from sandbox.guest.limits import Limits
from sandbox.guest.place import find_shell, require_untouched
from sandbox.guest.processes import Crew, collect, descendants, kill_below
from sandbox.guest.relay import MOST, Door, Relay, listening
from sandbox.guest.rights import drop_root
from sandbox.guest.wire import CHUNK, CREDIT, DATA, DONE, END, HELLO, KILL, OPEN, RESIZE, VERSION, Frames, send_json

ROOM_SECONDS = 3.0


class Guest:
    """One loop over everything that can speak."""

    def __init__(self, config):
        self.config = config
        self.poll = select.epoll()
        self.on_read = {}
        self.on_write = {}
        self.calls = {}
        self.relays = {}
        self.crew = None
        self.prepare_at = 0.0
        self.ours = set()
        self.hold = None
        self.later = []
        self.orphaned = False  # whether a supervisor died before its call
        self.null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.door = Door(self, config["door"]) if config["door"] else None
        self.helper = Helper(self)
        self.limits = Limits()

    def watch(self, descriptor, handler):
        self.set(descriptor, select.EPOLLIN, handler, None)

    def watch_write(self, descriptor, handler, writer=None):
        """Write when possible; `handler` reads too if a `writer` is named besides it."""
        if writer is None:
            self.set(descriptor, select.EPOLLOUT, None, handler)
        else:
            self.set(descriptor, select.EPOLLIN | select.EPOLLOUT, handler, writer)

    def set(self, descriptor, events, reader, writer):
        known = descriptor in self.on_read
        self.on_read[descriptor], self.on_write[descriptor] = reader, writer
        if known:
            self.poll.modify(descriptor, events)
        else:
            self.poll.register(descriptor, events)

    def mute(self, descriptor, muted):
        """Look away for a while: off the list, since a pipe whose writer is gone is reported whatever one asks for."""
        if muted:
            self.poll.unregister(descriptor)
        else:
            self.poll.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor):
        if self.on_read.pop(descriptor, self) is not self:
            del self.on_write[descriptor]
            try:
                self.poll.unregister(descriptor)
            except FileNotFoundError:
                pass  # it was muted

    def forget(self, keep):
        """In a fork: close all that is the guest's own, so that no child holds another's pipe."""
        wanted = set(keep) | {2}
        os.dup2(self.null, 0)
        os.dup2(self.null, 1)
        for name in os.listdir("/proc/self/fd"):
            descriptor = int(name)
            if descriptor > 2 and descriptor not in wanted:
                try:
                    os.close(descriptor)
                except OSError:
                    pass  # the listing's own descriptor

    def run(self):
        self.helper.start()
        words = {"version": VERSION, "python": list(sys.version_info[:3]), "shell": find_shell()}
        send_json(1, 0, HELLO, {**words, "given": self.config["given"]})
        self.frames = Frames()
        self.watch(0, self.on_host)
        while True:
            happened = self.poll.poll(self.patience())
            if not happened and self.crew is None:
                self.prepare()
            for descriptor, events in happened:
                reader, writer = self.on_read.get(descriptor), self.on_write.get(descriptor)
                if writer and events & (select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP):
                    writer(descriptor)
                if reader and events & ~select.EPOLLOUT and self.on_read.get(descriptor) == reader:
                    reader(descriptor)
            now = time.monotonic()
            for call in list(self.calls.values()):
                if call.deadline is not None and call.deadline <= now:
                    call.settle(late=True)
            self.helper.hurry(now)
            collect(self.ours)
            self.orphaned = self.orphaned and kill_below(os.getpid(), self.ours)  # nobody else ends what is left

    def patience(self):
        """How long to wait for something to happen, in seconds: orphans of ended calls are reaped at least every 5."""
        if self.orphaned:
            return 0.01
        deadlines = [call.deadline for call in (*self.calls.values(), self.helper) if call.deadline is not None]
        if self.crew is None:
            deadlines.append(self.prepare_at)
        return max(0.0, min([*deadlines, time.monotonic() + 5.0]) - time.monotonic())

    def on_host(self, _descriptor):
        data = os.read(0, CHUNK * 4)
        if not data:
            os._exit(0)  # the life line: the host is gone
        for stream, kind, payload in self.frames.feed(data):
            self.on_frame(stream, kind, payload)

    def on_frame(self, stream, kind, payload):
        if self.hold is not None and self.must_wait(stream, kind, payload):
            self.later.append((stream, kind, payload))
            return
        call = self.calls.get(stream) or self.relays.get(stream)
        if kind == OPEN:
            self.open(stream, json.loads(payload), payload)
        elif call is None:
            self.helper.pass_on(stream, kind, payload)
        elif kind == DATA:
            call.add_stdin(payload[1:])
        elif kind == END:
            call.end_stdin()
        elif kind == CREDIT:
            call.add_credit(struct.unpack(">I", payload)[0])
        elif kind == KILL:
            call.kill()
        elif kind == RESIZE:
            call.resize(json.loads(payload))

    def must_wait(self, stream, kind, payload):
        """While all is held, no command begins; what belongs to one that would have waits too."""
        begins = kind == OPEN and json.loads(payload)["op"] == "run"
        return begins or any(stream == waiting for waiting, _, _ in self.later)

    def let_go(self):
        """All that was held goes on, and what waited begins."""
        if self.hold is not None:
            self.hold.release()
            self.hold = None
            later, self.later = self.later, []
            for frame in later:
                self.on_frame(*frame)

    def open(self, stream, request, payload):
        if request["op"] == "run":
            self.begin(stream, request, payload)
        elif request["op"] == "count":
            send_json(1, stream, DONE, {"left": self.count()})
        elif request["op"] == "hold":
            self.hold = self.hold or Hold(self)
            send_json(1, stream, DONE, {})
        elif request["op"] == "release":
            send_json(1, stream, DONE, {})
            self.let_go()
        elif request["op"] == "clear":
            ended = kill_below(os.getpid(), self.spare(), self.ours)
            send_json(1, stream, DONE, {"left": self.count(), "ended": ended})
        elif request["op"] == "listening":
            send_json(1, stream, DONE, {"ports": listening(self.config["door"])})
        elif request["op"] == "waits":
            call = self.calls.get(request["call"])
            asked = {"op": "waits", "pids": [] if call is None else call.foreground()}
            self.helper.pass_on(stream, OPEN, json.dumps(asked).encode())
        elif request["op"] == "connect":
            self.relay(stream, lambda relay: relay.dial(), request["port"])
        elif request["op"] == "accept":
            self.relay(stream, self.door.wait)
        else:
            self.helper.pass_on(stream, OPEN, payload)

    def begin(self, stream, request, payload):
        call = Call(self, stream, bool(request.get("stdin")))
        try:
            call.start(request, payload, self.crew_for(call))
        except OSError as problem:  # no process, no descriptor, no terminal to be had
            number = errno.EAGAIN if isinstance(problem, BrokenPipeError) else problem.errno
            done = {"exit": 126, "left": 0, "report": "", "problem": ["exec", number]}
            send_json(1, stream, DONE, {**done, **call.told_limits()})
        else:
            self.calls[stream] = call

    def relay(self, stream, begin, port=0):
        if len(self.relays) >= MOST:
            send_json(1, stream, DONE, {"gone": "refused"})
            return
        relay = self.relays[stream] = Relay(self, stream, port)
        begin(relay)

    def crew_for(self, call):
        """A crew that can work: what calls left running makes way for it. Raises OSError."""
        if self.limits.is_crowded():
            call.ended = self.make_room()
        try:
            return self.take_crew()
        except BlockingIOError:  # EAGAIN: no process to be had
            call.ended += self.make_room()
            return self.take_crew()

    def make_room(self):
        """Kill what earlier calls left running, so that the next one gets processes; how many that were."""
        spare = self.spare() | {call.supervisor for call in self.calls.values()}
        ended = len(descendants(os.getpid(), spare) - self.ours)
        deadline = time.monotonic() + ROOM_SECONDS
        while kill_below(os.getpid(), spare) and time.monotonic() < deadline:
            time.sleep(0.01)
        collect(self.ours)  # until then the dead count
        return ended

    def end(self, call, done):
        del self.calls[call.stream]
        if call.status is not None:
            self.unwatch(call.status)
            os.close(call.status)
        send_json(1, call.stream, DONE, {**done, **call.told_limits()})

    def count(self):
        """How many processes of calls are alive; the supervisors, the helper and the next crew are ours."""
        return len(descendants(os.getpid(), self.spare()) - self.ours)

    def spare(self):
        """Who is no call's at all, with all below them."""
        return {self.helper.pid} if self.crew is None else {self.helper.pid, self.crew.pid}

    def prepare(self):
        """Have a crew ready for the next call, in a moment when all there is to do is to wait for a tool or a word."""
        try:
            self.crew = self.new_crew()
        except OSError:
            self.prepare_at = time.monotonic() + 1.0  # no process to be had now; a call will try itself, and say so

    def take_crew(self):
        crew, self.crew, self.prepare_at = self.crew, None, 0.0
        if crew is not None and crew.is_dead():
            crew.drop()
            crew = None
        return crew or self.new_crew()

    def new_crew(self):
        crew = Crew(self.forget, self.config)
        self.ours.add(crew.pid)
        return crew


def main(config):
    require_untouched()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGIO):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # it waits: a crew may be told to kill at its birth
    for path, text in config["files"].items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    for path in config["own"]:
        os.chown(path, *config["owner"])
    config["given"] = drop_root(config)
    config["forbidden"] = b"" if config["given"]["gains"] else program(os.getuid())
    gc.freeze()
    gc.disable()
    Guest(config).run()
