"""Very many changes: a look at them says how far it is, can be ended, misses none, and stays within its memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.changes import ChangeSet
from sandbox.gate.freeze import frozen

ROOT = Path(__file__).parents[3]
FEW = 6_000
MILLION = 1_000_000
LINKS = 50_000  # names that one file may have on ext4: 65,000


class Ended(BaseException):
    """Whoever waited for the look does not any more."""


def fill(folder, number):
    for index in range(number):
        (folder / f"f{index}").write_text(f"{index}\n")


def ends(files: int, size: int) -> None:
    raise Ended(files, size)


def test_a_look_says_how_many_files_and_bytes_it_has_seen(gate):
    gate.begin()
    fill(gate.upper, FEW)
    told = []
    changes = frozen(gate.session, lambda *progress: told.append(progress))
    assert len(changes.changes) == FEW
    assert told
    assert told == sorted(told)
    assert all(
        0 < files <= FEW and 0 < size <= sum(change.after.size for change in changes.changes) for files, size in told
    )


def test_a_look_at_a_deleted_folder_of_many_files_says_how_many_it_has_seen(gate):
    (gate.checkout / "folder").mkdir()
    fill(gate.checkout / "folder", FEW)
    gate.begin()
    gate.whiteout("folder")
    told = []
    assert len(frozen(gate.session, lambda files, size: told.append(files)).changes) == FEW + 1
    assert told
    assert told == sorted(told)


def test_a_look_that_was_ended_loses_nothing_and_the_next_one_finds_all(gate, lay_out):
    lay_out({"gone": "was here", "edited": "before"})
    gate.begin()
    gate.whiteout("gone")
    gate.put("edited", "after")
    fill(gate.upper, FEW)
    opened = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Ended):
        frozen(gate.session, ends)
    assert len(os.listdir("/proc/self/fd")) == opened
    changes = frozen(gate.session)
    assert {change.path for change in changes.changes} == {b"gone", b"edited"} | {b"f%d" % one for one in range(FEW)}
    gate.apply(gate.approval(changes, b"edited", b"f7"), change_set=changes)
    assert ((gate.checkout / "edited").read_text(), (gate.checkout / "f7").read_text()) == ("after", "7\n")


MEASURE = """
import resource, sys
from pathlib import Path
from sandbox.changes import File
from sandbox.gate.blobs import Blobs
from sandbox.gate.collect import collect
from sandbox.gate.manifest import Manifest

upper, checkout, blobs = map(Path, sys.argv[1:])
told = []
changes = collect(
    upper, checkout, manifest=Manifest.unknown(), blobs=Blobs(blobs), on_progress=lambda files, size: told.append(files)
)
used = resource.getrusage(resource.RUSAGE_SELF)
paths = {change.path for change in changes.changes if isinstance(change.after, File)}
print(len(paths), len(changes.refused), len(told), changes.id)
print(int(used.ru_utime + used.ru_stime), used.ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("folders", "each"), [(1, MILLION), (1_000, 1_000)])
def test_a_look_at_a_million_new_files_finds_each_in_bounded_time_and_memory(gate, folders, each):
    for folder in range(folders):
        target = gate.upper / f"d{folder}"
        target.mkdir()
        for index in range(each):
            source = gate.upper.parent / f"content-{(folder * each + index) // LINKS}"
            if not source.exists():
                source.write_text(source.name)
            os.link(source, target / f"file-{index}")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, gate.upper, gate.checkout, gate.blobs.folder],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    found, refused, told, identity, seconds, megabytes = done.stdout.split()
    assert (int(found), int(refused)) == (MILLION, 0)
    assert int(told) > 20
    assert identity != ChangeSet().id
    assert int(seconds) < 120
    assert int(megabytes) < 700
