"""A run as JSON lines (`--output-format stream-json`), or as the last of them alone (`json`)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from cli.version import version
from runtime.events import Event, Finished, Partial, Started
from runtime.stream_json import lines

Write = Callable[[str], None]


class JsonScreen:
    """Writes one object a line; with `only_result` nothing but the last.

    Escapes everything outside ASCII, so that no byte of a tool's output can reach a terminal as anything but text.
    `sandbox` is what the first line says of it.
    The `result` object waits for `settle`: what became of the changes belongs in it.
    """

    def __init__(self, write: Write, *, partial: bool = False, only_result: bool = False) -> None:
        self.sandbox: Mapping[str, object] = {}
        self._write = write
        self._partial = partial
        self._only_result = only_result
        self._session = ""
        self._result: Mapping[str, Any] | None = None

    def __call__(self, event: Event, /) -> None:
        """Write one event, if it has a shape."""
        match event:
            case Started(session_id=session):
                self._session = session
            case Partial() if not self._partial:
                return
            case _:
                pass
        for line in lines(event, session_id=self._session):
            if isinstance(event, Finished):
                self._result = line
            elif not self._only_result:
                ours = {"sandbox": dict(self.sandbox), "paddock_version": version()}
                self._put({**line, **ours} if isinstance(event, Started) else line)

    def settle(self, host: Mapping[str, Any]) -> None:
        """Write the result, with the truth about the host in it. Says nothing if the run never came to its end."""
        if self._result is not None:
            self._put({**self._result, "host": dict(host)})
            self._result = None

    def close(self) -> None:
        """Everything is written as it comes."""

    def _put(self, line: Mapping[str, Any]) -> None:
        self._write(json.dumps(line, separators=(",", ":"), default=str) + "\n")
