"""One commit of approved files: made beside the repository before anything is applied, and put into it afterwards.

Everything that can be refused is refused first. The commit is built from the approved bytes and from HEAD, in a
repository of ours; the work tree is never read, the user's index is only compared with HEAD. When the files have been
applied, the objects go over, HEAD moves if it still is where it was, and the index learns of these paths alone.
No hook runs: the approved bytes may just have changed what one would start.
"""

import functools
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.changes import Change, Directory, File, Link, Node
from sandbox.commits.attributes import attributes, conversion, converts_line_ends
from sandbox.commits.hostgit import Git
from sandbox.commits.identity import Committer
from sandbox.commits.index import Entry, Index, read_index, update
from sandbox.commits.quarantine import Quarantine
from sandbox.commits.repository import Repository
from sandbox.commits.standing import require_one_spelling, require_ready, require_unstaged
from sandbox.errors import CommitRefused
from sandbox.gate.blobs import Blobs

BY_HAND = "apply without --commit, and commit by hand"


@dataclass(frozen=True)
class Prepared:
    """A commit that nothing names yet, its objects already in the repository.

    `head` is the commit it follows; None if it is the first. `mixed` are the paths of which the commit also has edits
    that the user had made and not committed.
    """

    id: str
    head: str | None
    subject: str
    rows: Mapping[bytes, Entry | None]
    mixed: tuple[bytes, ...]


def clean_message(parts: Sequence[str]) -> str:
    """The paragraphs of a message as git keeps them. Raises CommitRefused for an empty one."""
    lines = [line.rstrip() for line in "\n\n".join(parts).split("\n")]
    kept = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    message = "\n".join(kept).strip("\n")
    if not message:
        raise CommitRefused("a commit needs a message: -m says what it is about")
    return f"{message}\n"


def prepare(
    quarantined: Quarantine, changes: Sequence[Change], message: str, *, by: Committer, blobs: Blobs
) -> Prepared:
    """Make the commit, and give its objects to the repository. Raises CommitRefused with what is in the way.

    Then, and until `finish`, no reference, no index and no file has changed.
    """
    repository = quarantined.repository
    require_ready(repository, changes)
    head = repository.head()
    ours = replace(quarantined.git, variables={"GIT_INDEX_FILE": str(quarantined.folder / "index")})
    ours.read("read-tree", head or "--empty")
    before = read_index(ours)
    rows = _rows(ours, changes, before, blobs)
    staged = read_index(repository.on_tree())
    require_unstaged(rows, before, staged)
    require_one_spelling(repository, rows, staged)
    update(ours, rows, repository.nothing)
    _require_plain(changes, blobs, [(_as_user(by, repository), ()), (ours, ("--cached",))])
    tree = ours.line("write-tree", "--missing-ok")
    if head and tree == ours.line("rev-parse", f"{head}^{{tree}}"):
        raise CommitRefused("HEAD has these files as they are: there is nothing to commit")
    made = _commit(quarantined, tree, head, message, by)
    quarantined.hand_over(made, [head] if head else [])
    return Prepared(made, head, message.partition("\n")[0], rows, _mixed(ours, changes, before, blobs))


def finish(quarantined: Quarantine, prepared: Prepared, by: Committer) -> None:
    """Let HEAD name a prepared commit, now that its files are applied, and the index know of them.

    Raises CommitRefused if HEAD or the index have moved meanwhile: then no commit is made.
    """
    repository = quarantined.repository
    ours = replace(quarantined.git, variables={"GIT_INDEX_FILE": str(quarantined.folder / "head")})
    ours.read("read-tree", prepared.head or "--empty")
    require_unstaged(prepared.rows, read_index(ours), read_index(repository.on_tree()))
    kind = "commit" if prepared.head else "commit (initial)"
    moved = by.git.ask(
        "update-ref", "-m", f"{kind}: {prepared.subject}", "HEAD", prepared.id, prepared.head or repository.nothing
    )
    if moved.code != 0:
        raise CommitRefused(f"HEAD could not be moved: {moved.told}")
    try:
        update(repository.on_tree(), prepared.rows, repository.nothing)
    except CommitRefused as error:
        raise CommitRefused(f"the commit is made, but `git reset` has to be run on its files ({error})") from error


def _rows(ours: Git, changes: Sequence[Change], before: Index, blobs: Blobs) -> Mapping[bytes, Entry | None]:
    """What the changes make of index entries; the contents are put into our own objects on the way."""
    rows: dict[bytes, Entry | None] = {}
    written = _write(ours, [change.after for change in changes], blobs)
    for change in changes:
        match change.before:
            case Directory() if not isinstance(change.after, Directory):
                rows |= dict.fromkeys(before.below(change.path))
            case File() | Link() if change.path in before.entries:
                rows[change.path] = None
            case _:
                pass
        match change.after:
            case File(digest, _, executable):
                rows[change.path] = Entry(b"100755" if executable else b"100644", written[digest])
            case Link(target):
                rows[change.path] = Entry(b"120000", written[_link_digest(target)])
            case _:
                pass
    if not rows:
        raise CommitRefused("git keeps nothing of these changes (empty folders, or files it does not have): " + BY_HAND)
    return rows


def _write(ours: Git, nodes: Iterable[Node | None], blobs: Blobs) -> Mapping[str, bytes]:
    """Write contents as objects, byte for byte; the objects' names by digest."""
    digests: dict[str, None] = {}
    for node in nodes:
        match node:
            case File(digest):
                blobs.open(digest).close()  # verified: git reads what was approved
                digests[digest] = None
            case Link(target):
                digests[blobs.put(target).digest] = None
            case _:
                pass
    paths = b"".join(os.fsencode(blobs.folder / digest) + b"\n" for digest in digests)
    names = ours.read("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=paths).split()
    return dict(zip(digests, names, strict=True))


def _mixed(ours: Git, changes: Sequence[Change], head: Index, blobs: Blobs) -> tuple[bytes, ...]:
    """Which of the files had edits of the user's own, as far as their content before is still in the store."""
    files = [
        (change.path, change.before)
        for change in changes
        if isinstance(change.before, File) and change.path in head.entries and blobs.holds(change.before)
    ]
    written = _write(ours, [file for _, file in files], blobs)
    return tuple(path for path, file in files if head.entries[path].object_id != written[file.digest])


def _link_digest(target: bytes) -> str:
    return hashlib.sha256(target).hexdigest()


def _require_plain(changes: Sequence[Change], blobs: Blobs, sources: Sequence[tuple[Git, tuple[str, ...]]]) -> None:
    """Raise CommitRefused where git would change bytes on their way in: by what is in the tree now, or will be."""
    files = {change.path: change.after.digest for change in changes if isinstance(change.after, File)}
    by_default = converts_line_ends(sources[0][0])
    for git, options in sources:
        said = attributes(git, list(files), *options)
        for path, digest in files.items():
            problem = conversion(path, said[path], functools.partial(blobs.read, digest), by_default=by_default)
            if problem is not None:
                raise CommitRefused(f"{problem}, which paddock leaves to git: {BY_HAND}")


def _as_user(by: Committer, repository: Repository) -> Git:
    return replace(by.git, variables={"GIT_WORK_TREE": str(repository.checkout)})


def _commit(quarantined: Quarantine, tree: str, head: str | None, message: str, by: Committer) -> str:
    """The commit object, in our own objects; signed if the user's settings ask for that."""
    git = replace(by.git, variables={"GIT_OBJECT_DIRECTORY": str(quarantined.folder / "objects")})
    words = [*(["-S"] if by.signs else []), *(["-p", head] if head else [])]
    answer = git.ask("commit-tree", *words, "-F", "-", tree, stdin=message.encode("utf-8", "surrogateescape"))
    if answer.code != 0:
        what = "signed" if by.signs else "made"
        raise CommitRefused(f"the commit could not be {what}: {answer.told}")
    return answer.output.decode("ascii").strip()
