"""Questions to a person: on a terminal, answered by keys that were pressed after the question appeared."""

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator, Mapping
from typing import Final, TextIO

from cli.screen.terminal import Terminal

PASTE_ON: Final = "\x1b[?2004h"
PASTE_OFF: Final = "\x1b[?2004l"
PASTE_START: Final = b"200~"  # what follows ESC and [
PASTE_END: Final = b"\x1b[201~"
LONGEST: Final = 64  # bytes of an answer


def has_person(stdin: TextIO = sys.stdin, stdout: TextIO = sys.stdout) -> bool:
    """Whether somebody can be asked: both ends of the conversation are a terminal."""
    try:
        return stdin.isatty() and stdout.isatty()
    except ValueError:  # a closed stream
        return False


class Person:
    """Asks on a terminal. Use only where `has_person()`.

    What was typed before a question appeared is thrown away, and pasted text is no answer: both could have been put
    there by what is being judged. Raises KeyboardInterrupt on Ctrl-C; the end of input (Ctrl-D) is the empty answer.
    When `given_up`, a descriptor, can be read from, nobody wants to know any more, and the answer is the empty one.
    """

    def __init__(self, terminal: Terminal, stdin: TextIO = sys.stdin, given_up: int | None = None) -> None:
        self._terminal = terminal
        self._stdin = stdin
        self._given_up = given_up

    def choose(self, question: str, answers: Mapping[str, str], default: str) -> str:
        """One of `answers` (letter → meaning, shown as `[y]es`); an empty line is `default`. Asks until it knows."""
        shown = " ".join(f"[{key}]{meaning[len(key) :]}" for key, meaning in answers.items())
        while True:
            typed = self.read(f"{question} {self._terminal.style(shown, 'bold')} ").lower()
            if not typed or self._is_given_up:
                return default
            for key, meaning in answers.items():
                if typed in (key, meaning.split(" ")[0]):
                    return key
            self._terminal.line(f"please answer with one of: {', '.join(answers)} (Enter: {answers[default]})")

    def confirm(self, question: str) -> bool:
        """Yes or no; the empty answer is no."""
        return self.choose(question, {"y": "yes", "n": "no"}, "n") == "y"

    def confirm_number(self, question: str, number: int) -> bool:
        """Whether exactly this number is typed: a habit types `y`, and nobody types 1,204 by habit."""
        typed = self.read(f"{question} Type the number to confirm it: ")
        return typed.replace(",", "") == str(number)

    def read(self, prompt: str) -> str:
        """One line, typed after the prompt appeared, stripped."""
        terminal = self._terminal
        terminal.status()
        terminal.end_line()
        descriptor = self._stdin.fileno()
        with _keys(descriptor, terminal):
            terminal.write(prompt)
            line = b"" if self._waited_in_vain(descriptor) else _read_line(descriptor, terminal)
        terminal.write("\n")
        return line.decode("utf-8", "replace").strip()

    @property
    def _is_given_up(self) -> bool:
        return self._given_up is not None and bool(select.select([self._given_up], [], [], 0)[0])

    def _waited_in_vain(self, descriptor: int) -> bool:
        """Wait for a first key; whether the question was given up before."""
        if self._given_up is None:
            return False
        return self._given_up in select.select([descriptor, self._given_up], [], [])[0]


@contextlib.contextmanager
def terminal_restored(descriptor: int | None = None) -> Iterator[None]:
    """Whatever happens in the body, the terminal is afterwards what it was."""
    descriptor = sys.stdin.fileno() if descriptor is None else descriptor
    before = termios.tcgetattr(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def as_typed(descriptor: int | None = None) -> Iterator[None]:
    """While no prompt reads, keys wait unchanged for the next that does. The terminal is afterwards what it was.

    Line by line, the terminal would spoil them before anybody could read them: a Ctrl-D becomes a NUL, Enter another
    key. What was pressed before the body begins is spoilt so. Ctrl-C stays a signal.
    """
    descriptor = sys.stdin.fileno() if descriptor is None else descriptor
    with terminal_restored(descriptor):
        modes = termios.tcgetattr(descriptor)
        modes[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR)
        modes[3] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(descriptor, termios.TCSANOW, modes)
        yield


@contextlib.contextmanager
def line_by_line(descriptor: int | None = None) -> Iterator[None]:
    """The terminal as programs expect to find it, for one that is started in the middle of a conversation."""
    descriptor = sys.stdin.fileno() if descriptor is None else descriptor
    with terminal_restored(descriptor):
        modes = termios.tcgetattr(descriptor)
        modes[0] |= termios.ICRNL
        modes[3] |= termios.ICANON | termios.ECHO | termios.IEXTEN | termios.ISIG
        modes[6][termios.VEOF], modes[6][termios.VEOL] = b"\x04", b"\0"  # key by key, these two are numbers
        termios.tcsetattr(descriptor, termios.TCSANOW, modes)
        yield


@contextlib.contextmanager
def _keys(descriptor: int, terminal: Terminal) -> Iterator[None]:
    """Read key by key, with pastes marked as such; what was typed so far is dropped."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSAFLUSH)
        ours = termios.tcgetattr(descriptor)
        ours[3] &= ~termios.ISIG  # Ctrl-C arrives as a key, in whichever thread we read
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, ours)
        terminal.write(PASTE_ON)
        termios.tcflush(descriptor, termios.TCIFLUSH)
        yield
    finally:
        terminal.write(PASTE_OFF)
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def _read_line(descriptor: int, terminal: Terminal) -> bytes:
    line = b""
    while True:
        key = os.read(descriptor, 1)
        match key:
            case b"" | b"\x04":
                return b""
            case b"\x03":
                raise KeyboardInterrupt
            case b"\n" | b"\r":
                return line
            case b"\x7f" | b"\x08":
                if line:
                    line = line[:-1]
                    terminal.write("\b \b")
            case b"\x1b":
                _skip_sequence(descriptor)
            case _ if key.isascii() and key.decode().isprintable() and len(line) < LONGEST:
                line += key
                terminal.write(key.decode())


def _skip_sequence(descriptor: int) -> None:
    """Drop an escape sequence; a paste with all that is in it."""
    if os.read(descriptor, 1) != b"[":
        return
    sequence = b""
    while not sequence or not (sequence[-1:].isalpha() or sequence.endswith(b"~")):
        piece = os.read(descriptor, 1)
        if not piece:
            return
        sequence += piece
    if sequence != PASTE_START:
        return
    pasted = b""
    while not pasted.endswith(PASTE_END):
        piece = os.read(descriptor, 1)
        if not piece:
            return
        pasted = (pasted + piece)[-len(PASTE_END) :]
