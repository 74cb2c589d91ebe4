"""Frames, both ways: length of the payload (4 bytes), stream (4 bytes), kind (1 byte), payload."""

import json
import os
import struct

VERSION = 1
OPEN, DATA, END, CREDIT, KILL, RESIZE, DONE, HELLO = range(1, 9)
HEADER = struct.Struct(">IIB")
CHUNK = 64 * 1024
WINDOW = 512 * 1024
FRAME = 256


def send(descriptor, stream, kind, payload=b""):
    data = HEADER.pack(len(payload), stream, kind) + payload
    while data:
        data = data[os.write(descriptor, data) :]


def send_json(descriptor, stream, kind, value):
    send(descriptor, stream, kind, json.dumps(value, separators=(",", ":")).encode())


class Frames:
    """Cuts a byte stream into frames."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data
        while len(self.buffer) >= HEADER.size:
            length, stream, kind = HEADER.unpack_from(self.buffer)
            if len(self.buffer) < HEADER.size + length:
                return
            payload = bytes(self.buffer[HEADER.size : HEADER.size + length])
            del self.buffer[: HEADER.size + length]
            yield stream, kind, payload
