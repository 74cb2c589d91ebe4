"""The look for secrets over a whole checkout, and the mask that is made of it."""

import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sandbox.errors import StateError
from sandbox.hiding.finding import find
from sandbox.hiding.hidden import Hidden, Secret, hidden_of, remember
from sandbox.hiding.mask import lay
from sandbox.sessions import Session


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def paths(hidden: Hidden) -> Sequence[bytes]:
    return [secret.path for secret in hidden.secrets]


def git(checkout: Path, *argv: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *argv], cwd=checkout, check=True)


def test_secrets_are_found_wherever_they_lie_and_their_like_is_not(checkout: Path) -> None:
    for name in (".env", "a/b/.env.local", "certs/server.key", ".ssh/config", "venv/.env/bin/python", ".ENV"):
        write(checkout / name)
    for name in (".env.example", "certs/id_rsa.pub", "src/env.py"):
        write(checkout / name)
    write(checkout / "certs/ca.pem", "-----BEGIN CERTIFICATE-----\n")
    write(checkout / ".npmrc", "save-exact=true\n")
    write(checkout / "web/.npmrc", "//r/:_authToken=abcdefgh\n")
    assert paths(find(checkout)) == [b".ENV", b".env", b".ssh", b"a/b/.env.local", b"certs/server.key", b"web/.npmrc"]


def test_links_are_hidden_by_their_name_and_never_followed(checkout: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside/.env")
    (checkout / ".env").symlink_to("../outside/.env")
    (checkout / "dir").symlink_to("../outside")
    (checkout / "server.key").symlink_to("nowhere")
    assert paths(find(checkout)) == [b".env", b"server.key"]


def test_what_cannot_be_looked_into_counts_as_a_secret(checkout: Path) -> None:
    write(checkout / ".npmrc", "#" * (1024 * 1024 + 1))
    os.mkfifo(checkout / "server.pem")
    assert paths(find(checkout)) == [b".npmrc", b"server.pem"]


def test_what_is_included_is_not_hidden(checkout: Path) -> None:
    for name in (".env", "test/.env", "test/keys/a.key", ".ssh/config", "id_rsa"):
        write(checkout / name)
    assert paths(find(checkout, ["test/"])) == [b".env", b".ssh", b"id_rsa"]
    assert paths(find(checkout, ["/.env", ".ssh/"])) == [b"id_rsa", b"test/.env", b"test/keys/a.key"]
    assert paths(find(checkout, [".env", "*.key", "id_*", ".ssh"])) == []


def test_a_pattern_that_is_none_stops_the_start(checkout: Path) -> None:
    with pytest.raises(StateError, match=r"the include pattern '!\.env' begins with !"):
        find(checkout, ["!.env"])


def test_gits_own_data_is_replaced_without_the_password_in_submodules_too(checkout: Path) -> None:
    git(checkout, "init", "-q")
    git(checkout, "remote", "add", "origin", "https://u:CANARY@h/r")
    for name in (".git/modules/a/config", "bare.git/config", "old/.git/config", ".git/logs/HEAD"):
        write(checkout / name, "url = https://u:CANARY@h/r\n")
    for name in ("bare.git/HEAD", "bare.git/objects/x", "bare.git/refs/x", ".git/annex/creds/s3", ".git/credentials"):
        write(checkout / name)
    for name in ("HEAD", "git-crypt/keys/default", "modules/a/HEAD", "modules/a/git-crypt/keys/default"):
        write(checkout / ".git" / name)
    write(checkout / ".git/objects/ab/config", "url = https://u:CANARY@h/r\n")
    found = find(checkout)
    crypt = [b".git/git-crypt/keys", b".git/modules/a/git-crypt/keys"]
    assert paths(found) == [b".git/annex/creds", b".git/credentials", *crypt]
    assert sorted(found.replaced) == [
        b".git/config", b".git/logs/HEAD", b".git/modules/a/config", b"bare.git/config", b"old/.git/config"
    ]  # fmt: skip
    assert not any(b"CANARY" in content for content in found.replaced.values())
    assert b'[remote "origin"]' in found.replaced[b".git/config"]
    assert find(checkout, [".git/", "bare.git/"]) == Hidden(coming=found.coming)


def test_a_secret_that_git_has_is_marked(checkout: Path) -> None:
    for name in (".env", "b/.env", ".ssh/config", ".gnupg/x"):
        write(checkout / name)
    git(checkout, "init", "-q")
    git(checkout, "add", "-f", ".env", ".ssh/config")
    marked = {secret.path: secret.is_tracked for secret in find(checkout).secrets}
    assert marked == {b".env": True, b"b/.env": False, b".ssh": True, b".gnupg": False}


def test_what_was_hidden_before_is_remembered(session: Session, checkout: Path) -> None:
    write(checkout / ".env")
    write(checkout / "id_rsa")
    remember(session, find(checkout))
    (checkout / "id_rsa").unlink()
    again = remember(session, find(checkout))
    assert hidden_of(session).earlier == again.earlier == frozenset([b"id_rsa"])
    assert again.was_unseen(b"id_rsa")
    assert not again.covers(b"id_rsa")
    remember(session, find(checkout))
    assert hidden_of(session).earlier == again.earlier


def test_a_hidden_folder_covers_what_is_in_it() -> None:
    hidden = Hidden((Secret(b"a/.ssh", ""),))
    assert [hidden.covers(path) for path in (b"a/.ssh", b"a/.ssh/x/y", b"a", b"a/.sshx")] == [True, True, False, False]


def test_the_mask_has_whiteouts_in_folders_that_look_as_the_checkouts(session: Session, checkout: Path) -> None:
    write(checkout / "a/b/.env.local")
    write(checkout / "c/.env.example")
    (checkout / "a").chmod(0o2750)
    (checkout / "a/b").chmod(0o555)
    os.utime(checkout / "a", (1, 1))
    write(checkout / ".git/config", "url = https://u:CANARY@h/r\n")
    (checkout / ".git/config").chmod(0o640)
    lay(session, checkout, find(checkout))
    lay(session, checkout, find(checkout))  # the one before goes, whatever its modes
    found = {os.fspath(path.relative_to(session.mask)): path.lstat() for path in session.mask.rglob("*")}
    gone = {name for name, facts in found.items() if stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0}
    assert gone == {"a/b/.env.local", ".env", ".env.local", "c/.env", "c/.env.local"}
    assert set(found) - gone == {"a", "a/b", "c", ".git", ".git/config"}
    assert stat.S_IMODE(found["a"].st_mode) == 0o2750
    assert stat.S_IMODE(found["a/b"].st_mode) == 0o555
    assert found["a"].st_mtime == 1
    assert stat.S_IMODE(found[".git/config"].st_mode) == 0o640
    assert (session.mask / ".git/config").read_text() == "url = https://h/r\n"


def test_where_nothing_can_be_hidden_nothing_may_start(checkout: Path) -> None:
    write(checkout / ".env")
    elsewhere = Session(Path("/proc"))  # a file system that takes no folder of ours
    with pytest.raises(StateError, match=r"secrets cannot be hidden under /proc/mask .* so nothing was started"):
        lay(elsewhere, checkout, find(checkout))


def test_a_secret_is_expected_at_the_top_and_beside_a_template(checkout: Path) -> None:
    write(checkout / "web/.env.example")
    write(checkout / "web/.env/bin/python")  # a virtual environment
    write(checkout / "api/app.py")
    assert set(find(checkout).coming) == {b".env", b".env.local", b"web/.env.local"}
    assert set(find(checkout, ["/.env"]).coming) == {b".env.local", b"web/.env.local"}


def test_what_comes_between_the_look_and_the_mask_is_hidden_where_it_was_expected(
    session: Session, checkout: Path
) -> None:
    found = find(checkout)
    write(checkout / ".env")
    lay(session, checkout, found)
    assert stat.S_ISCHR((session.mask / ".env").lstat().st_mode)
    assert found.covers(b".env")


AS_NOBODY = """
import os, sys
from pathlib import Path
from sandbox.hiding.finding import find
os.chdir(sys.argv[1])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print([secret.path for secret in find(Path()).secrets])
"""


@pytest.mark.root
def test_a_folder_that_we_may_not_open_is_hidden_as_a_whole(checkout: Path) -> None:
    write(checkout / "closed/in/.env")
    (checkout / "closed/in").chmod(0)
    argv = [sys.executable, "-c", AS_NOBODY, str(checkout)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "[b'closed/in']\n"
