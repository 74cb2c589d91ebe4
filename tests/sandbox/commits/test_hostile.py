"""Hostile bundles: each is refused with a sentence, and the user's repository is byte for byte what it was."""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.commits.bundle import ASKED
from sandbox.errors import CommitRefused
from tests.sandbox.commits.repositories import AUTHOR, bundle, files_of, git, shell
from tests.sandbox.commits.test_taking import bring

ZEROS = "0" * 40
PERSON = "Eve <e@x> 1 +0000"
KINDS = {"commit": 1, "tree": 2, "blob": 3}

Forge = Callable[[Path], str]


@contextmanager
def refused(repository: Path, why: str) -> Iterator[None]:
    """The body is refused for this reason, and nothing in the repository has changed."""
    before = files_of(repository)
    with pytest.raises(CommitRefused, match=why):
        yield
    assert files_of(repository) == before


def tree_of(inside: Path, *rows: tuple[str, str, str]) -> str:
    """A tree, written as it is: git's own checks of what it writes are left out."""
    data = b"".join(
        f"{mode} {name}".encode("utf-8", "surrogateescape") + b"\0" + bytes.fromhex(object_id)
        for mode, name, object_id in rows
    )
    return git(inside, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=data)


def commit_of(inside: Path, tree: str, *parents: str) -> str:
    """A commit on a tree."""
    lines = [f"tree {tree}", *(f"parent {one}" for one in parents), f"author {PERSON}", f"committer {PERSON}", "", "x"]
    text = "\n".join(lines).encode() + b"\n"
    return git(inside, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text)


def pack_of(*objects: tuple[str, bytes]) -> bytes:
    """A pack with these objects, whatever they are."""
    data = struct.pack(">4sII", b"PACK", 2, len(objects))
    for kind, content in objects:
        size = len(content)
        first = KINDS[kind] << 4 | size & 15
        size >>= 4
        while size:
            data += bytes([first | 0x80])
            first, size = size & 0x7F, size >> 7
        data += bytes([first]) + zlib.compress(content)
    return data + hashlib.sha1(data).digest()


def forged(path: Path, tip: str, pack: bytes, needs: Sequence[str] = ()) -> Path:
    """A bundle made by hand."""
    text = "# v2 git bundle\n" + "".join(f"-{one} x\n" for one in needs) + f"{tip} {ASKED}\n\n"
    path.write_bytes(text.encode() + pack)
    return path


def blob(inside: Path, text: str) -> str:
    return git(inside, "hash-object", "-w", "--stdin", stdin=text.encode())


NAMES = {
    ".git": "hasDotgit",
    ".GIT": "hasDotgit",
    ".g\u200cit": "hasDotgit",
    "git~1": "hasDotgit",
    ".git ": "hasDotgit|git's own data",
    ".git::$INDEX_ALLOCATION": "hasDotgit|git's own data",
    "..": "hasDotdot",
    "a/b": "fullPathname",
    "\uff0egit": "git's own data",
    ".paddock-txn.1": "journal",
}


@pytest.mark.parametrize("name", NAMES)
def test_s24_a_tree_with_git_in_any_spelling_stays(
    name: str, repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    sub = tree_of(inside, ("100644", "config", blob(inside, "[core]\n")))
    tip = commit_of(inside, tree_of(inside, ("40000", name, sub)), git(inside, "rev-parse", "HEAD"))
    git(inside, "update-ref", "--no-deref", "HEAD", tip)
    with refused(repository, NAMES[name]):
        bring(session, repository, bundle(inside, tmp_path / "b", repository))


def to_absolute(inside: Path) -> str:
    return tree_of(inside, ("120000", "link", blob(inside, "/etc/passwd")))


def to_above(inside: Path) -> str:
    return tree_of(inside, ("120000", "link", blob(inside, "../outside")))


def into_git(inside: Path) -> str:
    return tree_of(inside, ("120000", "link", blob(inside, ".git/hooks")))


def modules(text: str) -> Forge:
    return lambda inside: tree_of(inside, ("100644", ".gitmodules", blob(inside, text)))


def linked_modules(inside: Path) -> str:
    return tree_of(inside, ("120000", ".gitmodules", blob(inside, "x")))


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (to_absolute, "absolute path"),
        (to_above, "leaves the tree"),
        (into_git, "git's own data"),
        (linked_modules, "gitmodulesSymlink|submodules"),
        (modules('[submodule "../../x"]\n\tpath = x\n\turl = y\n'), "gitmodulesName"),
        (modules('[submodule "x"]\n\tpath = x\n\turl = -u./evil\n'), "gitmodulesUrl"),
        (modules('[submodule "x"]\n\tpath = -x\n\turl = y\n'), "gitmodulesPath"),
        (modules('[submodule "x"]\n\tupdate = !evil\n\tpath = x\n\turl = y\n'), "gitmodulesUpdate"),
        (modules('[submodule "x"]\n\tpath = "x\r"\n\turl = y\n'), "submodules"),
    ],
)
def test_s26_links_and_submodule_lists_that_reach_further_stay(
    forge: Forge, why: str, repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    tip = commit_of(inside, forge(inside), git(inside, "rev-parse", "HEAD"))
    git(inside, "update-ref", "--no-deref", "HEAD", tip)
    with refused(repository, why):
        bring(session, repository, bundle(inside, tmp_path / "b", repository))


def test_links_inside_the_tree_may_leave(repository: Path, inside: Path, session: Path, tmp_path: Path) -> None:
    shell(inside, "ln -s ../a.txt src/link; git add src; git commit -qm link")
    bring(session, repository, bundle(inside, tmp_path / "b", repository))
    assert git(repository, "cat-file", "-p", "paddock/abcdef01:src/link") == "../a.txt"


def test_a_link_taken_back_by_a_later_commit_stays_all_the_same(
    repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    shell(inside, "ln -s /etc/passwd l; git add l; git commit -qm a; git rm -q l; git commit -qm b")
    with refused(repository, "absolute path"):
        bring(session, repository, bundle(inside, tmp_path / "b", repository))


def test_commits_on_what_the_host_does_not_have_stay(repository: Path, session: Path, tmp_path: Path) -> None:
    with refused(repository, "does not have"):
        bring(session, repository, forged(tmp_path / "b", "a" * 40, pack_of(), ["b" * 40]))


@pytest.mark.parametrize("tip", ["a" * 40, "the tree", "a blob"])
def test_a_tip_that_is_no_commit_stays(tip: str, repository: Path, session: Path, tmp_path: Path) -> None:
    found = {
        "the tree": git(repository, "rev-parse", "HEAD^{tree}"),
        "a blob": git(repository, "rev-parse", "HEAD:a.txt"),
    }
    with refused(repository, "is no commit"):
        bring(session, repository, forged(tmp_path / "b", found.get(tip, tip), pack_of(("blob", b"x"))))


def test_commits_with_parts_missing_stay(repository: Path, session: Path, tmp_path: Path) -> None:
    text = f"tree {'a' * 40}\nauthor {PERSON}\ncommitter {PERSON}\n\nx\n".encode()
    tip = hashlib.sha1(b"commit %d\0" % len(text) + text).hexdigest()
    with refused(repository, "did not pass"):
        bring(session, repository, forged(tmp_path / "b", tip, pack_of(("commit", text))))


@pytest.mark.parametrize("damage", ["cut", "flipped", "followed"])
def test_a_damaged_pack_stays(damage: str, repository: Path, inside: Path, session: Path, tmp_path: Path) -> None:
    shell(inside, "git commit -q --allow-empty -m three")
    packed = bundle(inside, tmp_path / "b", repository)
    data = packed.read_bytes()
    flipped = bytes([data[-30] ^ 1])
    packed.write_bytes(
        {"cut": data[:-9], "flipped": data[:-30] + flipped + data[-29:], "followed": data + b"x"}[damage]
    )
    with refused(repository, "did not pass"):
        bring(session, repository, packed)


def test_an_object_that_pretends_to_be_another_changes_nothing(
    repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    """The name of an object is its content's: one sent under another's name gets its own."""
    blob_id = git(repository, "rev-parse", "HEAD:a.txt")
    tree = bytes.fromhex(git(repository, "rev-parse", "HEAD^{tree}"))
    text = f"tree {tree.hex()}\nauthor {PERSON}\ncommitter {PERSON}\n\nx\n".encode()
    tip = hashlib.sha1(b"commit %d\0" % len(text) + text).hexdigest()
    before = git(repository, "cat-file", "-p", blob_id)
    bring(session, repository, forged(tmp_path / "b", tip, pack_of(("commit", text), ("blob", b"not two\n"))))
    assert git(repository, "cat-file", "-p", blob_id) == before
    assert git(repository, "rev-parse", "paddock/abcdef01") == tip


def test_what_nothing_names_is_not_taken_along(repository: Path, session: Path, tmp_path: Path) -> None:
    text = f"tree {git(repository, 'rev-parse', 'HEAD^{tree}')}\nauthor {PERSON}\ncommitter {PERSON}\n\nx\n".encode()
    tip = hashlib.sha1(b"commit %d\0" % len(text) + text).hexdigest()
    junk = hashlib.sha1(b"blob 4\0junk").hexdigest()
    bring(session, repository, forged(tmp_path / "b", tip, pack_of(("commit", text), ("blob", b"junk"))))
    shell(repository, f"! git cat-file -e {junk}; git cat-file -e {tip}")


@pytest.mark.slow
def test_a_tree_of_a_billion_files_ends_in_a_sentence(
    repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    tree = tree_of(inside, *(("100644", f"f{number}", blob(inside, "x")) for number in range(10)))
    for _ in range(8):
        tree = tree_of(inside, *(("40000", f"d{number}", tree) for number in range(10)))
    git(inside, "update-ref", "--no-deref", "HEAD", commit_of(inside, tree, git(inside, "rev-parse", "HEAD")))
    with refused(repository, "more than can be listed"):
        bring(session, repository, bundle(inside, tmp_path / "b", repository))


def test_the_text_of_a_commit_is_data(repository: Path, inside: Path, session: Path, tmp_path: Path) -> None:
    tree = git(inside, "rev-parse", "HEAD^{tree}")
    head = git(inside, "rev-parse", "HEAD")
    text = f"tree {tree}\nparent {head}\nauthor {PERSON}\ncommitter {PERSON}\n\n\x1b[2Jevil\u202e\r\n".encode()
    tip = git(inside, "hash-object", "-t", "commit", "-w", "--stdin", stdin=text)
    git(inside, "update-ref", "--no-deref", "HEAD", tip)
    brought, _ = bring(session, repository, bundle(inside, tmp_path / "b", repository))
    assert [commit.subject for commit in brought.commits] == ["\x1b[2Jevil\u202e\r".encode()]


PLANTED = """
[core]
\thooksPath = {bin}
\tfsmonitor = {evil}
\tsshCommand = {evil}
\tpager = {evil}
\teditor = {evil}
\taskPass = {evil}
\talternateRefsCommand = {evil}
\tattributesFile = {bin}/attributes
\tworktree = {bin}
[include]
\tpath = {bin}/included
[filter "evil"]
\tclean = {evil}
\tsmudge = {evil}
\tprocess = {evil}
\trequired = true
[diff]
\texternal = {evil}
[diff "evil"]
\tcommand = {evil}
\ttextconv = {evil}
[merge "evil"]
\tdriver = {evil}
[gpg]
\tprogram = {evil}
[gpg "ssh"]
\tprogram = {evil}
\tdefaultKeyCommand = {evil}
[log]
\tshowSignature = true
[credential]
\thelper = !{evil}
[gc]
\tauto = 1
\trecentObjectsHook = {evil}
[remote "origin"]
\turl = ext::{evil}
\tuploadpack = {evil}
\tpromisor = true
[uploadpack]
\tpackObjectsHook = {evil}
[trace2]
\teventTarget = {bin}/trace
"""


def plant(repository: Path, folder: Path) -> Path:
    """Give a repository settings that name a program wherever git takes one; the file that program leaves."""
    folder.mkdir()
    evil, mark = folder / "evil", folder.parent / "pwned"
    for name in ("evil", "reference-transaction", "post-index-change", "pre-commit", "commit-msg", "post-commit"):
        (folder / name).write_text(f"#!/bin/sh\necho $0 $* >> {mark}\n")
        (folder / name).chmod(0o755)
        (repository / ".git" / "hooks" / name).parent.mkdir(exist_ok=True)
        (repository / ".git" / "hooks" / name).write_bytes((folder / name).read_bytes())
        (repository / ".git" / "hooks" / name).chmod(0o755)
    (folder / "included").write_text(f"[core]\n\tfsmonitor = {evil}\n\tgitProxy = {evil}\n")
    (folder / "attributes").write_text("*.evil filter=evil diff=evil merge=evil\n")
    with (repository / ".git" / "config").open("a") as config:
        config.write(PLANTED.format(bin=folder, evil=evil))
    return mark


def test_s25_settings_of_a_hostile_checkout_start_nothing(
    repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    shell(inside, "echo three > a.txt; echo x > b.evil; git add a.txt b.evil; git commit -qm three")
    packed = bundle(inside, tmp_path / "b", repository)
    mark = plant(repository, tmp_path / "planted")
    bring(session, repository, packed)
    assert not mark.exists()
    shell(repository, "git status >/dev/null 2>&1 || true")
    assert mark.exists(), "a plain git does start what is planted"
    assert AUTHOR["GIT_CONFIG_GLOBAL"] == "/dev/null"
