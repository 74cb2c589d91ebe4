"""How a workspace gets into its container: mounted by an engine that sees the host's folders, or carried over.

Nobody has to say which: an engine that cannot mount the overlay says so when the container starts, and from then on the
session is carried. A session that was carried once stays so, for its files may be on another machine.
"""

from typing import Literal

import pydantic

from sandbox.sessions import Session, read_record, write_record


class Placement(pydantic.BaseModel):
    """What is kept of it. `why` follows a colon."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    kind: Literal["mounted", "carried"] = "mounted"
    why: str = ""

    @property
    def sentence(self) -> str:
        """What a person is told, empty where there is nothing to tell."""
        return f"carried into a volume ({self.why})" if self.kind == "carried" else ""


def placement_of(session: Session) -> Placement:
    """How a session's workspace gets there, as far as is known by now. Raises StateError if the record is damaged."""
    path = session.path / "placement.json"
    if path.exists():
        return read_record(path, Placement)
    if session.meta().choice.base == "copy":
        return Placement(kind="carried", why="as asked")
    return Placement()


def carry(session: Session, why: str) -> Placement:
    """From now on it is carried."""
    found = Placement(kind="carried", why=why)
    write_record(session.path / "placement.json", found)
    return found
