"""One end of an HTTP/1.1 connection over a byte stream (RFC 9112, by h11): events in, events out."""

import contextlib
import re
from collections.abc import Iterable, Iterator

import anyio
import anyio.abc
import h11

LARGEST_HEAD = 64 * 1024
STALL_SECONDS = 300.0  # in which the other side says nothing, or takes nothing
BETWEEN_HOPS = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer upgrade".split()
)
"""What one hop says to the next, and is not passed on (RFC 9110, 7.6.1); how a body is framed, each hop says itself."""

_OTHER_METHODS = frozenset((b"x-http-method-override", b"x-http-method", b"x-method-override"))
"""By these headers some servers take a request for one with the method that they name (a habit, no standard)."""

_NEITHER_LETTER_NOR_DIGIT = re.compile(rb"[^a-z0-9]")
"""In a header's name: to a program behind CGI or WSGI they are all the same, as some servers hand them over."""


class Talk:
    """`role` is whom we are: `h11.SERVER` to the sandbox, `h11.CLIENT` to the host that is asked."""

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER], stream: anyio.abc.ByteStream) -> None:
        self.stream = stream
        self.state = h11.Connection(role, max_incomplete_event_size=LARGEST_HEAD)

    async def receive(self) -> h11.Event:
        """The next event. Raises h11.RemoteProtocolError, anyio.BrokenResourceError."""
        while True:
            event = self.state.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                raise anyio.BrokenResourceError  # it goes on with what nobody asked for
            if self.state.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            try:
                with _patience():
                    self.state.receive_data(await self.stream.receive())
            except anyio.EndOfStream:
                self.state.receive_data(b"")

    async def send(self, event: h11.Event) -> None:
        """Say it. Raises h11.LocalProtocolError if it is not its turn, anyio.BrokenResourceError."""
        data = self.state.send(event)
        if data:
            with _patience():
                await self.stream.send(data)

    def goes_on(self) -> bool:
        """Whether another request can follow the one that is over; then the connection is ready for it."""
        if self.state.our_state is not h11.DONE or self.state.their_state is not h11.DONE:
            return False
        self.state.start_next_cycle()
        return True

    @property
    def can_answer(self) -> bool:
        """Whether a response is still owed."""
        return self.state.our_state in (h11.IDLE, h11.SEND_RESPONSE)


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Raises anyio.BrokenResourceError when it is at its end."""
    try:
        with anyio.fail_after(STALL_SECONDS):
            yield
    except TimeoutError as error:
        raise anyio.BrokenResourceError from error


def passed_on(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that are for the other end, and not for the next hop.

    Of two that say where a body ends only one goes on, or the next hop may heed the other (RFC 9112, 6.3).
    """
    found = list(headers)
    named = {word.strip().lower() for name, value in found if name == b"connection" for word in value.split(b",")}
    if any(name == b"transfer-encoding" for name, _ in found):
        named.add(b"content-length")
    return [(name, value) for name, value in found if name not in BETWEEN_HOPS and name not in named - {b"host"}]


def tells(request: h11.Request) -> bool:
    """Whether a request may tell the other end something whatever its method: by a body, or by naming another one."""
    return any(
        _NEITHER_LETTER_NOR_DIGIT.sub(b"-", name) in _OTHER_METHODS
        or name == b"transfer-encoding"
        or (name == b"content-length" and value.strip(b"0"))
        for name, value in request.headers
    )
