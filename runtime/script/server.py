"""A model that follows a script: a server on this machine that speaks the Messages API, streaming and not."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast

from runtime.script.format import Script
from runtime.script.play import Cue, Unexpected, cue, events_of, message_of

LARGEST = 256 * 1024 * 1024

ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class ScriptServer:
    """Listens on a port of its own, on the loopback address only, while its block runs.

    `cwd` is what `{{cwd}}` means in the script. `requests` holds the body of every request for an answer so far.
    """

    def __init__(self, script: Script, *, cwd: str = "") -> None:
        self.script = script
        self.cwd = cwd
        self.requests: list[Mapping[str, Any]] = []
        self._played: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()
        self._http: Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL to give the SDK."""
        assert self._http is not None, "the server runs only inside its with block"
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._http = Listener(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="script", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http is not None
        assert self._thread is not None
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def is_due(self, what: str, number: int, times: int) -> bool:
        """Whether a fault of this turn is still to happen, and count it. `times` 0 means always."""
        with self._lock:
            self._played[what, number] += 1
            return times == 0 or self._played[what, number] <= times

    def keep(self, request: Mapping[str, Any]) -> None:
        """Remember a request."""
        with self._lock:
            self.requests.append(request)


class Listener(ThreadingHTTPServer):
    """The socket; one thread a connection, none of which keeps the process alive."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: ScriptServer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.owner = owner

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is not worth a word."""


class Handler(BaseHTTPRequestHandler):
    """One connection. An answer is written in as few packets as its pace allows."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's own name
        """Print nothing: the terminal is the user's."""

    @property
    def owner(self) -> ScriptServer:
        """The server this connection belongs to."""
        return cast("Listener", self.server).owner

    def do_HEAD(self) -> None:  # the base class finds methods by the verb
        """Answer the question whether anybody is there."""
        self._send(200, b"")

    def do_GET(self) -> None:
        """There is nothing to get."""
        self._fail(404, "a scripted model only answers POST /v1/messages")

    def do_POST(self) -> None:
        """Answer a request for a message, or for a count of tokens."""
        size = int(self.headers.get("content-length") or 0)
        if size > LARGEST:
            self._fail(413, "the request is too large")
            return
        body = self.rfile.read(size)
        try:
            request = json.loads(body)
        except ValueError:
            self._fail(400, "the request is not JSON")
            return
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self._send(200, json.dumps({"input_tokens": size // 4}).encode())
        elif path == "/v1/messages" and isinstance(request, dict):
            self.owner.keep(request)
            self._play(request, size)
        else:
            self._fail(404, f"a scripted model does not know {path}")

    def _play(self, request: Mapping[str, Any], size: int) -> None:
        try:
            cued = cue(self.owner.script, request, cwd=self.owner.cwd)
        except Unexpected as unexpected:
            self._fail(400, str(unexpected))
            return
        turn = cued.turn
        time.sleep(turn.delay)
        if turn.error is not None and self.owner.is_due("error", cued.number, turn.error.times):
            self._fail(turn.error.status, turn.error.message, retry_after=turn.error.retry_after)
        elif turn.raw is not None:
            self._send(turn.raw.status, turn.raw.body.encode(), kind=turn.raw.content_type)
        elif request.get("stream"):
            self._stream(cued, events_of(cued, model=str(request.get("model")), request_size=size))
        else:
            message = message_of(cued, model=str(request.get("model")), request_size=size)
            self._send(200, json.dumps(message).encode())

    def _stream(self, cued: Cue, events: Iterable[Mapping[str, Any]]) -> None:
        turn = cued.turn
        cut = turn.cut if turn.cut and self.owner.is_due("cut", cued.number, turn.cut.times) else None
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("request-id", f"req_script_{cued.number + 1:03}")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for count, event in enumerate(events):
            if cut is not None and count >= cut.after:
                self.wfile.flush()
                self.close_connection = True
                return
            self._chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            if turn.pace:
                self.wfile.flush()
                time.sleep(turn.pace)
        self._chunk(b"")
        self.wfile.flush()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _fail(self, status: int, message: str, *, retry_after: float | None = None) -> None:
        error = {"type": ERRORS.get(status, "api_error"), "message": message}
        headers = {} if retry_after is None else {"retry-after-ms": str(int(retry_after * 1000))}
        self._send(status, json.dumps({"type": "error", "error": error}).encode(), headers=headers)

    def _send(
        self, status: int, body: bytes, *, kind: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
