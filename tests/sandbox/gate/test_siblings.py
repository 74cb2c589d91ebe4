"""Hard links: applying one name of a file makes no conflict of the others, and hides no edit by the user."""

import os
import time

import pytest

from sandbox.gate.apply import Applied


@pytest.fixture
def linked(gate, lay_out):
    """A checkout in which one file has three names."""
    lay_out({"a": "shared", "other": "o"})
    for name in ("b", "c"):
        os.link(gate.checkout / "a", gate.checkout / name)
    gate.begin()
    return gate


@pytest.mark.parametrize("removed", [False, True])
def test_s09_applying_one_name_is_no_edit_of_the_others(linked, removed, change_at):
    linked.whiteout("a") if removed else linked.put("a", "new")
    assert isinstance(linked.apply_all(), Applied)
    linked.put("b", "later")
    assert not change_at(linked.collect(), b"b").moved
    assert isinstance(linked.apply_all(), Applied)
    linked.put("c", "last")
    assert not change_at(linked.collect(), b"c").moved
    assert (linked.checkout / "c").read_text() == "shared"


def test_s09_all_names_in_one_approval_are_applied(linked):
    for name in ("a", "b", "c"):
        linked.put(name, name)
    assert isinstance(linked.apply_all(), Applied)
    assert [(linked.checkout / name).read_text() for name in ("a", "b", "c")] == ["a", "b", "c"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_s09_an_edit_of_a_shared_file_by_the_user_is_still_one(linked, when, change_at):
    facts = (linked.checkout / "b").stat()

    def edit() -> None:
        time.sleep(0.02)
        (linked.checkout / "b").write_text("edited")  # as long as it was, and with the old time
        os.utime(linked.checkout / "b", ns=(facts.st_atime_ns, facts.st_mtime_ns))

    linked.put("a", "new")
    if when == "before":
        changes = linked.collect()
        edit()
        linked.apply(linked.approval(changes))
        linked.put("a", "newer")
    else:
        linked.apply_all()
        edit()
    linked.put("b", "sandbox")
    assert change_at(linked.collect(), b"b").moved


def test_files_with_one_name_cost_no_search(gate, lay_out):
    lay_out({"a": "1", "b": "2"})
    gate.put("a", "new")
    gate.apply_all()
    assert gate.manifest.names_of((gate.checkout / "b").stat()) == [b"b"]
    assert gate.manifest.names_of((gate.checkout / "a").stat()) == [b"a"]
