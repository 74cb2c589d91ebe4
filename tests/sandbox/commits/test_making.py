"""One commit of approved files: exactly these, whatever else is going on in the repository; or a reason."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sandbox.changes import Change, Directory, File, Link
from sandbox.commits.identity import committer
from sandbox.commits.making import Prepared, clean_message, finish, prepare
from sandbox.commits.quarantine import quarantine
from sandbox.commits.repository import find
from sandbox.errors import CommitRefused
from sandbox.gate.blobs import Blobs
from tests.sandbox.commits.repositories import files_of, git, make_repository, shell
from tests.sandbox.commits.test_hostile import plant

VARIABLES = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_GLOBAL": os.devnull}


def commit(
    checkout: Path, blobs: Blobs, changes: Sequence[Change], variables: Mapping[str, str] = VARIABLES
) -> Prepared:
    """All the way, as the command goes it; the files are not written."""
    found = find(checkout)
    by = committer(found, variables)
    with quarantine(blobs.folder.parent, found) as quarantined:
        prepared = prepare(quarantined, changes, clean_message(["take it"]), by=by, blobs=blobs)
        finish(quarantined, prepared, by)
    return prepared


def added(path: bytes, content: bytes, blobs: Blobs) -> Change:
    return Change(path, None, blobs.put(content))


def test_exactly_the_approved_files_are_committed_and_other_work_is_untouched(repository: Path, blobs: Blobs) -> None:
    old, new = blobs.put(b"two\n"), blobs.put(b"three\n")
    (repository / "a.txt").write_text("three\n")
    shell(repository, "rm -r src; echo s > src; ln -s a.txt link; mkdir -p d/e; echo n > d/e/n; chmod +x d/e/n")
    staged = git(repository, "diff", "--cached")
    before = files_of(repository)
    prepared = commit(
        repository,
        blobs,
        [
            Change(b"a.txt", old, new),
            Change(b"d/e/n", None, File(blobs.put(b"n\n").digest, 2, executable=True)),
            Change(b"link", None, Link(b"a.txt")),
            Change(b"src", Directory(), blobs.put(b"s\n")),
            Change(b"src/main.py", blobs.put(b"m\n"), None),
        ],
    )
    assert git(repository, "status", "--porcelain").split("\n") == ["MM other.txt", "?? untracked.txt"]
    assert git(repository, "diff", "--cached") == staged
    assert git(repository, "log", "-1", "--format=%H %P %an %ae %s %D") == (
        f"{prepared.id} {git(repository, 'rev-parse', 'HEAD~1')} Ada ada@example.org take it HEAD -> main"
    )
    assert git(repository, "show", "--format=", "--raw", "--no-renames", "--abbrev=1").count("\n") == 4
    assert git(repository, "reflog", "-1", "--format=%gs") == "commit: take it"
    assert git(repository, "fsck", "--strict") == ""
    changed = {name for name, text in files_of(repository).items() if before.get(name) != text}
    assert {name for name in changed if "/objects/" not in name} == {
        *(".git/index", ".git/logs/HEAD", ".git/logs/refs/heads/main", ".git/refs/heads/main"),
    }


def test_a_first_commit_and_one_on_no_branch_can_be_made(tmp_path: Path, repository: Path, blobs: Blobs) -> None:
    (tmp_path / "fresh").mkdir()
    shell(tmp_path / "fresh", "git init -q -b main; git config user.name A; git config user.email a@x; echo n > n")
    first = commit(tmp_path / "fresh", blobs, [added(b"n", b"n\n", blobs)])
    assert (first.head, git(tmp_path / "fresh", "rev-parse", "main")) == (None, first.id)
    assert git(tmp_path / "fresh", "status", "--porcelain") == ""
    shell(repository, "git checkout -q --detach")
    detached = commit(repository, blobs, [added(b"n", b"n\n", blobs)])
    assert git(repository, "rev-parse", "HEAD") == detached.id
    assert git(repository, "rev-parse", "main") == detached.head


def test_repositories_of_every_kind_take_a_commit(tmp_path: Path, repository: Path, blobs: Blobs) -> None:
    git(repository, "worktree", "add", "-q", "-b", "tree", str(tmp_path / "linked"))
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    git(tmp_path, "clone", "-q", str(repository), "sparse")
    git(tmp_path, "clone", "-q", str(repository), "split")
    shell(tmp_path / "sparse", "git sparse-checkout init --cone --sparse-index; git sparse-checkout set d")
    shell(tmp_path / "split", "git config core.splitIndex true; git update-index --split-index")
    make_repository(tmp_path / "sha256", "--object-format=sha256")
    for name in ("linked", "shallow", "sparse", "split", "sha256"):
        checkout = tmp_path / name
        shell(checkout, "git config user.name A; git config user.email a@x; echo n > n.txt")
        before = git(checkout, "status", "--porcelain").split("\n")
        made = commit(checkout, blobs, [added(b"n.txt", b"n\n", blobs)])
        assert git(checkout, "rev-parse", "HEAD") == made.id
        assert git(checkout, "show", "--format=", "--name-status") == "A\tn.txt"
        assert git(checkout, "status", "--porcelain").split("\n") == (
            [row for row in before if row != "?? n.txt"] or [""]
        )


IN_THE_WAY = {
    "echo mine > a.txt; git add a.txt": "staged something else for a.txt",
    "git rm -q --cached a.txt": "staged something else for a.txt",
    "git stash -q; git stash drop -q; git checkout -q -b x HEAD~1; echo y > a.txt; git commit -qam y; "
    "git merge -q main || true": "merge",
    "touch .git/index.lock": "another git",
    "mkdir .git/rebase-merge": "rebase",
    "touch .git/CHERRY_PICK_HEAD": "cherry-pick",
    "git update-index --assume-unchanged a.txt": "not to look at",
    "git update-index --skip-worktree a.txt": "not to look at",
    "echo 'a.txt filter=lfs' > .gitattributes": "filter lfs",
    "echo '*.txt working-tree-encoding=UTF-16' > .gitattributes": "another encoding",
    "echo '*.txt text' > .git/info/attributes": "line ends",
    "git config core.autocrlf input": "line ends",
    "echo '*.txt ident' > .gitattributes": "Id",
    "git config --unset user.name": "who you are",
    "git config commit.gpgSign true; git config gpg.program /tmp/x": "sign",
}


@pytest.mark.parametrize("script", IN_THE_WAY)
def test_what_is_in_the_way_is_said_before_anything_is_applied(script: str, repository: Path, blobs: Blobs) -> None:
    shell(repository, script)
    before = files_of(repository)
    with pytest.raises(CommitRefused, match=IN_THE_WAY[script]):
        commit(repository, blobs, [Change(b"a.txt", blobs.put(b"two\n"), blobs.put(b"th$Id$ree\r\n"))])
    assert files_of(repository) == before


@pytest.mark.parametrize("script", ["echo '*.txt text eol=crlf' > .gitattributes", "git config core.autocrlf true"])
def test_a_file_without_such_line_ends_is_committed_where_they_are_replaced(
    script: str, repository: Path, blobs: Blobs
) -> None:
    shell(repository, f"echo three > a.txt; {script}")
    commit(repository, blobs, [Change(b"a.txt", blobs.put(b"two\n"), blobs.put(b"three\n"))])
    assert "a.txt" not in git(repository, "status", "--porcelain")


def test_attributes_that_are_approved_together_with_the_file_count(repository: Path, blobs: Blobs) -> None:
    changes = [added(b".gitattributes", b"*.bin filter=lfs\n", blobs), added(b"x.bin", b"x", blobs)]
    with pytest.raises(CommitRefused, match="filter lfs"):
        commit(repository, blobs, changes)


def test_other_repositories_in_the_tree_are_left_to_their_own(repository: Path, blobs: Blobs) -> None:
    shell(repository, "git init -q sub; cd sub; git -c user.name=a -c user.email=a@x commit -q --allow-empty -m s")
    with pytest.raises(CommitRefused, match="repository of its own at sub"):
        commit(repository, blobs, [added(b"sub/n", b"n", blobs)])
    shell(repository, "git add sub; git commit -qm sub -- sub; rm -rf sub/.git")
    with pytest.raises(CommitRefused, match="a submodule, sub"):
        commit(repository, blobs, [added(b"sub/n", b"n", blobs)])


def test_nothing_to_commit_is_said(repository: Path, blobs: Blobs) -> None:
    with pytest.raises(CommitRefused, match="as they are"):
        commit(repository, blobs, [Change(b"a.txt", blobs.put(b"mine\n"), blobs.put(b"two\n"))])
    with pytest.raises(CommitRefused, match="keeps nothing"):
        commit(repository, blobs, [Change(b"empty", None, Directory())])
    with pytest.raises(CommitRefused, match="is ignored"):
        commit(repository, blobs, [Change(b"x.log", None, blobs.put(b"x"), ignored=True)])


def test_another_spelling_of_a_tracked_file_is_refused_where_case_does_not_count(
    repository: Path, blobs: Blobs
) -> None:
    shell(repository, "git config core.ignoreCase true")
    with pytest.raises(CommitRefused, match=r"A\.TXT is a\.txt to git"):
        commit(repository, blobs, [added(b"A.TXT", b"x", blobs)])
    shell(repository, "git config core.ignoreCase false")
    commit(repository, blobs, [added(b"A.TXT", b"x", blobs)])


def test_edits_of_the_user_that_go_along_are_named(repository: Path, blobs: Blobs) -> None:
    mine, both = blobs.put(b"two\nmine\n"), blobs.put(b"two\nmine\ntheirs\n")
    prepared = commit(repository, blobs, [Change(b"a.txt", mine, both), added(b"n", b"n", blobs)])
    assert prepared.mixed == (b"a.txt",)


@pytest.mark.parametrize("meanwhile", ["git commit -q --allow-empty -m theirs", "echo x > n; git add n"])
def test_a_repository_that_moved_meanwhile_gets_no_commit(meanwhile: str, repository: Path, blobs: Blobs) -> None:
    found = find(repository)
    by = committer(found, VARIABLES)
    with quarantine(blobs.folder.parent, found) as quarantined:
        prepared = prepare(quarantined, [added(b"n", b"n\n", blobs)], "x\n", by=by, blobs=blobs)
        shell(repository, meanwhile)
        head, index = git(repository, "rev-parse", "HEAD"), (repository / ".git" / "index").read_bytes()
        with pytest.raises(CommitRefused, match=r"HEAD could not be moved|staged something else"):
            finish(quarantined, prepared, by)
    assert git(repository, "rev-parse", "HEAD") == head
    assert (repository / ".git" / "index").read_bytes() == index


def test_s25_settings_of_a_hostile_checkout_start_nothing_when_committing(
    repository: Path, blobs: Blobs, tmp_path: Path
) -> None:
    (repository / ".gitattributes").write_text("*.evil filter=evil diff=evil merge=evil\n")
    mark = plant(repository, tmp_path / "planted")
    commit(repository, blobs, [Change(b"a.txt", blobs.put(b"two\n"), blobs.put(b"three\n"))])
    with pytest.raises(CommitRefused, match="filter evil"):
        commit(repository, blobs, [added(b"x.evil", b"x", blobs)])
    shell(repository, "git config commit.gpgSign true")
    with pytest.raises(CommitRefused, match="sign"):
        commit(repository, blobs, [added(b"n", b"n", blobs)])
    assert not mark.exists()


def test_a_commit_is_signed_by_the_users_own_settings(repository: Path, blobs: Blobs, tmp_path: Path) -> None:
    key, settings = tmp_path / "key", tmp_path / "gitconfig"
    shell(tmp_path, f"ssh-keygen -q -t ed25519 -N '' -f {key}")
    settings.write_text(f"[commit]\n\tgpgSign = true\n[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = {key}\n")
    commit(repository, blobs, [added(b"n", b"n", blobs)], {**VARIABLES, "GIT_CONFIG_GLOBAL": str(settings)})
    assert "BEGIN SSH SIGNATURE" in git(repository, "cat-file", "commit", "HEAD")


def test_identities_that_depend_on_the_repository_are_followed(repository: Path, blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("[user]\n\tname = At Work\n\temail = ada@work.example\n")
    (tmp_path / "gitconfig").write_text(f'[includeIf "gitdir:{repository}/"]\n\tpath = {tmp_path}/work\n')
    shell(repository, "git config --unset user.name; git config --unset user.email")
    own = {**VARIABLES, "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    commit(repository, blobs, [added(b"n", b"n", blobs)], own)
    assert git(repository, "log", "-1", "--format=%an <%ae>") == "At Work <ada@work.example>"


@pytest.mark.parametrize(
    ("parts", "message"),
    [(["one"], "one\n"), (["one ", "two\n\n\n\nthree\n"], "one\n\ntwo\n\nthree\n"), (["#x"], "#x\n")],
)
def test_a_message_is_kept_as_git_keeps_it(parts: list[str], message: str) -> None:
    assert clean_message(parts) == message


def test_an_empty_message_is_none() -> None:
    with pytest.raises(CommitRefused, match="-m says"):
        clean_message([" ", "\n"])
