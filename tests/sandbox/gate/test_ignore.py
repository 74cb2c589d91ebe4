"""Ignore rules as git reads them: git itself is the oracle, on trees of our own."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.gate.ignore import Ignored, user_excludes


def ask_git(folder, paths, home):
    """Which of these paths git ignores, by rules alone."""
    done = subprocess.run(
        ["git", "-c", f"core.excludesFile={home / 'ignore'}", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=folder, input=b"\0".join(paths), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return set(filter(None, done.stdout.split(b"\0")))


PARTS = ["a", "b", "ab", "a.o", "build", "x y"]
PATTERNS = st.sampled_from([
    "a", "b/", "/a", "*.o", "!a", "!a.o", "a/b", "/build/", "**/b", "a/**", "a/**/b", "build/*", "!build/a", "# a", "",
    "\\#", "a*", "?", "[ab]", "!*", "*", "x\\ y", "a ", "!b/", "**", "/*", "!/a", "**/", "a/**/", "!**/b", "a*b*",
    "**b", "a/**/b/**", "\\!a", "[!a]", "a[", "\\", "a\\", "x y\\ ", "b/*/", "*/b", "**/a/**/b", "!a/**", "[a", "//",
    "/", "!",
])  # fmt: skip
FILES = st.dictionaries(st.sampled_from(["", "a/", "build/", "a/b/"]), st.lists(PATTERNS, max_size=4), max_size=3)
PATHS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map("/".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, exclude=st.lists(PATTERNS, max_size=2), mine=st.lists(PATTERNS, max_size=2), paths=st.lists(PATHS))
def test_we_ignore_what_git_ignores(tmp_path, files, exclude, mine, paths):
    home = Path(tempfile.mkdtemp(dir=tmp_path))
    folder = home / "repository"
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / ".git" / "info" / "exclude").write_text("\n".join(exclude))
    (home / "ignore").write_text("\n".join(mine))
    for where, patterns in files.items():
        (folder / where).mkdir(parents=True, exist_ok=True)
        (folder / where / ".gitignore").write_text("\n".join(patterns) + "\n")
    asked = {}
    for path in paths:
        place = folder / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                place.write_text("x")
        except OSError:
            continue  # a file stands where this path needs a folder
        asked[os.fsencode(path)] = place.is_dir()
    ignored = Ignored(folder, home / "ignore")
    found = {path for path, is_dir in asked.items() if ignored.matches(path, is_dir)}
    assert found == ask_git(folder, sorted(asked), home)


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


def test_a_checkout_without_rules_ignores_nothing(checkout):
    assert not Ignored(checkout).matches(b"a/b.o", False)


def test_a_gitignore_that_is_a_link_is_not_followed(checkout, tmp_path):
    (tmp_path / "outside").write_text("*\n")
    (checkout / ".gitignore").symlink_to(tmp_path / "outside")
    assert not Ignored(checkout).matches(b"a", False)


def test_a_folder_that_is_a_link_is_not_followed(checkout, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / ".gitignore").write_text("*\n")
    (checkout / "d").symlink_to(tmp_path / "outside")
    assert not Ignored(checkout).matches(b"d/a", False)


def test_a_fifo_named_gitignore_is_not_waited_for(checkout):
    os.mkfifo(checkout / ".gitignore")
    assert not Ignored(checkout).matches(b"a", False)


def test_crlf_rules_a_bom_and_broken_patterns_do_not_matter(checkout):
    (checkout / ".gitignore").write_bytes(b"\xef\xbb\xbf*.o\r\n[\r\n!\r\n\xff*\nbuild/\r\n")
    ignored = Ignored(checkout)
    assert ignored.matches(b"a.o", False)
    assert ignored.matches(b"build", True)
    assert ignored.matches(b"\xffx", False)
    assert not ignored.matches(b"a.c", False)


def test_names_that_are_not_utf8_can_be_asked(checkout):
    (checkout / ".gitignore").write_text("*.o\n")
    assert Ignored(checkout).matches(b"\xfe\xff.o", False)
    assert not Ignored(checkout).matches(b"new\nline", False)


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (None, ".config/git/ignore"),
        ("[core]\n\texcludesFile = ~/mine\n", "mine"),
        ('[core] excludesfile = "~/with blank"\n', "with blank"),
        ("[user]\n\texcludesFile = ~/no\n[core]\n\teditor = vi\n", ".config/git/ignore"),
        ("[CORE]\n\tEXCLUDESFILE=/abs/olute\n", "/abs/olute"),
    ],
)
def test_the_users_own_file_is_where_git_finds_it(tmp_path, config, wanted):
    if config is not None:
        (tmp_path / ".gitconfig").write_text(config)
    assert user_excludes(tmp_path) == tmp_path / wanted


def test_a_folder_with_the_name_of_an_ignore_file_ignores_nothing(tmp_path):
    (tmp_path / ".gitignore").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".gitignore").write_text("b\n")
    assert not Ignored(tmp_path).matches(b"b", False)
    assert Ignored(tmp_path).matches(b"a/b", False)


def test_r17_patterns_and_names_that_were_made_for_each_other_take_no_time(checkout):
    (checkout / ".gitignore").write_text("*a" * 40 + "b\n" + "**/a/" * 40 + "b\n")
    ignored = Ignored(checkout)
    assert not ignored.matches(b"a" * 255, False)
    assert not ignored.matches(b"a/" * 200 + b"a", False)


def test_an_ignore_file_of_a_hundred_megabytes_takes_no_time_and_what_is_read_of_it_counts(checkout):
    with (checkout / ".gitignore").open("w") as file:
        file.write("first\n*.o\n" + "".join(f"n{number}\n" for number in range(50_000)) + "*x\n" * 25_000_000)
    ignored = Ignored(checkout)
    assert [path for path in (b"first", b"a.o", b"n9", b"a.c") if ignored.matches(path, False)] == [
        b"first",
        b"a.o",
        b"n9",
    ]
