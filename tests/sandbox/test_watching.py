"""Edits in the checkout are noticed while a session runs, by a real watcher: the user's, and no others."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from sandbox.gate.edits import Edits, HostEdit
from sandbox.watching import PROGRAM, Listener, watching

pytestmark = pytest.mark.anyio


@dataclass
class Heard:
    """What a listener was told."""

    edits: list[HostEdit] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)

    def hear(self, edits: Sequence[HostEdit]) -> None:
        self.edits += edits

    async def until(self, path: bytes, act: Callable[[], object]) -> HostEdit:
        """Act until an edit of this path is told: nobody says when the watcher has begun."""
        with anyio.fail_after(30):
            while True:
                act()
                for _ in range(25):
                    await anyio.sleep(0.1)
                    if found := [edit for edit in self.edits if edit.path == path]:
                        return found[-1]


def more(file: Path) -> None:
    """Edit a file in place."""
    with file.open("a") as end:
        end.write("more\n")


@asynccontextmanager
async def listening(gate) -> AsyncIterator[Heard]:
    heard = Heard()

    async def ready() -> None:
        await anyio.lowlevel.checkpoint()

    async with watching(gate.session, ready, Listener(heard.hear, heard.blind.append)):
        yield heard


async def test_an_edit_is_told_and_what_is_ignored_gits_or_ours_is_not(gate, lay_out) -> None:
    lay_out({"a.txt": "a\n", ".gitignore": "*.log\nnode_modules/\n", ".git/HEAD": "ref", "mine.txt": "m\n"})
    async with listening(gate) as heard:
        for name in ("x.log", "node_modules/x/y.js", ".git/index", "a.txt.swp", "b.txt~", ".paddock-txn.1/new/0"):
            (gate.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (gate.checkout / name).write_text("x")
        await heard.until(b"a.txt", lambda: more(gate.checkout / "a.txt"))
        assert {edit.path for edit in heard.edits} == {b"a.txt"}
    assert heard.blind == []


async def test_edits_deep_below_and_in_a_folder_that_is_new_are_told_too(gate, lay_out) -> None:
    lay_out({"src/deep/a.txt": "a\n"})
    async with listening(gate) as heard:
        await heard.until(b"src/deep/a.txt", lambda: more(gate.checkout / "src/deep/a.txt"))
        (gate.checkout / "new" / "deep").mkdir(parents=True)
        found = await heard.until(b"new/deep/b.txt", lambda: more(gate.checkout / "new/deep/b.txt"))
        assert (found.kind, found.shows) == ("added", "now")


def test_no_watch_is_spent_on_gits_own_and_on_what_is_ignored(gate, lay_out) -> None:
    lay_out({".gitignore": "node_modules/\n/out\n", ".git/HEAD": "x", "node_modules/x/y": "", "out/z": "", "src/a": ""})
    assert Edits(gate.session).folders() == ("src",)


async def test_our_own_apply_is_not_told_as_an_edit(gate, lay_out) -> None:
    lay_out({"a.txt": "a\n", "b.txt": "b\n"})
    async with listening(gate) as heard:
        await heard.until(b"b.txt", lambda: more(gate.checkout / "b.txt"))
        gate.put("a.txt", "by the sandbox\n")
        gate.put("new/c.txt", "c\n")
        gate.apply_all()
        heard.edits.clear()
        await heard.until(b"b.txt", lambda: more(gate.checkout / "b.txt"))
        assert {edit.path for edit in heard.edits} == {b"b.txt"}


async def test_the_watcher_ends_with_the_block_and_with_its_parent(gate, lay_out) -> None:
    lay_out({"a.txt": "a\n"})
    process = subprocess.Popen(
        [sys.executable, "-I", str(PROGRAM), str(gate.checkout)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b'{"paths": []}\n'
    process.communicate(timeout=10)
    assert process.returncode == 0


async def test_a_module_in_the_checkout_is_not_imported_by_the_watcher(gate, lay_out) -> None:
    lay_out({"json.py": "open('/proc/self/cwd/owned', 'w')", "watchfiles.py": "raise SystemExit(7)"})
    process = subprocess.Popen(
        [sys.executable, "-I", str(PROGRAM), str(gate.checkout)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=gate.checkout,
        env={"PYTHONPATH": str(gate.checkout)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b'{"paths": []}\n'
    process.communicate(timeout=10)
    assert not (gate.checkout / "owned").exists()


async def test_a_checkout_that_is_gone_is_said_once_and_ends_nothing(gate, lay_out) -> None:
    lay_out({})
    gate.checkout.rmdir()
    async with listening(gate) as heard:
        with anyio.fail_after(20):
            while not heard.blind:  # noqa: ASYNC110 - a process of its own says it
                await anyio.sleep(0.05)
    assert len(heard.blind) == 1


def judged(gate, *paths: bytes) -> set[tuple[bytes, str, str]]:
    """What the edits among these paths are taken for."""
    return {(edit.path, edit.kind, edit.shows) for edit in Edits(gate.session).among(paths)}


def test_an_edit_says_when_the_sandbox_sees_it(gate, lay_out) -> None:
    lay_out(dict.fromkeys(("in-place", "replaced", "deleted", "both", "below/opaque", "same"), "x\n"))
    gate.put("both", "by the sandbox\n")
    gate.opaque("below")
    (gate.checkout / "in-place").write_text("edited\n")
    for name in ("replaced", "both", "below/opaque"):
        (gate.checkout / f"{name}.x").write_text("edited\n")
        (gate.checkout / f"{name}.x").rename(gate.checkout / name)
    (gate.checkout / "deleted").unlink()
    (gate.checkout / "new").write_text("new\n")
    assert judged(gate, b"in-place", b"replaced", b"deleted", b"both", b"below/opaque", b"same", b"new") == {
        (b"in-place", "modified", "now"),
        (b"replaced", "modified", "later"),
        (b"deleted", "deleted", "later"),
        (b"both", "modified", "merged"),
        (b"below/opaque", "modified", "merged"),
        (b"new", "added", "now"),
    }


def test_an_edit_is_told_once_and_a_temporary_file_never(gate, lay_out) -> None:
    lay_out({"a": "a\n"})
    (gate.checkout / "a").write_text("edited\n")
    edits = Edits(gate.session)
    assert [edit.path for edit in edits.among([b"a", b"a", b"temporary", b"../outside", b"/etc/passwd"])] == [b"a"]
    assert edits.among([b"a"]) == ()
    (gate.checkout / "a").write_text("edited again\n")
    assert [edit.path for edit in edits.among([b"a"])] == [b"a"]


def test_a_file_that_was_only_touched_is_no_edit_once_its_content_is_known(gate, lay_out) -> None:
    lay_out({"a": "a\n"})
    gate.put("a", "b\n")
    gate.collect()
    os.utime(gate.checkout / "a", (1, 1))
    assert judged(gate, b"a") == set()
