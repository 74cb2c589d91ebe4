"""What a note after a call says, whatever the sandbox."""

import pytest

from sandbox.base import Call, Command, Sandbox

pytestmark = pytest.mark.anyio


async def noted(sandbox: Sandbox, script: str) -> set[bytes]:
    """What a script changed, as its note says."""
    result = await sandbox.run(Command(["bash", "-c", script], sandbox.root, timeout=30, call_id=script))
    assert result.exit_code == 0, result.stderr.all
    return set(await sandbox.note(Call(script, "Bash", script)))


async def test_a_note_names_what_the_call_changed_and_nothing_of_the_calls_before(any_sandbox: Sandbox) -> None:
    assert await noted(any_sandbox, "echo more >> hello.txt") == {b"hello.txt"}
    assert await noted(any_sandbox, "rm src/main.py") == {b"src/main.py"}
    assert await noted(any_sandbox, "mkdir -p new/deep; echo x > new/deep/x") == {
        b"new",
        b"new/deep",
        b"new/deep/x",
    }


async def test_what_only_reads_or_touches_is_not_noted(any_sandbox: Sandbox) -> None:
    assert await noted(any_sandbox, "cat hello.txt; touch hello.txt; ls -R") == set()


async def test_a_file_written_by_a_tool_is_noted(any_sandbox: Sandbox) -> None:
    await any_sandbox.write(any_sandbox.root / "a b\n.txt", b"x\n")
    assert list(await any_sandbox.note(Call("1", "Write", "a b.txt"))) == [b"a b\n.txt"]
    assert list(await any_sandbox.note(Call("2", "Write", "again"))) == []


async def test_modes_links_and_what_takes_anothers_place_are_noted(any_sandbox: Sandbox) -> None:
    assert await noted(any_sandbox, "chmod +x hello.txt; ln -s hello.txt link") == {b"hello.txt", b"link"}
    assert await noted(any_sandbox, "ln -sfn src link") == {b"link"}
    assert await noted(any_sandbox, "rm link; mkdir link") == {b"link"}
    assert await noted(any_sandbox, "rmdir link") == {b"link"}


async def test_same_size_in_the_same_moment_is_noted_all_the_same(any_sandbox: Sandbox) -> None:
    await noted(any_sandbox, "printf aaaa > quick")
    for text in ("bbbb", "cccc", "dddd"):
        assert await noted(any_sandbox, f"printf {text} > quick") == {b"quick"}


async def test_nothing_left_running_leaves_nothing_to_note_between_calls(any_sandbox: Sandbox) -> None:
    assert await any_sandbox.running() == 0
    assert list(await any_sandbox.note(None)) == []


async def test_what_a_process_left_running_changes_is_noted_before_the_next_call(any_sandbox: Sandbox) -> None:
    script = "(while [ ! -e go ]; do sleep 0.02; done; echo late > late.txt; sleep 30) >/dev/null 2>&1 & true"
    assert await noted(any_sandbox, script) == set()
    assert await any_sandbox.running() > 0
    await any_sandbox.write(any_sandbox.root / "go", b"")
    waiting = "while [ ! -s late.txt ]; do sleep 0.02; done"
    assert (await any_sandbox.run(Command(["bash", "-c", waiting], any_sandbox.root, timeout=30))).exit_code == 0
    assert list(await any_sandbox.note(None)) == [b"go", b"late.txt"]
