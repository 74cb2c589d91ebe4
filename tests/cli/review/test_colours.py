"""Syntax colours come from a process that may be slow, dead or mad: then there are none, and nothing else changes."""

import sys

import anyio
import pytest

from cli.screen.review.colours import ARGV, Colours
from cli.screen.review.loading import Loader
from cli.screen.review.state import OPEN, Item

pytestmark = pytest.mark.anyio


@pytest.fixture
def loaded(desk, lay_out):
    lay_out({"a.py": "def f():\n    return 1\n"})
    desk.gate.put("a.py", "def f():\n    return 'two'\n")
    (change,) = desk.gate.collect().changes
    return Loader(desk.gate.blobs).load(Item(change), OPEN)


async def asked(loaded, argv, *, seconds=30.0, patience=2.0):
    """What is known of the first block after a while: the colours of every row."""
    ready = anyio.Event()
    colours = Colours(ready.set, argv, patience=patience)
    rows = range(len(loaded.unified.rows))
    assert all(colours(loaded, row, False) == ((), ()) for row in rows)
    async with anyio.create_task_group() as group:
        group.start_soon(colours.work)
        with anyio.move_on_after(seconds):
            await ready.wait()
        group.cancel_scope.cancel()
    return [colours(loaded, row, False) for row in rows]


async def test_code_is_coloured_on_both_sides(loaded):
    found = await asked(loaded, ARGV)
    head, same, gone, come = found
    assert head == ((), ())
    assert same[1]
    assert gone[0] != come[1] != ()
    words = {loaded.unified.rows[2].left.decode()[first:last] for first, last, _ in gone[0]}
    assert "return" in words


async def test_a_new_file_has_one_side_to_colour(desk, lay_out):
    lay_out({"a": "x\n"})
    desk.gate.put("b.py", "import os\n")
    (change,) = desk.gate.collect().changes
    found = await asked(Loader(desk.gate.blobs).load(Item(change), OPEN), ARGV)
    assert (found[1][0], bool(found[1][1])) == ((), True)


@pytest.mark.parametrize(
    "program", ["print(flush=True); import time; time.sleep(60)", "raise SystemExit(1)", "print(flush=True); input()"]
)
async def test_a_process_that_does_not_answer_leaves_the_text_plain(loaded, program):
    found = await asked(loaded, (sys.executable, "-I", "-c", program), seconds=1, patience=0.2)
    assert set(found) == {((), ())}
