"""Keys that come while no prompt reads them: in a conversation each of them counts when its turn comes."""

import os
import pty
import termios

import anyio
import pytest

from cli.ask import as_typed
from cli.keys import Keys

TALK = ("{tools: [{Bash: {command: 'echo two >> a.txt'}}]}", "{text: Done.}")


@pytest.fixture
def talk(terminal, project, script):
    """Opens a conversation, with variables of its own, and leads it through a first turn that changes a file."""

    def opened(**more):
        seen = terminal("--script", script(*TALK), cwd=project, **more)
        seen.wait_for("/help")
        seen.send("go\r")
        seen.wait_for("default · 1 file pending")
        return seen

    return opened


@pytest.fixture
def talking(talk):
    """Such a conversation."""
    return talk()


@pytest.mark.engine
def test_ctrl_d_while_a_command_works_ends_the_conversation_after_it(talking):
    talking.send("/status\r")
    talking.send_between_prompts("\x04")
    assert talking.end() == 0
    assert "a.txt" in talking.screen


@pytest.mark.engine
def test_a_command_typed_while_another_works_is_carried_out_after_it(talking):
    talking.send("/status\r")
    talking.send_between_prompts("/mode\r")
    talking.wait_for("mode: default (there are")
    talking.send("\x04")
    assert talking.end() == 0


@pytest.mark.engine
def test_ctrl_d_in_a_turn_ends_the_conversation_after_it(terminal, project, script):
    turns = script("{tools: [{Bash: {command: 'echo begun; sleep 2; echo two >> a.txt'}}]}", "{text: All is done.}")
    seen = terminal("--script", turns, cwd=project)
    seen.wait_for("/help")
    seen.send("go\r")
    seen.wait_for("begun")
    seen.send_between_prompts("\x04")
    assert seen.end() == 0
    assert "All is done." in seen.screen
    assert "1 file pending" in seen.screen


@pytest.mark.engine
def test_an_editor_within_a_conversation_finds_a_terminal_as_ever(talk, project, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ncase "$1" in *.txt) echo "which word?"; read -r word; echo "$word" >> "$1" ;; esac\n')
    editor.chmod(0o755)
    seen = talk(EDITOR=str(editor))
    seen.press("/review\r", "[  pending ]")
    seen.press("e", "which word?")
    seen.press("mime\x7f\x7fne\r", "edited by you")
    seen.press("a", "as edited by you")
    seen.press("y", "applied 1 file")
    seen.press("\x04", "applied 1 file")
    assert seen.end() == 0
    assert (project / "a.txt").read_text() == "one\ntwo\nmine\n"


@pytest.fixture
def ends():
    """A terminal: whose keys are pressed on the one end are read on the other."""
    found = pty.openpty()
    yield found
    for end in found:
        os.close(end)


def test_what_is_typed_arrives_as_it_was_typed_and_the_terminal_is_what_it_was(ends):
    keys, read = ends
    before = termios.tcgetattr(read)
    with as_typed(read):
        os.write(keys, b"a\r\x04")
        assert os.read(read, 10) == b"a\r\x04"
    assert termios.tcgetattr(read) == before


@pytest.mark.parametrize(
    ("pressed", "typed", "leaves"),
    [
        (b"\x04", "", True),
        (b"a\x7f\x04", "", True),
        (b"\r\x04", "\n", True),
        (b"a\x04", "a", False),
        (b"go on\r\x04", "go on\n", False),
        (b"go on", "go on", False),
    ],
)
def test_ctrl_d_in_a_turn_is_heard_on_an_empty_line_only_as_at_the_prompt(ends, pressed, typed, leaves):
    async def watch():
        keys = Keys(lambda: None, ends[1])
        async with anyio.create_task_group() as group:
            group.start_soon(keys.watch)
            os.write(ends[0], pressed)
            with anyio.fail_after(20):
                while (keys.typed, keys.leaves) != (typed, leaves):  # noqa: ASYNC110 - nobody tells of a key
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()

    with as_typed(ends[1]):
        anyio.run(watch)
