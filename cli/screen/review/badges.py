"""Badges: what deserves a second look about a change, in one or two words that need no colour to be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.changes import Change, Link
from sandbox.gate.effects import Effect, Marked


@dataclass(frozen=True)
class Badge:
    """A word, its colour (a name of `palette`), and the sentence behind it, which is not escaped yet."""

    word: str
    colour: str
    reason: str


WORDS: Final = {
    Effect.RUNS_LATER: ("RUNS LATER", "red"),
    Effect.AGENT_CONFIG: ("AGENT", "purple"),
    Effect.SECRETS: ("SECRET", "orange"),
    Effect.NEW_EXECUTABLE: ("EXEC", "orange"),
    Effect.NOT_IN_GIT: ("NOT IN GIT", "orange"),
}


def badges(
    change: Change, marks: Sequence[Marked], *, denied: str = "", asks: str = "", is_renamed: bool = False
) -> tuple[Badge, ...]:
    """All of them, the gravest first; none for an ordinary edit.

    `denied` and `asks` are what a rule says that forbids the change or wants it to be asked about. The old name of a
    renamed file (`is_renamed`) is no mere deletion.
    """
    found: list[Badge] = []
    if denied:
        found.append(Badge("DENIED", "red", denied))
    if change.moved:
        found.append(Badge("CONFLICT", "red", "you changed this file too, and the two do not fit together"))
    found += [Badge(*WORDS[mark.effect], mark.reason) for mark in marks]
    if asks:
        found.append(Badge("RULE", "yellow", asks))
    if change.settles is not None and not change.moved:
        found.append(Badge("MERGED", "blue", "your own edits of this file and the sandbox's are both in it"))
    if change.after is None and not is_renamed:
        found.append(Badge("DELETE", "red", "it is deleted from the checkout"))
    if change.kind == "type":
        found.append(Badge("TYPE", "yellow", "it becomes another kind of thing: file, link or folder"))
    elif isinstance(change.after, Link):
        found.append(Badge("LINK", "yellow", "it is a symbolic link"))
    return tuple(found)
