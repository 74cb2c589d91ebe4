"""Events, drawn: nothing hostile reaches the terminal, calls do not mix, long output is cut and said to be."""

import io

import pyte
import pytest

from cli.screen.events import TextScreen
from cli.screen.stream_json import JsonScreen
from cli.screen.terminal import Terminal
from runtime.events import (
    AssistantMessage,
    Denied,
    Finished,
    LimitsReached,
    Notice,
    Partial,
    Retrying,
    Started,
    TextDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    Usage,
)
from sandbox.limits import LimitReached

HOSTILE = [
    "\x1b[1A\x1b[2Kgone",
    "\x1b]0;title\x07",
    "\x1b]52;c;aGk=\x07",
    "\x1bP$q\x1b\\",
    "\x9b31mred",
    "a\rb",
    "\x08\x08\x08",
    "\u202eevil",
    "\u2066x\u2069",
    "zero\u200bwidth",
    "\U000e0041tag",
    "\x0b\x0c\x1c\x85\u2028",
    "[link=file:///etc]x[/link] {0} %s <script>",
]


class Tty(io.StringIO):
    def isatty(self):
        return True


def drawn(*events, tty=False, verbose=False):
    stream = Tty() if tty else io.StringIO()
    terminal = Terminal(stream, color=False)
    screen = TextScreen(terminal, terminal, verbose=verbose)
    for event in events:
        screen(event)
    screen.close()
    return stream.getvalue()


def started(call_id="1", name="Bash", summary="make"):
    return ToolStarted(call_id, name, {}, summary)


def output(text, call_id="1"):
    return ToolOutput(call_id, "stdout", text.encode("utf-8", "surrogateescape"))


def finished(call_id="1", name="Bash", text="", *, is_error=False, detail=None):
    return ToolFinished(call_id, name, text, is_error, 0.0, detail or {})


def everything(text):
    return [
        TextDelta(text),
        AssistantMessage("u", {"content": []}),
        Notice(text, "warning"),
        Retrying(1, 2, 3.0, None, text),
        started(name=text, summary=text),
        output(text + "\n" + text),
        Denied("9", text, {}, text),
        finished(text=text, is_error=True, detail={"exitCode": text}),
        started("2", "Edit", text),
        finished("2", "Edit", text, detail={"structuredPatch": [{"lines": ["+" + text, "-" + text]}]}),
        started("3", "TodoWrite", text),
        finished("3", "TodoWrite", text, detail={"newTodos": [{"status": "pending", "content": text}]}),
        Finished("failed", text, 1, 1.0, 1.0, Usage(), text, error=text),
    ]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("verbose", [False, True])
def test_v03_no_control_byte_of_theirs_reaches_the_stream(text, verbose):
    shown = drawn(*everything(text), verbose=verbose)
    assert [letter for letter in shown if not letter.isprintable() and letter != "\n"] == []


@pytest.mark.parametrize("text", HOSTILE[:8])
def test_an_emulator_is_left_as_it_was(text):
    screen = pyte.Screen(80, 100)
    pyte.Stream(screen).feed(drawn(*everything(text)).replace("\n", "\r\n"))
    assert screen.title == ""
    assert all(cell.fg == "default" for row in screen.buffer.values() for cell in row.values())


def test_v21_an_escape_sequence_cut_in_two_does_not_join():
    shown = drawn(
        TextDelta("a\x1b"), TextDelta("]11;?\x07b"), started(), output("\x1b]1"), output("1;?\x07\n"), finished()
    )
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_calls_side_by_side_are_shown_one_after_the_other():
    shown = drawn(
        started("1", "Bash", "first"),
        started("2", "Bash", "second"),
        output("two\n", "2"),
        output("one\n", "1"),
        finished("2"),
        finished("1"),
    )
    assert [line.strip(" │●") for line in shown.splitlines()] == ["Bash  first", "one", "Bash  second", "two"]


def test_long_output_keeps_its_head_and_tail_and_says_how_much_is_missing():
    shown = drawn(started(), output("".join(f"{n}\n" for n in range(100))), finished())
    lines = [line.strip(" │") for line in shown.splitlines()[1:]]
    assert lines == [*map(str, range(6)), "… 88 more lines", *map(str, range(94, 100))]


def test_verbose_shows_every_line():
    shown = drawn(started(), output("".join(f"{n}\n" for n in range(100))), finished(), verbose=True)
    assert [line.strip(" │") for line in shown.splitlines()[1:]] == list(map(str, range(100)))


def test_a_command_is_shown_whole_and_a_path_as_people_know_it():
    begin = Started("s", "/code", "m", "default", ())
    long = "cd /code/x && " + "true && " * 60 + "true"
    shown = drawn(
        begin, started("1", "Bash", long), finished("1"), started("2", "Read", "/code/x/a.py"), finished("2", "Read")
    )
    assert long in shown
    assert "● Read  x/a.py" in shown


def test_a_command_of_several_lines_keeps_them():
    assert drawn(started(summary="one\ntwo"), finished()).splitlines() == ["● Bash  one", "        two"]


def test_a_failed_command_says_its_exit_code():
    done = finished(is_error=True, text="exit code 3", detail={"exitCode": 3})
    assert drawn(started(), done).splitlines()[-1] == "  ╰ exit code 3"


def test_v16_an_output_line_is_fenced_so_that_it_cannot_pose_as_a_question():
    shown = drawn(started(), output("apply a.txt? [y]es [n]o\n"), finished())
    assert "  │ apply a.txt? [y]es [n]o" in shown.splitlines()


@pytest.mark.parametrize("verbose", [False, True])
def test_v16_a_line_too_long_for_the_terminal_stays_behind_the_fence(verbose, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    spoof = "x" * 76 + "apply a.txt? [y]es [n]o"
    summary = "y" * 72 + "applied 3 files"
    shown = drawn(started(summary=summary), output(spoof + "\n"), finished(), tty=True, verbose=verbose)
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(shown.replace("\n", "\r\n"))
    rows = [row.rstrip() for row in screen.display if row.strip()]
    assert [row for row in rows if row.startswith(("apply", "applied"))] == []
    assert "applied 3 files" in "".join(rows)
    assert ("  │ apply a.txt? [y]es [n]o" in rows) is verbose


def test_off_a_terminal_nothing_moves_and_nothing_is_coloured():
    terminal = Terminal(io.StringIO(), color=None)
    terminal.status("waiting")
    terminal.line(terminal.style("x", "red"))
    assert terminal.stream.getvalue() == "x\n"


def test_the_status_line_leaves_no_trace():
    stream = Tty()
    terminal = Terminal(stream, color=False)
    terminal.status("thinking")
    terminal._draw("*")
    terminal.line("done")
    terminal.close()
    screen = pyte.Screen(80, 5)
    pyte.Stream(screen).feed(stream.getvalue().replace("\n", "\r\n"))
    assert [line.rstrip() for line in screen.display] == ["done", "", "", "", ""]


def test_a_limit_that_was_reached_is_a_line_and_the_end_counts_it():
    limit = LimitReached("memory", 4 * 1024**3)
    shown = drawn(
        started(),
        finished(),
        LimitsReached("1", [limit]),
        Finished("success", "", 1, 1.0, 1.0, Usage(), "m", limits={"memory": 2, "/tmp": 1}),
    )
    assert "\nmemory limit 4 GiB reached\n" in shown
    assert "done · 1 turn · 1.0 s · limits reached: memory (2), /tmp" in shown


def test_json_lines_are_ascii_and_the_result_waits_for_the_truth():
    written = []
    screen = JsonScreen(written.append)
    screen(Started("s", "/w", "m", "default", ("Bash",)))
    screen(Partial({"type": "ping"}))
    screen(Notice("\x1b[2J\u202e"))
    screen(Finished("success", "hi\x07", 1, 1.0, 1.0, Usage(), "m"))
    assert ['"type":"result"' in line for line in written] == [False, False]
    screen.settle({"state": "unchanged"})
    assert '"host":{"state":"unchanged"}' in written[-1]
    assert all(line.isascii() and line.strip().isprintable() and line.endswith("\n") for line in written)


def test_only_the_result_is_one_line():
    written = []
    screen = JsonScreen(written.append, only_result=True)
    screen(Started("s", "/w", "m", "default", ()))
    screen(Finished("failed", "", 1, 1.0, 1.0, Usage(), "m", error="boom"))
    screen.settle({})
    assert len(written) == 1
