"""What is shown in one place: a change; or a deletion and an addition that are probably one file under another name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cli.screen import safe
from sandbox.changes import Change, Directory
from sandbox.gate import effects

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs


@dataclass(frozen=True)
class Item:
    """`change` as it is drawn: of a rename, from the old content to the new one. `parts` are what would be applied.

    `remarks` are what deserves a second look, in a few words each, gravest first.
    """

    change: Change
    parts: tuple[Change, ...]
    remarks: tuple[str, ...] = ()
    before_path: bytes = b""
    similarity: int = 0

    @property
    def is_rename(self) -> bool:
        """Whether two changes are drawn as one."""
        return len(self.parts) > 1

    @property
    def name(self) -> str:
        """The path, safe to show: a folder's ends in a slash, a rename's has the old one before it."""
        node = self.change.after if self.change.after is not None else self.change.before
        name = f"{_shown(self.change.path)}{'/' if isinstance(node, Directory) else ''}"
        return f"{_shown(self.before_path)} → {name} ({self.similarity} %)" if self.is_rename else name


def _shown(path: bytes) -> str:
    """A path in one piece: in quotes where its blanks or arrows could pass for what stands around it."""
    text = safe.path(path)
    is_plain = "  " not in text and "→" not in text and text == text.strip()
    return text if is_plain else f"“{text}”"


_SAID = "deletes"  # a remark that the row of a rename makes anyway

Warn = Callable[[Change], tuple[str, ...]]


def item_of(change: Change, warn: Warn = effects.warnings) -> Item:
    """One change by itself."""
    return Item(change, (change,), warn(change))


def items(changes: Sequence[Change], blobs: "Blobs", warn: Warn = effects.warnings) -> list[Item]:
    """All changes, each in exactly one item, in their order; a rename stands where its new name does."""
    from sandbox.gate.renames import renames

    by_path = {change.path: change for change in changes}
    renamed = {one.after_path: one for one in renames(changes, blobs)}
    gone = {one.before_path for one in renamed.values()}
    found: list[Item] = []
    for change in changes:
        rename = renamed.get(change.path)
        if rename is not None:
            old = by_path[rename.before_path]
            drawn = replace(change, before=old.before, moved=change.moved or old.moved)
            remarks = tuple(dict.fromkeys(one for part in (old, change) for one in warn(part) if one != _SAID))
            found.append(Item(drawn, (old, change), remarks, rename.before_path, rename.similarity))
        elif change.path not in gone:
            found.append(item_of(change, warn))
    return found
