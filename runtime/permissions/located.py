"""JSON read strictly, and on which line each of its values stands: an error or a rule can then be pointed at."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

Steps = tuple[str | int, ...]
"""The way to a value: keys and positions, from the top."""

_PIECE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]|[^\s{}\[\],:"]+', re.DOTALL)


class BadJson(ValueError):
    """This is not the JSON we take; `line` is where it goes wrong."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def parsed(text: str) -> tuple[object, Mapping[Steps, int]]:
    """The value, and the line of every value in it, from 1. Raises BadJson."""
    try:
        value: object = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise BadJson(error.msg[:1].lower() + error.msg[1:], error.lineno) from error
    except _NoNumber as error:
        raise BadJson(f"{error} is no number of JSON", _line_of(text, str(error))) from error
    except ValueError as error:  # a number with more digits than Python converts
        raise BadJson("a number is too long", 1) from error
    except RecursionError as error:
        raise BadJson("is nested too deeply", 1) from error
    return value, _lines(text)


class _NoNumber(Exception):
    pass


def _refuse(name: str) -> None:
    raise _NoNumber(name)


def _line_of(text: str, word: str) -> int:
    return text.count("\n", 0, text.index(word)) + 1


@dataclass
class _Open:
    """An object or a list that has begun: what is next in it, and the keys it has had."""

    steps: Steps
    is_object: bool
    is_key: bool = False
    next: str | int = 0
    keys: set[str] = field(default_factory=set)


def _lines(text: str) -> Mapping[Steps, int]:
    """A walk over the pieces of valid JSON, without recursion. Raises BadJson for a key that is given twice."""
    found: dict[Steps, int] = {}
    stack: list[_Open] = []
    line = 1
    for piece in _PIECE.findall(text):
        if piece == "\n":
            line += 1
        elif piece in ("}", "]"):
            stack.pop()
        elif piece == ":":
            stack[-1].is_key = False
        elif piece == ",":
            _go_on(stack[-1])
        elif stack and stack[-1].is_key:
            _begin(stack[-1], json.loads(piece), line)
        else:
            steps: Steps = (*stack[-1].steps, stack[-1].next) if stack else ()
            found[steps] = line
            if piece in ("{", "["):
                stack.append(_Open(steps, piece == "{", is_key=piece == "{"))
    return found


def _begin(around: _Open, key: str, line: int) -> None:
    if key in around.keys:
        raise BadJson(f"{json.dumps(key)} is given twice, and which one counts would be a guess", line)
    around.keys.add(key)
    around.next = key


def _go_on(around: _Open) -> None:
    if around.is_object:
        around.is_key = True
    elif isinstance(around.next, int):
        around.next += 1


def nearest(lines: Mapping[Steps, int], steps: Sequence[str | int]) -> int:
    """The line of a value, or of the innermost one around it that has a line."""
    way = tuple(steps)
    while way not in lines:
        way = way[:-1]
    return lines[way]
