"""What a change would do beyond its own bytes: judged by names and facts, never by what the model says.

An effect is a reason to ask about one change by itself: no blanket allow covers it. A remark is a fact for the screen.
"""

import posixpath
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sandbox.changes import Change, Directory, File, Link
from sandbox.escape import escape
from sandbox.gate.effect_names import PAIRED, TELLING, of_folder, of_name, of_pair, of_pairs_in
from sandbox.gate.folders import above
from sandbox.gate.names import folded
from sandbox.gate.secrets import secret_in
from sandbox.hiding.names import reason_of

BIG: Final = 1024 * 1024  # bytes
MANY: Final = 50
"""So many deleted files are more than a list that somebody reads: a refactoring seldom deletes more at once."""
SHARE: Final = 4
"""One in so many files of the tree: an emptied small project never reaches `MANY`."""
FEW: Final = 10
"""Up to so many deletions are a list that somebody reads, whatever share of a tiny tree they are."""
LOOKED_AT: Final = 1024 * 1024
"""Bytes of a file that are searched for secrets: a longer one is data, and searching has to stay cheap."""


class Effect(StrEnum):
    """What about a change needs its own yes; the values are what people read. Gravest first."""

    RUNS_LATER = "runs later"
    AGENT_CONFIG = "agent configuration"
    SECRETS = "secrets"
    NEW_EXECUTABLE = "new executable"
    NOT_IN_GIT = "not in git"


@dataclass(frozen=True)
class Marked:
    """One effect of one change. `reason` completes "this change needs its own yes: …" and holds none of its bytes."""

    effect: Effect
    reason: str


@dataclass(frozen=True)
class MassDeletion:
    """A set of changes deletes so much that its number has to be confirmed: `files` of the `tree` there were."""

    files: int
    tree: int
    reason: str


Read = Callable[[File, int], bytes]
"""The first so many bytes of a file's content."""


@dataclass(frozen=True)
class Host:
    """What of the host an effect depends on. `commands`: the names that a shell finds. `tracked`: the paths that git
    has; None where there is no git, so that nothing can be said. `aliases`: the checkout's links, by the path that each
    leads to (see `other_names`). `secrets`: values that the sandbox should not know, each with the path that holds it.
    """

    commands: Container[bytes] = frozenset()
    tracked: Container[bytes] | None = None
    aliases: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    secrets: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)


NOWHERE: Final = Host()


def effects(change: Change, read: Read | None = None, host: Host = NOWHERE) -> tuple[Marked, ...]:
    """The effects of one change, gravest first; none for an ordinary edit. Without `read` only names and facts count.

    Deleting or changing such a file counts like making it. Raises what `read` raises.
    """
    found = [Marked(Effect(name), reason) for name, reason in of_path(change.path)]
    if isinstance(change.after, Link):
        found += [
            Marked(Effect(name), f"it is a link to such a file: {reason}")
            for name, reason in of_path(_aim(change.path, change.after.target))
        ]
        found += _by_what_it_holds(change.path)
    found += _by_other_names(change.path, host.aliases) if host.aliases else ()
    found += (*leaks(change, read, host.secrets), *_by_content(change, read)) if read is not None else ()
    if _is_program(change):
        found.append(Marked(Effect.NEW_EXECUTABLE, "it can be run as a program, and could not before"))
    if _is_command(change, host):
        found.append(Marked(Effect.NEW_EXECUTABLE, "it has the name of a command, and typed here it may run instead"))
    if _is_untracked(change, host):
        found.append(Marked(Effect.NOT_IN_GIT, "git's index does not name this file, so git cannot bring it back"))
    return merged(found) if found else ()


def merged(marks: Iterable[Marked]) -> tuple[Marked, ...]:
    """Of every effect the first, gravest first."""
    first: dict[Effect, Marked] = {}
    for mark in marks:
        first.setdefault(mark.effect, mark)
    return tuple(first[effect] for effect in Effect if effect in first)


def of_path(path: bytes) -> tuple[tuple[str, str], ...]:
    """The effects that a path has by its names alone, as (name of the effect, reason)."""
    parts = [folded(part) for part in path.split(b"/")]
    found = list(of_name(parts[-1]))
    if not TELLING.isdisjoint(parts):
        for part in parts:
            found += of_folder(part)
    if not PAIRED.isdisjoint(parts):
        for place in range(1, len(parts)):
            found += of_pair(parts[place - 1], parts[place], is_last=place == len(parts) - 1)
    if reason := reason_of(parts):
        found.append((Effect.SECRETS.value, reason))
    return tuple(found)


def remarks(change: Change) -> tuple[str, ...]:
    """Short facts for the screen, apart from effects; none for an ordinary edit."""
    found: list[str] = []
    if change.settles is not None:
        found.append("holds your edits too")
    elif change.moved:
        found.append("yours is hidden from the sandbox" if change.unseen else "you changed this file too")
    if change.after is None:
        found.append("deletes")
    match change.after:
        case Link():
            found.append("link")
        case File(size=size) if size > BIG:
            found.append("big")
        case _:
            pass
    if change.kind == "type":
        found.append("changes its type")
    return tuple(found)


def warnings(change: Change, marks: Collection[Marked] | None = None) -> tuple[str, ...]:
    """What deserves a second look, in a few words: the names of the effects (`marks`; None: those by name), remarks."""
    found = effects(change) if marks is None else marks
    return (*(mark.effect.value for mark in found), *remarks(change))


def loses_content(change: Change) -> bool:
    """Whether a file or a link is gone after the change: deleted, emptied, or replaced by another kind of thing."""
    match change.before, change.after:
        case File(size=size), File(size=0):
            return size > 0
        case ((File() | Link()), None):
            return True
        case File(), (Link() | Directory()):
            return True
        case _:
            return False


def deletions(changes: Iterable[Change]) -> int:
    """How many files a set of changes makes away with. Folders do not count: they go with what is in them."""
    return sum(loses_content(change) for change in changes)


def mass_deletion(changes: Collection[Change], tree: int = 0, *, already: int = 0) -> MassDeletion | None:
    """Whether these changes together delete so much that somebody has to confirm the number.

    `tree`: how many files there are before, 0 if that is not known. `already`: so many were deleted before these, with
    nobody looking.
    """
    files = deletions(changes)
    total = files + already if files else 0
    are_all_gone = all(change.after is None for change in changes if loses_content(change))
    verb = "deletes" if are_all_gone else "deletes or empties"
    if total > MANY:
        return MassDeletion(files, tree, f"{verb} {total:,} files, more than {MANY}")
    if total > FEW and total * SHARE > tree > 0:
        return MassDeletion(files, tree, f"{verb} {total:,} of {tree:,} files, more than one in {SHARE}")
    return None


def other_names(path: bytes, aliases: Mapping[bytes, tuple[bytes, ...]]) -> Iterable[bytes]:
    """The paths under which links of the checkout lead to this one, or to a folder above it."""
    for real in (path, *above(path)):
        for link in aliases.get(real, ()):
            yield link + path[len(real) :]
    for link in aliases.get(b"", ()):
        yield link + b"/" + path


def _by_other_names(path: bytes, aliases: Mapping[bytes, tuple[bytes, ...]]) -> Iterable[Marked]:
    for other in other_names(path, aliases):
        for name, reason in of_path(other):
            yield Marked(Effect(name), f"a link in the checkout leads to it under such a name: {reason}")


def _by_what_it_holds(path: bytes) -> Iterable[Marked]:
    """What a link stands for whose name tells nothing yet, and whose files do: `.github`, `node_modules`."""
    for name, reason in of_pairs_in(folded(path.rpartition(b"/")[2])):
        yield Marked(Effect(name), f"it is a link in place of a folder with such files: {reason}")


def _by_content(change: Change, read: Read) -> Iterable[Marked]:
    if not isinstance(change.after, File):
        return
    before, after = change.before, change.after
    if isinstance(before, File) and before.digest == after.digest:
        return
    text = read(after, LOOKED_AT)
    if before is None and text.startswith(b"#!"):
        yield Marked(Effect.NEW_EXECUTABLE, "it is a new file that begins with #!, so it is meant to be run")
    secret = secret_in(text, lambda: read(before, LOOKED_AT) if isinstance(before, File) else b"")
    if secret:
        yield Marked(Effect.SECRETS, secret)


def leaks(change: Change, read: Read, secrets: Mapping[bytes, bytes]) -> tuple[Marked, ...]:
    """Whether a change brings one of these values to where it was not. Raises what `read` raises."""
    after, before = change.after, change.before
    if not secrets or not isinstance(after, File) or (isinstance(before, File) and before.digest == after.digest):
        return ()
    text = read(after, LOOKED_AT)
    present = [value for value in secrets if value in text]
    old = read(before, LOOKED_AT) if present and isinstance(before, File) else b""
    held = sorted({secrets[value] for value in present if text.count(value) > old.count(value)} - {change.path})
    return (Marked(Effect.SECRETS, f"it adds a secret that {escape(held[0])} holds"),) if held else ()


def _is_program(change: Change) -> bool:
    was = isinstance(change.before, File) and change.before.executable
    return isinstance(change.after, File) and change.after.executable and not was


def _is_command(change: Change, host: Host) -> bool:
    return isinstance(change.after, File | Link) and b"/" not in change.path and change.path in host.commands


def _is_untracked(change: Change, host: Host) -> bool:
    if change.ignored or host.tracked is None or not loses_content(change):
        return False
    return change.path not in host.tracked


def _aim(path: bytes, target: bytes) -> bytes:
    """Where a link points, as a path of the checkout."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
