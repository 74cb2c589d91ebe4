"""Which names and links may never leave, whatever file system they would land on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.gate.names import is_git, is_reserved, link_problem, path_problem


@given(st.lists(st.sampled_from(["\u200b", "\u200d", "\ufeff", "\u202e", "\ufe0f", ""]), min_size=5, max_size=5))
def test_s21_ignorable_code_points_do_not_hide_git(between):
    name = "".join(letter + hidden for letter, hidden in zip(".giT", between, strict=False)) + between[-1]
    assert is_git(name.encode())


@given(st.binary(max_size=20).filter(lambda name: b"/" not in name))
def test_every_name_has_an_answer(name):
    assert is_git(name) in (True, False)
    assert is_reserved(name) in (True, False)


@pytest.mark.parametrize("path", [b"a", b"a/b", b"-rf", b"a b", b"\xff", b"a\nb", b".github/x", b"..."])
def test_ordinary_paths_have_no_problem(path):
    assert path_problem(path) is None


@pytest.mark.parametrize("target", [b"x", b"sub/x", b"../x", b"./x", b"../a/b", b"", b"..."])
def test_links_inside_have_no_problem(target):
    assert link_problem(b"folder/link", target) is None


@pytest.mark.parametrize(
    "target", [b"/", b"/x", b"../..", b"../../x", b"a/../..", b"../.git", b"../.paddock-txn.1/new"]
)
def test_links_out_and_into_git_have_one(target):
    assert link_problem(b"folder/link", target) is not None
