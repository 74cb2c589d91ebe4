"""A connection between something inside and somebody on the host: bytes both ways, as far as each side gave credit.

The host asks for a port inside, or waits for whoever inside comes to the one port that leads out.
"""

import errno
import select
import socket
import struct

from sandbox.guest.wire import CHUNK, CREDIT, DATA, DONE, END, FRAME, WINDOW, send, send_json

ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
MOST = 256
BACKLOG = 128
LISTENING = b"0A"
LARGEST_TABLE = 4 * 1024 * 1024
MOST_PORTS = 1024


def listening(door):
    """The ports something listens on but our own `door`, in order; no more than anybody would look at."""
    found = set()
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/net/" + name, "rb") as file:
                rows = file.read(LARGEST_TABLE).splitlines()[1:]
        except OSError:
            continue  # a kernel without it
        for fields in map(bytes.split, rows):
            if len(fields) > 3 and fields[3] == LISTENING:
                found.add(int(fields[1].rpartition(b":")[2], 16))
    return sorted(found - {door})[:MOST_PORTS]


class Door:
    """The port that leads out: connections wait in it until the host takes one, so that none is ever too many."""

    def __init__(self, guest, port):
        self.guest = guest
        self.waiting = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen(BACKLOG)

    def wait(self, relay):
        """Give the next connection to a stream."""
        self.waiting.append(relay)
        self.guest.watch(self.socket.fileno(), self.on_knock)

    def on_knock(self, descriptor):
        while self.waiting:
            relay = self.waiting.pop(0)
            if self.guest.relays.get(relay.stream) is not relay:
                continue  # the host has given up waiting
            try:
                connection, _ = self.socket.accept()
            except OSError:  # it is gone again, or there is no descriptor
                self.waiting.insert(0, relay)
                return
            connection.setblocking(False)
            relay.begin(connection)
            return
        self.guest.unwatch(descriptor)


class Relay:
    """One connection. It looks like a call to whoever hands out frames."""

    def __init__(self, guest, stream, port=0):
        self.guest = guest
        self.stream = stream
        self.port = port
        self.addresses = list(ADDRESSES)
        self.socket = None
        self.connected = False
        self.credit = WINDOW
        self.queue = bytearray()
        self.all_sent = self.shut = self.all_heard = False

    def dial(self):
        """Try the next address; without one, the port is closed."""
        while self.addresses:
            family, host = self.addresses.pop(0)
            try:
                self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            except OSError:
                continue  # no such family here, or no descriptor
            if self.socket.connect_ex((host, self.port)) in (0, errno.EINPROGRESS):
                self.guest.watch_write(self.socket.fileno(), self.on_dialled)
                return
            self.socket.close()
        self.finish("refused")

    def on_dialled(self, descriptor):
        self.guest.unwatch(descriptor)
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.socket.close()
            self.dial()
            return
        self.begin(self.socket)

    def begin(self, connection):
        self.socket = connection
        self.connected = True
        send(1, self.stream, DATA, b"\0")  # says that somebody is there
        self.watch()

    def watch(self):
        """Wait for what can be done now, and for nothing else: a socket whose other side is gone speaks for ever."""
        if not self.connected:
            return
        reads = not self.all_heard and self.credit > 0
        writes = bool(self.queue) or (self.all_sent and not self.shut)
        descriptor = self.socket.fileno()
        if not reads and not writes:
            self.guest.unwatch(descriptor)
            return
        events = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if writes else 0)
        self.guest.set(descriptor, events, self.on_read if reads else None, self.on_write if writes else None)

    def on_read(self, _descriptor):
        try:
            data = self.socket.recv(min(CHUNK, self.credit))
        except BlockingIOError:
            return
        except OSError:
            self.finish("reset")
            return
        if data:
            self.credit -= len(data) + FRAME
            send(1, self.stream, DATA, b"\1" + data)
        else:
            self.all_heard = True
            send(1, self.stream, END)
        self.settle()

    def on_write(self, _descriptor):
        try:
            if self.queue:
                sent = self.socket.send(self.queue[:CHUNK])
                del self.queue[:sent]
                send(1, self.stream, CREDIT, struct.pack(">I", sent))
            if self.all_sent and not self.queue and not self.shut:
                self.shut = True
                self.socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self.finish("reset")
            return
        self.settle()

    def settle(self):
        if self.all_heard and self.shut:
            self.finish()
        else:
            self.watch()

    def add_stdin(self, data):
        self.queue += data
        self.watch()

    def end_stdin(self):
        self.all_sent = True
        self.watch()

    def add_credit(self, amount):
        self.credit += amount
        self.watch()

    def kill(self):
        self.finish()

    def resize(self, _size):
        pass

    def finish(self, gone=None):
        if self.guest.relays.pop(self.stream, None) is None:
            return
        if self.socket is not None and self.socket.fileno() >= 0:
            self.guest.unwatch(self.socket.fileno())
            self.socket.close()
        send_json(1, self.stream, DONE, {"gone": gone} if gone else {})
