"""An engine that is reached over TCP: the same calls, streams and ends as over its socket."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from sandbox.engine import Engine
from tests.farengines import is_like_any_other

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def address(engine: Engine) -> Iterator[str]:
    """The machine's engine at a port of the loopback."""
    path = engine.place.address.removeprefix("unix://")
    server = socket.create_server(("127.0.0.1", 0))
    made: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(path)
                made.extend((client, behind))
                for ends in ((client, behind), (behind, client)):
                    threading.Thread(target=carry, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    for one in (server, *made):
        one.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker-py leaves a socket open
async def test_a_session_over_tcp_is_like_any_other(address, session, engine):
    await is_like_any_other(address, session, engine)
