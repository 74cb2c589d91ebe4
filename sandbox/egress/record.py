"""What left a sandbox, or was to: every request, decided and done, as a line of the session's `network.jsonl`."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import pydantic

from sandbox.egress.rules import Why
from sandbox.errors import SandboxError
from sandbox.escape import escape
from sandbox.gate.lines import append_line
from sandbox.sessions import Session

HOW: Mapping[Why, str] = {
    "unlisted": "it is on no list; `--allow {host}` or sandbox.network.allowedDomains lets it be read from",
    "unwanted": "you said no",
    "denied": "it is on the list of those denied",
    "method": "it may be read from only (GET, HEAD); sandbox.network.writableDomains lets it be told more",
    "address": "its name leads to no public address; sandbox.network.allowedAddresses may list a private one",
    "name": "only hosts are reached, by their names, and never addresses",
    "protocol": "only HTTP goes out, and only to the host that was asked for",
    "full": "the log of this session cannot take more, and nothing goes out unlogged",
}
"""Why each refusal, and what a user can do."""

LARGEST_FILE = 64 * 1024 * 1024
LONGEST = 2000  # characters of a path that are kept


class Exchange(pydantic.BaseModel):
    """One request. `path` is without its query, where secrets travel; `status` is 0 if nobody answered, and then
    `failed` says why. `sent` and `received` are bytes of bodies. `during`: the calls that ran meanwhile, one of which
    asked. All words are the sandbox's own, or a server's.
    """

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    at: datetime
    host: str
    port: int
    method: str
    path: str = ""
    refused: Why | None = None
    status: int = 0
    sent: int = 0
    received: int = 0
    failed: str = ""
    during: tuple[str, ...] = ()

    @property
    def refusal(self) -> str:
        """The sentence for a person and for the model; empty if it was not refused."""
        if self.refused is None:
            return ""
        what = f"{shown(self.method)} {shown(self.host)}{f':{self.port}' if self.port else ''}"
        return f"network: {what} refused: {HOW[self.refused].format(host=shown(self.host))}"


class Record:
    """The log of a session, written by the process that holds it."""

    def __init__(self, session: Session) -> None:
        self._path = session.path / "network.jsonl"
        self._has_failed = False

    def add(self, exchange: Exchange) -> None:
        """Put one down. Raises OutOfSpace, StateError; then no more is put down."""
        try:
            append_line(self._path, exchange.model_dump_json(exclude_defaults=True).encode(), wait=False)
        except SandboxError:
            self._has_failed = True
            raise

    @property
    def is_full(self) -> bool:
        """Whether no more is put down."""
        if self._has_failed:
            return True
        try:
            return self._path.stat().st_size > LARGEST_FILE
        except OSError:
            return False  # there is none yet; if it is something else, `add` says so

    def all(self) -> Iterator[Exchange]:
        """Every request, the oldest first; a line that is damaged is left out."""
        try:
            lines = self._path.read_bytes().split(b"\n")[:-1]
        except OSError:
            return
        for line in lines:
            try:
                yield Exchange.model_validate_json(line)
            except pydantic.ValidationError:
                continue


def shown(text: str) -> str:
    """Somebody else's words on one line, harmless and short."""
    safe = escape(text)
    return safe if len(safe) <= 120 else f"{safe[:119]}…"


def kept_path(target: str) -> str:
    """A request's path as the log has it: without a query, and no longer than anybody reads."""
    return target.partition("?")[0].partition("#")[0][:LONGEST]
