"""Checkouts on file systems that fold names: what cannot be told apart there is refused, with both names, unwritten.

The file system is a small one of our own (`tests.foldingfs`), because kernels are built without FAT and casefold; where
this one has them, they take part, and where it has not, the report says so.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.collisions import BY_BYTES, LOOSELY, Comparison, compared, compares_bytes
from sandbox.gate.fitting import unfit
from tests import foldingfs

pytestmark = pytest.mark.root

REASON = "is one name with {} for the checkout's file system, which can hold one of them"


def reasons(changes):
    return {refused.path: refused.reason for refused in changes.refused}


def kinds(changes):
    return {change.path: change.kind for change in changes.changes}


@pytest.fixture
def on(gate):
    """Puts the gate's checkout on a file system of a kind."""
    mounts = []

    def mount(kind: str) -> None:
        mounts.append(foldingfs.mounted(gate.checkout, kind))
        mounts[-1].__enter__()

    yield mount
    for mounted in mounts:
        mounted.__exit__(None, None, None)


@pytest.fixture(params=["vfat", "casefold"])
def by_kernel(request, gate, tmp_path) -> Iterator[Path]:
    """The checkout on a file system of the kernel's own that folds case."""
    image = tmp_path / "image"
    image.write_bytes(b"")
    os.truncate(image, 16 * 1024 * 1024)
    kind, make = ("vfat", ["mkfs.vfat"]) if request.param == "vfat" else ("ext4", ["mkfs.ext4", "-q", "-O", "casefold"])
    made = subprocess.run([*make, image], capture_output=True, check=False) if _has(make[0]) else None
    done = subprocess.run(["mount", "-t", kind, "-o", "loop", image, gate.checkout], capture_output=True, check=False)
    if made is None or made.returncode or done.returncode:
        pytest.skip(f"NOT TESTED: this kernel or machine has no {request.param}; our own file system stands in for it")
    yield gate.checkout
    subprocess.run(["umount", gate.checkout], check=True)


def _has(program: str) -> bool:
    return subprocess.run(["which", program], capture_output=True, check=False).returncode == 0


def test_s20_two_new_names_that_are_one_are_refused_by_the_kernels_own_as_well(by_kernel, gate):
    if subprocess.run(["chattr", "+F", by_kernel], capture_output=True, check=False).returncode == 0:
        subprocess.run(["rmdir", by_kernel / "lost+found"], capture_output=True, check=False)
    gate.begin()
    gate.put("Readme", "1")
    gate.put("README", "2")
    gate.put("other", "3")
    assert {b"Readme", b"README"} <= set(reasons(gate.collect()))
    assert isinstance(gate.apply_all(), Applied)
    assert "other" in os.listdir(by_kernel)


def test_s20_two_new_names_that_are_one_are_both_refused(gate, on):
    on("fold")
    gate.begin()
    for path in ("Readme", "README", "sub/A/x", "sub/a/x", "fine"):
        gate.put(path, path)
    found = gate.collect()
    assert reasons(found) == {
        b"Readme": REASON.format("README"),
        b"README": REASON.format("Readme"),
        b"sub/A": REASON.format("a"),
        b"sub/a": REASON.format("A"),
    }
    gate.apply_all()
    assert sorted(os.listdir(gate.checkout)) == ["fine", "sub"]


def test_s20_a_new_name_that_is_one_with_the_checkouts_never_overwrites_it(gate, on, lay_out):
    on("fold")
    lay_out({"Readme": "the user's", "Src/main": "m", "Gone": "g"})
    gate.put("README", "the sandbox's")
    gate.put("SRC/main", "evil")
    gate.whiteout("GONE")
    found = gate.collect()
    assert reasons(found) == {
        b"README": REASON.format("Readme"),
        b"SRC": REASON.format("Src"),
        b"GONE": REASON.format("Gone"),
    }
    assert found.changes == ()
    assert (gate.checkout / "Readme").read_text() == "the user's"


def test_s20_a_rename_in_case_only_leaves_both_as_they_are(gate, on, lay_out):
    on("fold")
    lay_out({"Readme": "r", "d/Old": "o"})
    gate.whiteout("Readme")
    gate.put("README", "r")
    gate.opaque("d")
    gate.put("d/OLD", "o")
    found = gate.collect()
    assert set(reasons(found)) == {b"Readme", b"README", b"d/Old", b"d/OLD"}
    assert found.changes == ()


def test_s21_two_unicode_forms_of_a_name_are_one_there(gate, on, lay_out):
    on("fold")
    lay_out({"caf\u00e9": "composed", "x": ""})
    gate.put("cafe\u0301", "decomposed")
    gate.put("n\u0303", "1")
    gate.put("\u00f1", "2")
    assert set(reasons(gate.collect())) == {name.encode() for name in ("cafe\u0301", "n\u0303", "\u00f1")}


def test_s20_s21_names_spelled_as_they_stand_and_others_may_leave(gate, on, lay_out):
    on("fold")
    lay_out({"Readme": "r", "caf\u00e9": "c", "Src/a": "a"})
    gate.put("Readme", "new")
    gate.put("caf\u00e9", "new")
    gate.put("Src/b", "b")
    gate.whiteout("Src/a")
    found = gate.collect()
    assert reasons(found) == {}
    assert isinstance(gate.apply_all(), Applied)
    assert sorted(os.listdir(gate.checkout)) == ["Readme", "Src", "caf\u00e9"]


@pytest.mark.parametrize("spelled", [("Readme", "README"), ("\u00f1", "n\u0303")])
def test_s20_s21_names_that_the_file_system_tells_apart_all_leave(gate, lay_out, spelled):
    lay_out({})
    for name in spelled:
        gate.put(name, name)
    assert reasons(gate.collect()) == {}
    assert isinstance(gate.apply_all(), Applied)
    assert sorted(os.listdir(gate.checkout)) == sorted(spelled)


def test_s20_an_unknown_file_system_that_compares_bytes_is_found_out_by_what_it_holds(gate, on, lay_out):
    on("bytes")
    lay_out({"Readme": "r", "caf\u00e9": "c"})
    for name in ("README", "readme", "cafe\u0301"):
        gate.put(name, name)
    assert reasons(gate.collect()) == {}
    assert isinstance(gate.apply_all(), Applied)
    assert len(os.listdir(gate.checkout)) == 5


def test_s20_an_unknown_file_system_with_nothing_in_it_counts_as_one_that_folds(gate, on):
    on("bytes")
    gate.begin()
    gate.put("a", "1")
    gate.put("A", "2")
    assert set(reasons(gate.collect())) == {b"a", b"A"}


def test_how_a_folder_compares_is_learned_without_writing(gate, on):
    directory = os.open(gate.checkout.parent, os.O_RDONLY)
    (gate.checkout.parent / "caf\u00e9").touch()
    assert compared(directory) == BY_BYTES
    assert compares_bytes(directory)
    os.close(directory)
    on("fold")
    directory = os.open(gate.checkout, os.O_RDONLY)
    assert compared(directory) == Comparison()
    (gate.checkout / "CAF\u00c9").touch()
    assert compared(directory) == LOOSELY
    assert not compares_bytes(directory)
    os.close(directory)


FORBIDDEN = ["a:b", "what?", "dot.", "blank ", "back\\slash"]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_s22_a_name_that_the_file_system_cannot_hold_is_a_conflict_and_not_half_an_apply(gate, on, lay_out, name):
    on("fat")
    lay_out({"keep": "old"})
    gate.put("keep", "new")
    gate.put(f"sub/{name}/x", "x")
    outcome = gate.apply_all()
    assert isinstance(outcome, Conflicts)
    (conflict,) = outcome.conflicts
    assert conflict.path == f"sub/{name}/x".encode()
    assert "file system" in conflict.reason
    assert (gate.checkout / "keep").read_text() == "old"
    assert os.listdir(gate.checkout) == ["keep"]
    left = gate.collect()
    assert isinstance(gate.apply(gate.approval(left, b"keep"), change_set=left), Applied)
    assert (gate.checkout / "keep").read_text() == "new"


def test_s22_names_that_only_another_system_forbids_are_held_where_they_can_be(gate, lay_out):
    lay_out({})
    names = [*FORBIDDEN, "CON", "aux.txt", "nul", " lead", "a" * 255]
    for name in names:
        gate.put(name, name)
    assert isinstance(gate.apply_all(), Applied)
    assert sorted(os.listdir(gate.checkout)) == sorted(names)


def test_a_folder_that_tries_names_is_empty_again(gate, on, lay_out):
    on("fat")
    lay_out({})
    gate.put("fine", "x")
    gate.put("no:", "x")
    directory = os.open(gate.checkout, os.O_RDONLY)
    assert [conflict.path for conflict in unfit(directory, gate.collect().changes)] == [b"no:"]
    assert os.listdir(directory) == []
    os.close(directory)
