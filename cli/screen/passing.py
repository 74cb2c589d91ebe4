"""A command's own output, passed on: byte for byte into a pipe or file, spelled out on a terminal."""

import codecs
from collections.abc import Callable
from typing import TextIO

from cli.screen import safe
from sandbox.base import ExecResult, Stream


class Passing:
    """Use it as an `OnOutput`. When our reader goes away, `on_closed` is called once and the rest is dropped."""

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        self.on_closed: Callable[[], None] = lambda: None
        self._streams: dict[Stream, TextIO] = {"stdout": stdout, "stderr": stderr}
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("surrogateescape") for name in self._streams}
        self._seen: set[Stream] = set()
        self.is_closed = False

    def __call__(self, name: Stream, data: bytes, /) -> None:
        """Pass on a piece."""
        if self.is_closed:
            return
        self._seen.add(name)
        try:
            self._write(name, data)
        except (BrokenPipeError, ValueError):
            self.is_closed = True
            self.on_closed()

    def finish(self, result: ExecResult) -> None:
        """Say what the sandbox itself had to say, such as that there is no such program."""
        if "stderr" not in self._seen and result.stderr.head:
            self("stderr", result.stderr.all)
        if result.timed_out:
            self("stderr", b"paddock: the command ran out of time and was ended\n")
        if result.is_unwatched:
            self("stderr", b"paddock: outcome unknown: the process that watched the command inside was killed\n")
        for remark in result.remarks:
            self("stderr", f"paddock: {remark}\n".encode())

    def _write(self, name: Stream, data: bytes) -> None:
        stream = self._streams[name]
        if not stream.isatty():
            stream.buffer.write(data)
            stream.buffer.flush()
            return
        text = self._decoders[name].decode(data)
        stream.write("\n".join("".join(safe.lines(line)) for line in text.split("\n")))
        stream.flush()
