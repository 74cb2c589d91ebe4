"""A world for a sandbox to ask: an HTTP and an HTTPS server on this machine, under names that exist nowhere else."""

import http.server
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.choice import Network
from sandbox.egress.authority import Authority

HOST = "registry.example"
LARGE = 8 * 1024 * 1024


@dataclass
class World:
    """`asked` are the requests that arrived: method, `Host`, path, body."""

    secret: int
    plain: int
    authority: Path
    asked: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)

    def network(self, **more: tuple[str, ...]) -> Network:
        """What lets a sandbox read from it."""
        lists = {"allowed": (f"{HOST}:{self.secret}", f"{HOST}:{self.plain}"), "addresses": ("127.0.0.0/8",)}
        return Network(**{**lists, **more})


async def answer_of_a_resolver(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
    """The same, as the library asks for it."""
    return [(2, 1, 6, "", (address, port)) for address in await nearby(host, port)]


async def nearby(host: str, _port: int) -> Sequence[str]:
    """Every name leads to this machine."""
    del host
    return ["127.0.0.1"]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Both servers, as long as the block runs."""
    authority = Authority()
    path = folder / "authority.pem"
    path.write_text(authority.certificate)
    with _serving(None) as plain, _serving(authority.context(HOST)) as secret:
        found = World(secret.server_port, plain.server_port, path)
        plain.world = secret.world = found
        yield found


class _Server(http.server.ThreadingHTTPServer):
    world: World
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away, or a greeting that failed."""


@contextmanager
def _serving(context: ssl.SSLContext | None) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    if context is not None:
        context.sni_callback = None  # it shows its certificate to whoever asks
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.world.asked.append((self.command, self.headers.get("host", ""), self.path, body))
        self.server.world.heads.append({name.lower(): value for name, value in self.headers.items()})
        match self.path:
            case "/large":
                answer = bytes(LARGE)
            case "/moved":
                self.send_response(302)
                self.send_header("Location", "https://evil.example/stolen")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            case "/pieces":
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in (b"one", b"two"):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
                return
            case "/last":
                answer = b"the last\n"
                self.close_connection = True  # without saying so
            case "/broken":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"half")
                self.close_connection = True
                return
            case _:
                answer = b"hello\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "keep-alive")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names the library calls

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
