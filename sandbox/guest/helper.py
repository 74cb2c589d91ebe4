"""The file helper, seen from the guest: frames pass through; if it dies or is stuck, a new one takes its place."""

import os
import signal
import socket
import struct
import time

from sandbox.guest.files import serve_files
from sandbox.guest.limits import die_before_others
from sandbox.guest.processes import OUR_SCORE, signal_quietly
from sandbox.guest.wire import CHUNK, CREDIT, DATA, DONE, HEADER, KILL, OPEN, Frames, send, send_json

BACKLOG = 64 * 1024 * 1024
PATIENCE = 1.0


class Helper:
    """Passes frames to the helper and its answers to the host."""

    def __init__(self, guest):
        self.guest = guest
        self.open = set()
        self.link = None
        self.cancelled = set()
        self.deadline = None

    def start(self):
        """Raises OSError, nothing left open."""
        ours, theirs = socket.socketpair()
        try:
            self.pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if self.pid == 0:
            try:
                die_before_others(OUR_SCORE)
                self.guest.forget(keep=[theirs.fileno()])
                serve_files(theirs.fileno(), self.guest.config)
            finally:
                os._exit(70)
        self.guest.ours.add(self.pid)
        theirs.close()
        ours.setblocking(False)
        self.link, self.queue, self.frames = ours, bytearray(), Frames()
        self.guest.watch(ours.fileno(), self.on_answer)

    def pass_on(self, stream, kind, payload):
        if kind == OPEN:
            try:
                if self.link is None:
                    self.start()
            except OSError:
                send_json(1, stream, DONE, {"error": "no-process"})
                return
            self.open.add(stream)
        elif stream not in self.open:
            return
        if kind == KILL:
            self.cancelled.add(stream)
            self.deadline = self.deadline or time.monotonic() + PATIENCE
        if len(self.queue) > BACKLOG:
            self.restart()
        else:
            self.queue += HEADER.pack(len(payload), stream, kind) + payload
            if kind == DATA and len(payload) > CHUNK // 2:  # small writes end before they need credit
                send(1, stream, CREDIT, struct.pack(">I", len(payload) - 1))
            self.push()

    def push(self, _descriptor=None):
        try:
            while self.queue:
                del self.queue[: self.link.send(self.queue[:CHUNK])]
        except BlockingIOError:
            self.guest.watch_write(self.link.fileno(), self.on_answer, self.push)
        except OSError:
            self.restart()
        else:
            self.guest.watch(self.link.fileno(), self.on_answer)

    def on_answer(self, _descriptor):
        try:
            data = self.link.recv(CHUNK * 4)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.restart()
            return
        for stream, kind, payload in self.frames.feed(data):
            if stream in self.open and kind in (DATA, DONE):
                send(1, stream, kind, payload)
                if kind == DONE:
                    self.open.discard(stream)
                    self.cancelled.discard(stream)
                    self.deadline = self.deadline if self.cancelled else None

    def hurry(self, now):
        """Begin anew with one that could not be interrupted in time."""
        if self.deadline is not None and self.deadline <= now:
            self.restart()

    def restart(self):
        self.deadline = None
        self.cancelled.clear()
        self.guest.unwatch(self.link.fileno())
        self.link.close()
        self.link = None
        signal_quietly(self.pid, signal.SIGKILL)
        for stream in self.open:
            send_json(1, stream, DONE, {"error": "interrupted"})
        self.open.clear()
