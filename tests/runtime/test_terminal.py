"""The Terminal tool, with real programs on a real terminal; and the screen, whatever bytes come."""

from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.tools.keys import KEYS, bytes_of
from runtime.tools.screen import Screen
from runtime.tools.terminal import TerminalInput
from tests.runtime.test_tools import Bench, at_bench


def test_a_program_that_asks_is_answered(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        asked = await desk.use("Terminal", {"command": 'read -p "Name? " name; echo "Hello, $name."; sleep 1000'})
        assert asked.text.endswith(" s; it waits for input; cursor in row 1, column 7 of 24 x 80\nName?")
        answered = await desk.use("Terminal", {"id": "bash_1", "input": "you", "keys": ["Enter"], "wait_for": "^Hello"})
        assert answered.detail["screen"] == ["Name? you", "Hello, you."]
        assert (asked.detail["waitsForInput"], answered.detail["waitsForInput"]) == (True, False)

    at_bench(tmp_path, test)


def test_a_prompt_of_an_interpreter_is_worked_like_by_a_person(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        first = await desk.use("Terminal", {"command": "python3 -q", "wait_for": "^>>>"})
        assert first.detail["screen"][-1] == ">>>"
        sent = {"id": "bash_1", "input": "6 * 7", "keys": ["Enter"], "wait_for": "^42$"}
        assert (await desk.use("Terminal", sent)).detail["screen"] == [">>> 6 * 7", "42", ">>>"]
        ended = await desk.use("Terminal", {"id": "bash_1", "keys": ["Ctrl-D"]})
        assert "bash_1 has ended" in ended.text
        assert (ended.detail["status"], ended.detail["exitCode"]) == ("exited", 0)

    at_bench(tmp_path, test)


def test_a_screen_is_what_is_drawn_and_not_what_was_said(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        drawing = r"printf 'gone\r\033[2Jnew'; printf '\033[3;5Hthere\033[31m red\033[0m'; sleep 1000"
        given = {"command": drawing, "rows": 5, "columns": 20, "wait_for": "red"}
        result = await desk.use("Terminal", given)
        assert result.detail["screen"] == ["new", "", "    there red"]
        assert "\x1b" not in result.text

    at_bench(tmp_path, test)


def test_a_resized_terminal_is_redrawn(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Terminal", {"command": "trap 'clear; stty size' WINCH; while :; do sleep 0.1; done"})
        result = await desk.use("Terminal", {"id": "bash_1", "rows": 10, "columns": 40, "wait_for": "10 40"})
        assert result.detail["screen"] == ["10 40"]

    at_bench(tmp_path, test)


def test_a_flood_is_drawn_to_its_end_and_interrupted(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Terminal", {"command": "bash --norc", "wait_for": "[$#]"})
        await desk.use("Terminal", {"id": "bash_1", "input": "yes", "keys": ["Enter"], "timeout": 1500})
        with anyio.fail_after(30):
            done = await desk.use("Terminal", {"id": "bash_1", "keys": ["Ctrl-C"], "wait_for": r"\^C"})
            done = await desk.use(
                "Terminal", {"id": "bash_1", "input": "echo qu''iet", "keys": ["Enter"], "wait_for": "^quiet"}
            )
        assert "quiet" in done.detail["screen"]

    at_bench(tmp_path, test)


def test_what_does_not_show_in_time_is_said(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Terminal", {"command": "echo up; sleep 1000", "wait_for": "never", "timeout": 4000})
        assert result.text.endswith("\nup\n(`never` does not show after 4 s)")

    at_bench(tmp_path, test)


def test_a_program_that_asks_its_terminal_is_answered(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        asking = r"printf 'abc\033[6n'; IFS= read -rsd R answer; printf '\n%q' \"$answer\"; sleep 1000".replace(
            '\\"', '"'
        )
        result = await desk.use("Terminal", {"command": asking, "wait_for": "1;4"})
        assert result.detail["screen"][-1] == r"$'\E[1;4'"

    at_bench(tmp_path, test)


def test_only_a_terminal_is_typed_at(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Bash", {"command": "sleep 1000", "run_in_background": True})
        assert "has no terminal" in await desk.refused("Terminal", {"id": "bash_1"})
        await desk.use("Terminal", {"command": "sleep 1000", "timeout": 100})
        assert (await desk.use("KillShell", {"shell_id": "bash_2"})).text == "bash_2 was killed with all its processes"
        assert "bash_2 was killed" in (await desk.use("Terminal", {"id": "bash_2", "input": "x"})).text

    at_bench(tmp_path, test)


@pytest.mark.parametrize(
    ("key", "data"),
    [("Enter", b"\r"), ("ctrl-c", b"\x03"), ("Ctrl-[", b"\x1b"), ("Alt-x", b"\x1bx"), ("Alt-Enter", b"\x1b\r"),
     ("UP", b"\x1b[A"), ("PgDn", b"\x1b[6~"), ("x", b"x"), ("ä", "ä".encode()), ("-", b"-")],
)  # fmt: skip
def test_keys_have_names(key: str, data: bytes) -> None:
    assert bytes_of(key) == data


@pytest.mark.parametrize("key", ["", "Ctrl-", "Ctrl-ab", "Hyper-x", "\x03", "\n", "Entre"])
def test_what_is_no_key_is_refused_with_those_there_are(key: str) -> None:
    with pytest.raises(ValueError, match="PageDown"):
        TerminalInput(id="bash_1", keys=(key,))


@pytest.mark.parametrize("given", [{}, {"command": "x", "id": "bash_1"}, {"command": "a\0"}])
def test_a_terminal_is_a_new_one_or_one_there_is(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"takes `command`|NUL"):
        TerminalInput(**given)


SEQUENCES = st.lists(
    st.one_of(
        st.binary(max_size=8),
        st.builds(
            lambda prefix, numbers, final: b"\x1b[" + prefix + b";".join(b"%d" % one for one in numbers) + final,
            st.sampled_from([b"", b"?", b">", b"!", b" "]),
            st.lists(st.integers(0, 10**9), max_size=6),
            st.sampled_from([bytes([number]) for number in range(0x40, 0x7F)]),
        ),
        st.sampled_from(
            [b"\x1b]0;", b"\x9b", b"\x1b#8", b"\x1b(0", b"\x0e", b"\xcc\x81", b"\x1b[?1049h", b"\xf0\x9f\x98\x80"]
        ),
        st.sampled_from(["e\u0301", "\u200b", "漢字", "\u202e"]).map(str.encode),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(SEQUENCES)
def test_no_bytes_break_the_screen_nor_put_a_control_character_on_it(pieces: list[bytes]) -> None:
    screen = Screen(10, 40)
    for piece in pieces:
        screen.feed(piece)
    screen.resize(8, 30)
    rows = screen.rows()
    assert len(rows) <= 8
    assert not [character for row in rows for character in row if ord(character) < 32 or character == "\x7f"]


def test_half_of_a_wide_letter_that_was_written_over_is_a_blank() -> None:
    screen = Screen(2, 10)
    screen.feed("\u6f22\u5b57|\r".encode() + b"ab")
    assert screen.rows() == ["ab\u5b57|"]
    screen.feed("\r \u6f22\r".encode() + b"x")
    assert screen.rows() == ["x\u6f22 |"]
    screen.feed(b"\rxy")
    assert screen.rows() == ["xy  |"]


def test_few_bytes_do_not_draw_much() -> None:
    screen = Screen(10, 40)
    for _ in range(3):
        screen.feed(b"e" + "\u0316".encode() * 2000)
        screen.feed(b"\x1b[C\x1b[D" + "\u0316".encode() * 2000)
    screen.feed(b"\x1b#8\x1b[?3h\x1b[?5h")
    assert screen.size == (10, 40)
    assert screen.rows() == ["".join(f"e{chr(0x316) * 8}" for _ in range(3))]


def test_every_key_is_named_in_what_the_model_is_told() -> None:
    assert all(bytes_of(name) for name in KEYS)
