"""What commits hold: read on the host from the objects themselves, and turned into changes like any other.

Every commit is held against its own parents, not only the last against the first: what one commit adds and the next
takes away again is in the history all the same, and whoever checks that commit out has it. Of a merge, only what is in
none of its parents is its own. And all of them together are held against the user's commit that they stand on.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sandbox.changes import Change, File, Link, Node
from sandbox.commits.objects import Objects
from sandbox.commits.quarantine import Quarantine
from sandbox.errors import CommitRefused
from sandbox.escape import escape
from sandbox.gate.blobs import Blobs
from sandbox.gate.names import link_problem, path_problem

MOST_COMMITS = 5_000
LISTING = 1024**3
"""Bytes of memory to list what commits touch: nine small trees can describe a billion files."""

_PERSON = re.compile(rb"(?P<name>.*) (?P<seconds>-?[0-9]{1,18}) [-+][0-9]{4}")
_ABSENT, _LINK, _EXECUTABLE, _SUBMODULE = b"000000", b"120000", b"100755", b"160000"


@dataclass(frozen=True)
class Commit:
    """One commit as its object says; the text in it is the agent's."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: bytes
    at: datetime | None
    subject: bytes


@dataclass(frozen=True)
class Brought:
    """Commits that want to leave, oldest first, and what they do to files.

    `changes` is what any of them does, and all of them together: there may be several of one path. `lasting` is what
    becomes of files in the end, by path. `submodules` are the paths at which another repository's commit is named.
    """

    tip: str
    commits: tuple[Commit, ...]
    changes: tuple[Change, ...]
    lasting: tuple[Change, ...]
    submodules: frozenset[bytes]

    @property
    def passing(self) -> tuple[bytes, ...]:
        """The paths that end as they began: what was there in between is in the history all the same."""
        return tuple(sorted({change.path for change in self.changes} - {change.path for change in self.lasting}))


@dataclass(frozen=True)
class _Touch:
    path: bytes
    before: tuple[bytes, str]  # mode, object
    after: tuple[bytes, str]


def look(quarantined: Quarantine, tip: str, known: Sequence[str], blobs: Blobs) -> Brought:
    """The commits that `tip` has beyond the commits `known`; their contents go into the session's store.

    Raises CommitRefused if they hold what may never leave a sandbox, or more than can be looked at.
    """
    objects = Objects(quarantined.git, blobs)
    commits = tuple(_commits(quarantined, objects, tip, known))
    base = _base(quarantined, commits, tip)
    trees = _trees(objects, commits, base)
    steps = list(_steps(quarantined, trees, commits))
    whole = (trees[base], trees[tip])
    ends = _differences(quarantined, [whole])[whole]
    touches = list(dict.fromkeys([*steps, *ends]))
    _refuse_hostile(touches, objects)
    files = objects.keep([side for touch in touches for side in _contents(touch)])
    changes = {
        touch: Change(touch.path, _node(touch.before, files, objects), _node(touch.after, files, objects))
        for touch in touches
    }
    submodules = frozenset(touch.path for touch in touches if _SUBMODULE in (touch.before[0], touch.after[0]))
    return Brought(tip, commits, tuple(changes.values()), tuple(changes[touch] for touch in ends), submodules)


def _base(quarantined: Quarantine, commits: Sequence[Commit], tip: str) -> str:
    """The user's commit that all of it is held against; the empty name if it has nothing to do with any.

    Usually the commits stand on one. A merge stands on several: the user's HEAD counts if it is one of them, or else
    what it has in common with them. A merge that takes a file from an old commit, as it was, changes nothing against
    that one; against HEAD it takes back what came later.
    """
    there = {commit.id for commit in commits}
    outside = {parent for commit in commits for parent in commit.parents} - there
    head = quarantined.repository.head()
    if len(outside) <= 1 or head is None:
        return min(outside, default="")
    if head in outside:
        return head
    answer = quarantined.git.ask("merge-base", head, tip)
    return answer.output.decode("ascii").strip() if answer.code == 0 else ""


def _commits(quarantined: Quarantine, objects: Objects, tip: str, known: Sequence[str]) -> Iterator[Commit]:
    wanted = "".join(f"{line}\n" for line in (tip, *(f"^{commit}" for commit in sorted(set(known)))))
    argv = ("rev-list", "--topo-order", "--reverse", "--ignore-missing", f"--max-count={MOST_COMMITS + 1}", "--stdin")
    ids = quarantined.git.read(*argv, stdin=wanted.encode()).decode("ascii").split()
    if len(ids) > MOST_COMMITS:
        raise CommitRefused(f"the sandbox made more than {MOST_COMMITS:,} commits: nothing was taken over")
    for object_id, data in zip(ids, objects.read_all(ids), strict=True):
        yield _parsed(object_id, data)


def _parsed(object_id: str, data: bytes) -> Commit:
    """A commit from its own bytes: no mail map, no encoding, no setting of anybody takes part."""
    head, _, message = data.partition(b"\n\n")
    lines = head.split(b"\n")
    author, at = _person(next((line[7:] for line in lines if line.startswith(b"author ")), b""))
    subject = message.lstrip(b"\n").partition(b"\n")[0]
    parents = tuple(line[7:].decode("ascii") for line in lines if line.startswith(b"parent "))
    return Commit(object_id, lines[0].removeprefix(b"tree ").decode("ascii"), parents, author, at, subject)


def _person(text: bytes) -> tuple[bytes, datetime | None]:
    found = _PERSON.fullmatch(text)
    if found is None:
        return text, None
    try:
        return found["name"], datetime.fromtimestamp(int(found["seconds"]), UTC)
    except (ValueError, OverflowError, OSError):
        return found["name"], None


def _trees(objects: Objects, commits: Sequence[Commit], base: str) -> Mapping[str, str]:
    """The trees of commits, of their parents and of the base, by commit; the empty name has the empty tree."""
    found = {"": objects.empty_tree} | {commit.id: commit.tree for commit in commits}
    named = [base, *(parent for commit in commits for parent in commit.parents)]
    outside = [one for one in dict.fromkeys(named) if one not in found]
    texts = zip(outside, objects.read_all(outside), strict=True)
    return found | {commit: _parsed(commit, text).tree for commit, text in texts}


def _steps(quarantined: Quarantine, trees: Mapping[str, str], commits: Sequence[Commit]) -> Iterator[_Touch]:
    """What each commit changes, against its parent; of a merge, what it changes against all of them."""
    pairs = [[(trees[parent], commit.tree) for parent in commit.parents or ("",)] for commit in commits]
    listed = _differences(quarantined, list(dict.fromkeys(pair for sides in pairs for pair in sides)))
    for sides in pairs:
        own = set.intersection(*({touch.path for touch in listed[side]} for side in sides))
        yield from (touch for touch in listed[sides[0]] if touch.path in own)


def _differences(
    quarantined: Quarantine, pairs: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], Sequence[_Touch]]:
    asked = "".join(f"{before} {after}\n" for before, after in pairs)
    argv = ("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff")
    answer = replace(quarantined.git, memory=LISTING).ask(*argv, stdin=asked.encode())
    if answer.code != 0:
        raise CommitRefused(f"the commits touch more than can be listed, and stay in the sandbox ({answer.told})")
    data = answer.output
    found: dict[tuple[str, str], list[_Touch]] = {}
    current: list[_Touch] = []
    position = 0
    while position < len(data):
        if data[position : position + 1] != b":":
            end = data.index(b"\n", position)
            before, _, after = data[position:end].decode("ascii").partition(" ")
            current = found.setdefault((before, after), [])
            position = end + 1
            continue
        middle = data.index(b"\0", position)
        end = data.index(b"\0", middle + 1)
        modes_and_ids = data[position + 1 : middle].split(b" ")
        old_mode, new_mode = modes_and_ids[0], modes_and_ids[1]
        old, new = (text.decode("ascii") for text in modes_and_ids[2:4])
        current.append(_Touch(data[middle + 1 : end], (old_mode, old), (new_mode, new)))
        position = end + 1
    return found


def _refuse_hostile(touches: Sequence[_Touch], objects: Objects) -> None:
    """The gate's own rules on names and links hold in a commit as well; git's checks know fewer."""
    there = [touch for touch in touches if touch.after[0] != _ABSENT]
    read = [touch.after[1] for touch in there if touch.after[0] == _LINK or _is_submodule_list(touch)]
    texts = dict(zip(read, objects.read_all(read), strict=True))
    for touch in there:
        problem = path_problem(touch.path) or _text_problem(touch, texts.get(touch.after[1], b""))
        if problem is not None:
            raise CommitRefused(f"the commits stay in the sandbox, because {escape(touch.path)} {problem}")


def _text_problem(touch: _Touch, text: bytes) -> str | None:
    is_link = touch.after[0] == _LINK
    if _is_submodule_list(touch) and (is_link or b"\r" in text):  # CVE-2025-48384
        return "is a list of submodules that git may read as something else"
    return link_problem(touch.path, text) if is_link else None


def _is_submodule_list(touch: _Touch) -> bool:
    return touch.path.rpartition(b"/")[2].lower() == b".gitmodules" and touch.after[0] != _SUBMODULE


def _contents(touch: _Touch) -> Iterator[str]:
    yield from (object_id for mode, object_id in (touch.before, touch.after) if mode not in (_ABSENT, _SUBMODULE))


def _node(side: tuple[bytes, str], files: Mapping[str, File], objects: Objects) -> Node | None:
    mode, object_id = side
    if mode == _ABSENT:
        return None
    if mode == _SUBMODULE:
        return objects.blobs.put(f"Subproject commit {object_id}\n".encode())  # the way git itself shows one
    if mode == _LINK:
        return Link(objects.blobs.read(files[object_id].digest))
    return replace(files[object_id], executable=mode == _EXECUTABLE)
