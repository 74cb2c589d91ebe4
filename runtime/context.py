"""The instructions people keep for agents: CLAUDE.md and its kin, from the user's folder and along the way to the cwd.

They are read on the host, as text, and by directory descriptors only, because the checkout belongs to whoever wrote it:
no link is followed but one to a name in the same folder, and an import never leaves the folder tree it is in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runtime.instructions import Refused, Tree, imports_of, without_comments
from sandbox.hiding.names import is_secret_name

NAMES = ("CLAUDE.md", ".claude/CLAUDE.md", "CLAUDE.local.md")
FALLBACK = "AGENTS.md"
"""Read where a folder has none of the others."""
HOPS = 4
LARGE = 40_000
"""Characters from which on a file is worth a word: it is sent with every request."""

OPEN, CLOSE = "<project-instructions>", "</project-instructions>"


@dataclass
class Gathered:
    """The texts found, in the order they are told, and what the user should know about them."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def block(self) -> str:
        """All of them as one marked block of text, empty if there are none."""
        if not self.texts:
            return ""
        parts = [f"From {name}:\n\n{text.strip()}" for name, text in self.texts]
        body = "\n\n".join(parts).replace(CLOSE, "</project-instructions >")
        return f"{OPEN}\nThe user keeps these instructions for work on this project. Follow them.\n\n{body}\n{CLOSE}"


def gather(checkout: Path, cwd: PurePosixPath, user: Path | None) -> Gathered:
    """Every instruction file that applies in `cwd`: the user's own first, then from the checkout's root downwards."""
    gathered = Gathered()
    if user is not None:
        with Tree.opened(user) as tree:
            take(tree, "CLAUDE.md", gathered)
    with Tree.opened(checkout) as tree:
        for folder in folders(checkout, cwd):
            found = [take(tree, f"{folder}{name}", gathered) for name in NAMES]
            if not any(found):
                take(tree, f"{folder}{FALLBACK}", gathered)
    return gathered


def folders(checkout: Path, cwd: PurePosixPath) -> Iterator[str]:
    """The folders from the checkout's root to the cwd, as prefixes of relative paths."""
    yield ""
    parts = cwd.parts[len(checkout.parts) :] if cwd.is_relative_to(checkout) else ()
    for depth in range(1, len(parts) + 1):
        yield "/".join(parts[:depth]) + "/"


def take(tree: Tree, name: str, gathered: Gathered, trail: Sequence[str] = ()) -> bool:
    """Add one file and, before it, what it imports; `trail` is who imported it. Whether there is such a file."""
    shown = f"{tree.path}/{name}"
    try:
        text = tree.read(name)
    except Refused as refused:
        gathered.notices.append(f"{shown} was not read: {refused}")
        return True
    if text is None:
        return False
    if any(shown == known for known, _ in gathered.texts):
        return True
    text = without_comments(text)
    if len(text) > LARGE:
        gathered.notices.append(f"{shown} is long ({len(text)} characters): every request carries it")
    for wanted in imports_of(text):
        take_import(tree, wanted, gathered, (*trail, name))
    if text.strip():
        gathered.texts.append((shown, text))
    return True


def take_import(tree: Tree, wanted: str, gathered: Gathered, trail: Sequence[str]) -> None:
    """Add a file that the last of the trail imports; what does not exist is no import but a word after an @."""
    importer = trail[-1]
    inside = tree.resolve(importer, wanted)
    if inside is None:
        gathered.notices.append(f"{tree.path}/{importer} imports {wanted}, which is outside: it was not read")
    elif inside in trail:
        return
    elif is_secret_name(inside):
        gathered.notices.append(f"{tree.path}/{importer} imports {wanted}, where secrets are kept: it was not read")
    elif len(trail) > HOPS:
        gathered.notices.append(
            f"{tree.path}/{importer} imports {wanted} more than {HOPS} levels deep: it was not read"
        )
    else:
        take(tree, inside, gathered, trail)
