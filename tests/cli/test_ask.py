"""Questions on a terminal: only keys pressed after the question count, and the safe answer is the default."""

import os
import pty
import threading
import time

import pytest

from cli.ask import Person
from cli.screen.terminal import Terminal

ANSWERS = {"y": "yes", "n": "no", "q": "quit"}


class Seat:
    """A person at a terminal: what they type later, and the question they see."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.stdin = os.fdopen(os.dup(self.slave))
        self.out = os.fdopen(os.dup(self.slave), "w")
        self.person = Person(Terminal(self.out), self.stdin)

    def type(self, keys, after=0.3):
        def press():
            time.sleep(after)
            for key in keys if isinstance(keys, list) else [keys]:
                os.write(self.master, key)
                time.sleep(0.1)

        threading.Thread(target=press).start()

    def close(self):
        self.stdin.close()
        self.out.close()
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def seat():
    found = Seat()
    yield found
    found.close()


@pytest.mark.parametrize("typed", [b"y\n", b"yes\r", b"Y\n", b"n\x7fy\n"])
def test_yes_is_yes(seat, typed):
    seat.type(typed)
    assert seat.person.choose("apply?", ANSWERS, "n") == "y"


@pytest.mark.parametrize("typed", [b"\n", b"\x04", b"n\n"])
def test_the_empty_answer_is_the_safe_one(seat, typed):
    seat.type(typed)
    assert seat.person.choose("apply?", ANSWERS, "n") == "n"


def test_v17_what_was_typed_before_the_question_is_no_answer(seat):
    os.write(seat.master, b"y\n")
    time.sleep(0.1)
    seat.type(b"n\n")
    assert seat.person.choose("apply?", ANSWERS, "n") == "n"


def test_v17_a_paste_is_no_answer(seat):
    seat.type([b"\x1b[200~y\ny\n\x1b[201~", b"n\n"])
    assert seat.person.choose("apply?", ANSWERS, "n") == "n"


def test_an_arrow_key_is_no_answer(seat):
    seat.type([b"\x1b[A", b"q\n"])
    assert seat.person.choose("apply?", ANSWERS, "n") == "q"


def test_an_unknown_answer_is_asked_again(seat):
    seat.type([b"maybe\n", b"q\n"])
    assert seat.person.choose("apply?", ANSWERS, "n") == "q"


@pytest.mark.parametrize(
    ("typed", "is_sure"),
    [(b"1204\n", True), (b"1,204\n", True), (b"y\n", False), (b"1203\n", False), (b"\n", False), (b"\x04", False)],
)
def test_a_number_is_confirmed_only_by_typing_it(seat, typed, is_sure):
    seat.type(typed)
    assert seat.person.confirm_number("1,204 files will be deleted.", 1204) == is_sure


def test_ctrl_c_leaves_the_question(seat):
    seat.type(b"\x03")
    with pytest.raises(KeyboardInterrupt):
        seat.person.confirm("apply?")
