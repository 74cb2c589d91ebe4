"""Names of branches: what git refuses is refused, and so is what a person would misread."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.commits.branches import first_free, name_problem, taken


@pytest.mark.parametrize("name", ["main", "paddock/3f2a9c1b", "fix/größe", "a.b", "x@y", "v1.0-rc", "日本"])
def test_ordinary_names_are_taken(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "-x", "a/-x", "@", "HEAD", "refs/heads/x", "a..b", "a b", "a\nb", "a\x1b[31m", "a~1", "a^", "a:b", "a?"),
        *("a*", "a[b", "a\\b", "a@{1}", "/a", "a/", "a//b", "a.", ".a", "a/.b", "a.lock", "a.lock/b", "x" * 201),
        *("0" * 40, "f" * 64, "a\u202eb", "a\u200bb", "\udcff", "a\x7f"),
    ],
)
def test_names_that_are_none_are_refused(name: str) -> None:
    assert name_problem(name) is not None


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab/.-@{~^:?*[\\ lock\nHEAD"), min_size=1, max_size=12))
def test_no_name_is_taken_that_git_refuses(name: str) -> None:
    asked = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)
    assert name_problem(name) is not None or asked.returncode == 0


@pytest.mark.parametrize(
    ("name", "there"),
    [("main", "main"), ("Main", "main"), ("main/x", "main"), ("main", "main/x"), ("MAIN/x", "main"), ("é", "e\u0301")],
)
def test_a_name_that_is_there_on_some_file_system_is_taken(name: str, there: str) -> None:
    assert taken(name, {there, "unrelated"}) == there


def test_names_that_only_begin_alike_are_free() -> None:
    assert taken("main2", {"main", "mai"}) is None


def test_the_next_number_is_found() -> None:
    assert first_free("paddock/1", {"main"}) == "paddock/1"
    assert first_free("paddock/1", {"paddock/1", "paddock/1-2"}) == "paddock/1-3"
    assert first_free("paddock/1", {"paddock/1/x"}) == "paddock/1-2"


def test_a_branch_in_the_place_of_our_folder_is_gone_around() -> None:
    assert first_free("paddock/1", {"Paddock"}) == "paddock-1"
    assert first_free("paddock/1", {"paddock", "paddock-1"}) == "paddock-1-2"
