"""Commits from a bundle to a branch: real repositories, honest and hostile bundles."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.commits.bundle import read_header
from sandbox.commits.look import Brought, look
from sandbox.commits.quarantine import quarantine
from sandbox.commits.repository import Repository, find
from sandbox.commits.taking import Taken, branch_for, take
from sandbox.errors import CommitRefused
from sandbox.gate.blobs import Blobs
from tests.sandbox.commits.repositories import bundle, files_of, git, make_repository, shell

Arrive = Callable[[Path, Path], tuple[Brought, Taken]]


def known(repository: Repository) -> list[str]:
    return sorted(set(repository.references().values()))


def bring(session: Path, checkout: Path, packed: Path, branch: str = "") -> tuple[Brought, Taken]:
    """All the way, as the command goes it."""
    found = find(checkout)
    with quarantine(session, found) as quarantined, packed.open("rb") as file:
        tip = quarantined.receive(file)
        brought = look(quarantined, tip, known(found), Blobs(session / "blobs"))
        name = branch_for(found, "abcdef0123", branch)
        return brought, take(quarantined, brought, name, known(found))


def test_commits_arrive_as_one_new_branch_and_nothing_else_changes(
    repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    shell(inside, "git add untracked.txt; git commit -qm three; git tag evil; git branch other; git stash clear")
    status = git(repository, "status", "--porcelain")  # which brings the index up to date
    before = files_of(repository)
    brought, taken = bring(session, repository, bundle(inside, tmp_path / "b", repository))
    assert taken == Taken("paddock/abcdef01", 1)
    new = {name: text for name, text in files_of(repository).items() if before.get(name) != text}
    assert before.keys() - files_of(repository).keys() == set()
    assert {Path(name).suffix if "pack-" in name else name for name in new} == {
        ".pack",
        ".idx",
        ".git/refs/heads/paddock/abcdef01",
        ".git/logs/refs/heads/paddock/abcdef01",
    } | ({".rev"} if any(name.endswith(".rev") for name in new) else set())
    assert git(repository, "rev-parse", "paddock/abcdef01") == git(inside, "rev-parse", "HEAD") == brought.tip
    assert git(repository, "status", "--porcelain") == status
    assert git(repository, "fsck", "--strict") == ""
    assert not (session / "quarantine").exists()


def test_authors_parents_and_names_stay(repository: Path, inside: Path, session: Path, tmp_path: Path) -> None:
    shell(
        inside,
        """
        git reset -q --hard; git checkout -q -b side HEAD~1; echo s > side.txt; git add side.txt
        git -c user.name='Bob B' commit -q --author 'Eve <e@x>' -m side
        git checkout -q main; echo t > t.txt; git add t.txt; git commit -qm three; git merge -q --no-edit side
        """,
    )
    brought, _ = bring(session, repository, bundle(inside, tmp_path / "b", repository))
    log = ("log", "--format=%H %P %an %ae %cn %at %ct %s")
    assert git(repository, *log, "paddock/abcdef01") == git(inside, *log)
    assert [commit.author for commit in brought.commits].count(b"Eve <e@x>") == 1
    assert {change.path for change in brought.lasting} == {b"side.txt", b"t.txt"}


def test_what_one_commit_adds_and_the_next_takes_away_is_seen(
    repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    shell(inside, "echo evil > Makefile; git add Makefile; git commit -qm a; git rm -q Makefile; git commit -qm b")
    brought, _ = bring(session, repository, bundle(inside, tmp_path / "b", repository))
    assert [change.kind for change in brought.changes if change.path == b"Makefile"] == ["added", "deleted"]
    assert brought.passing == (b"Makefile",)


def test_a_merge_that_takes_back_what_the_user_did_is_seen(
    repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    """Against the old commit it merges, nothing has changed; against HEAD, the user's last commit is gone."""
    git(inside, "reset", "-q", "--hard")
    old, head = git(inside, "rev-parse", "HEAD~1"), git(inside, "rev-parse", "HEAD")
    merge = git(inside, "commit-tree", "-p", old, "-p", head, "-m", "merge", f"{old}^{{tree}}")
    git(inside, "update-ref", "--no-deref", "HEAD", merge)
    brought, _ = bring(session, repository, bundle(inside, tmp_path / "b", repository))
    assert [change.path for change in brought.lasting] == [b"a.txt"]


def test_commits_on_another_branch_are_held_against_that_one(
    repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    for folder in (repository, inside):
        git(folder, "branch", "old", "HEAD~1")
    shell(inside, "git reset -q --hard; git checkout -q old; echo n > n; git add n; git commit -qm n")
    brought, _ = bring(session, repository, bundle(inside, tmp_path / "b", repository))
    assert [change.path for change in brought.changes] == [b"n"]


def test_a_second_import_brings_only_what_is_new(repository: Path, inside: Path, session: Path, tmp_path: Path) -> None:
    shell(inside, "git commit -q --allow-empty -m three")
    bring(session, repository, bundle(inside, tmp_path / "b", repository))
    shell(inside, "git commit -q --allow-empty -m four")
    brought, taken = bring(session, repository, bundle(inside, tmp_path / "c", repository))
    assert [commit.subject for commit in brought.commits] == [b"four"]
    assert taken.branch == "paddock/abcdef01-2"


@pytest.mark.parametrize(
    "rewrite",
    [
        "git commit -q --amend --allow-empty -m other",
        "git rebase -q --root --exec true || git rebase -q --continue",
        "git checkout -q --orphan fresh; git commit -qm root",
    ],
)
def test_rewritten_history_arrives_beside_the_old(
    rewrite: str, repository: Path, inside: Path, session: Path, tmp_path: Path
) -> None:
    shell(inside, f"git reset -q --hard; git commit -q --allow-empty -m three; {rewrite}")
    head = git(repository, "rev-parse", "HEAD")
    bring(session, repository, bundle(inside, tmp_path / "b", repository))
    assert git(repository, "rev-parse", "HEAD") == head
    assert git(repository, "rev-parse", "paddock/abcdef01") == git(inside, "rev-parse", "HEAD")


def test_repositories_of_every_kind_take_commits(tmp_path: Path, repository: Path, session: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "tree", str(tmp_path / "linked"))
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    git(tmp_path, "init", "-q", "-b", "main", "--separate-git-dir", str(tmp_path / "data"), "apart")
    make_repository(tmp_path / "sha256", "--object-format=sha256")
    for name in ("linked", "shallow", "apart", "sha256"):
        checkout, packed = tmp_path / name, tmp_path / f"{name}.bundle"
        shell(checkout, "git commit -q --allow-empty -m base")
        head = git(checkout, "rev-parse", "HEAD")
        known = git(checkout, "for-each-ref", "--format=^%(objectname)")
        shell(checkout, "echo n > n; git add n; git commit -qm new")
        made = git(checkout, "rev-parse", "HEAD")
        git(checkout, "bundle", "create", str(packed), "--stdin", "HEAD", stdin=known.encode() + b"\n")
        git(checkout, "reset", "-q", "--hard", head)
        shell(checkout, "git reflog expire --expire=now --all; git gc -q --prune=now")
        bring(session, checkout, packed)
        assert git(checkout, "rev-parse", "paddock/abcdef01") == made
        assert git(checkout, "rev-parse", "HEAD") == head


@pytest.mark.parametrize("name", ["main", "MAIN", "main/x", "-x", "a..b", "HEAD"])
def test_no_branch_is_overwritten_or_misnamed(name: str, repository: Path) -> None:
    with pytest.raises(CommitRefused):
        branch_for(find(repository), "abcdef0123", name)


def test_a_branch_made_meanwhile_stays(repository: Path, inside: Path, session: Path, tmp_path: Path) -> None:
    shell(inside, "git commit -q --allow-empty -m three")
    packed = bundle(inside, tmp_path / "b", repository)
    found = find(repository)
    with quarantine(session, found) as quarantined, packed.open("rb") as file:
        brought = look(quarantined, quarantined.receive(file), known(found), Blobs(session / "blobs"))
        git(repository, "branch", "late", "HEAD~1")
        with pytest.raises(CommitRefused, match="late is there already"):
            take(quarantined, brought, "late", known(found))
    assert git(repository, "rev-parse", "late") == git(repository, "rev-parse", "HEAD~1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no bundle"),
        (b"# v1 git bundle\n", "no bundle"),
        (b"# v2 git bundle\n\nPACK", "0 branches"),
        (b"# v2 git bundle\n" + b"a" * 40 + b" refs/heads/main\n\nPACK", "not asked for"),
        (b"# v2 git bundle\n" + b"a" * 40 + b" HEAD\n" + b"b" * 40 + b" HEAD\n\nPACK", "2 branches"),
        (b"# v2 git bundle\n" + b"a" * 40 + b" HEAD\n" + b"a" * 40 + b" refs/heads/../x\n\nPACK", "not asked for"),
        (b"# v2 git bundle\n" + b"a" * 40 + b" HEAD\x1b[2J\n\nPACK", "not asked for"),
        (b"# v2 git bundle\n--upload-pack=x HEAD\n\nPACK", "no object's name"),
        (b"# v2 git bundle\n" + b"a" * 64 + b" HEAD\n\nPACK", "no object's name"),
        (b"# v3 git bundle\n@filter=blob:none\n" + b"a" * 40 + b" HEAD\n\nPACK", "form"),
        (b"# v3 git bundle\n@object-format=sha256\n" + b"a" * 40 + b" HEAD\n\nPACK", "form"),
    ],
)
def test_a_forged_header_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(CommitRefused, match=why):
        read_header(io.BytesIO(text), "sha1")


def test_an_honest_header_is_read() -> None:
    text = b"# v3 git bundle\n@object-format=sha1\n-" + b"b" * 40 + b" why\n" + b"a" * 40 + b" HEAD\n\nPACK"
    header = read_header(io.BytesIO(text), "sha1")
    assert (header.tip, header.needs, text[header.pack_at :]) == ("a" * 40, ("b" * 40,), b"PACK")
