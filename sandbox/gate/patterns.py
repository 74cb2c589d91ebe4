"""Which paths a rule of permissions, or a line of an ignore file, means: gitignore's syntax, matched name by name.

Not by one regular expression for the whole path, as most libraries do: names are the sandbox's, rules may be the
repository's, and together they can keep such an expression busy for years. Here the work is at most the number of
names times the number of the pattern's parts. (The tests hold every answer against pathspec's.)
"""

import fnmatch
import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ANY: Final = "**"
_SPECIAL: Final = re.compile(r"[*?\[\\]")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_BRACKET: Final = re.compile(r"\[[!^]?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_OPEN: Final = re.compile(r"[\[\\]")


class BadPattern(ValueError):
    """This is no pattern that could ever match; the text says why."""


@dataclass(frozen=True)
class Pattern:
    """One pattern, relative to the folder it belongs to. `literal` is the one path it spells out, if it does."""

    parts: tuple[str, ...]
    is_folder: bool
    literal: str

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern strictly: it is somebody's rule. Raises BadPattern."""
        _check(text)
        return cls._of(text)

    @classmethod
    def read(cls, text: str) -> "Pattern":
        """Read a pattern of an ignore file, as git does. Raises BadPattern for what can match nothing there."""
        if _OPEN.search(_BRACKET.sub("", _ESCAPED.sub("", text))):
            raise BadPattern("holds a bracket that is not closed, or ends in a backslash that escapes nothing")
        return cls._of(text)

    @classmethod
    def _of(cls, text: str) -> "Pattern":
        body = text.rstrip("/")
        is_folder = body != text
        parts = tuple(body.removeprefix("/").split("/"))
        if not all(parts):
            raise BadPattern("has nothing between two slashes" if body else "names nothing")
        if "/" not in body:
            parts = (ANY, *parts)
        literal = "" if _SPECIAL.search(body) or is_folder else body.removeprefix("/")
        return cls(parts, is_folder, literal)

    @property
    def name(self) -> str | None:
        """The name that every path it means ends in; None if that is not one only."""
        return None if self.parts[-1] == ANY or _SPECIAL.search(self.parts[-1]) else self.parts[-1]

    @property
    def folded(self) -> "Pattern":
        """The same for names as `sandbox.gate.names.folded` gives them."""
        parts = tuple(unicodedata.normalize("NFKC", part).casefold() for part in self.parts)
        return Pattern(parts, self.is_folder, "")

    def matches(self, names: Sequence[str], *, is_folder: bool) -> bool:
        """Whether the pattern means the path of these names, or a folder above it. `is_folder`: it is one itself.

        `src/**` means the folder `src` too: it comes and goes with what is in it.
        """
        if any(part not in names for part in self._plain):
            return False
        body = self._body
        if body is None:
            return self._walk(names, is_folder=is_folder)
        last = len(names) - len(body)
        for start in range(last + 1 if self._is_anywhere else min(1, last + 1)):
            if all(map(_means, body, names[start : start + len(body)])):
                has_more = start < last
                if has_more or is_folder or not (self.is_folder or self.parts[-1] == ANY):
                    return True
        return False

    def means(self, names: Sequence[str], *, is_folder: bool) -> bool:
        """Whether the pattern means this very path, as a line of an ignore file: what is above it had its own turn."""
        if self.is_folder and not is_folder:
            return False
        body = self._body
        if body is None:
            return self._reaches(names)
        has_tail = self.parts[-1] == ANY  # then something has to be below
        last = len(names) - len(body)
        starts = range(last) if has_tail else range(last, last + 1)
        if not self._is_anywhere:
            starts = range(1) if 0 in starts else range(0)
        return last >= 0 and any(all(map(_means, body, names[at : at + len(body)])) for at in starts)

    def _reaches(self, names: Sequence[str]) -> bool:
        places = self._after_any({0})
        for name in names:
            places = self._after_any({place for at in places for place in self._step(at, name)})
        return len(self.parts) in places

    @functools.cached_property
    def _plain(self) -> Sequence[str]:
        """The parts that have to be there as they are written: most paths have not even those."""
        return [part for part in self.parts if part != ANY and not _SPECIAL.search(part)]

    @functools.cached_property
    def _is_anywhere(self) -> bool:
        return self.parts[0] == ANY

    @functools.cached_property
    def _body(self) -> "tuple[_Part, ...] | None":
        """The parts between a `**` at the front and one at the end; None for a pattern that has more of them."""
        parts = self.parts[1:] if self._is_anywhere else self.parts
        parts = parts[:-1] if len(parts) > 1 and parts[-1] == ANY else parts
        if not parts or ANY in parts:
            return None
        return tuple(map(_part, parts))

    @functools.cached_property
    def _compiled(self) -> "tuple[_Part, ...]":
        return tuple(map(_part, self.parts))

    def _walk(self, names: Sequence[str], *, is_folder: bool) -> bool:
        """The same for any pattern: after every name, all the places where the pattern may go on."""
        end = len(self.parts)
        places = self._after_any({0})
        for depth, name in enumerate(names):
            places = self._after_any({place for at in places for place in self._step(at, name)})
            if end in places and (not self.is_folder or is_folder or depth < len(names) - 1):
                return True
            if not places:
                return False
        return is_folder and len(self.parts) > 1 and self.parts[-1] == ANY and end - 1 in places

    def _step(self, place: int, name: str) -> Sequence[int]:
        """Where the pattern may go on after a name."""
        if place == len(self.parts):
            return ()
        part = self.parts[place]
        if part == ANY:  # at the end it wants at least one name, before that none
            return (place, place + 1) if place == len(self.parts) - 1 else (place,)
        return (place + 1,) if _means(self._compiled[place], name) else ()

    def _after_any(self, places: set[int]) -> set[int]:
        """The same places, and those behind a `**` that takes no name."""
        found = set(places)
        for first in places:
            place = first
            while place < len(self.parts) - 1 and self.parts[place] == ANY:
                place += 1
                found.add(place)
        return found


def _check(text: str) -> None:
    if not text:
        raise BadPattern("names nothing")
    if not text.isprintable():
        raise BadPattern("holds characters that cannot be seen")
    if text.startswith(("#", "!")):
        raise BadPattern(f"begins with {text[0]}, which in gitignore's syntax makes it no pattern: write \\{text[0]}")
    if text != text.strip():
        raise BadPattern("begins or ends with a blank")
    if text.endswith("\\") and not text.endswith("\\\\"):
        raise BadPattern("ends in a backslash that escapes nothing")
    if ".." in text.split("/"):
        raise BadPattern("climbs with `..`: name the folder from `/` or from `~`")


_Part = str | re.Pattern[str]


def _part(part: str) -> _Part:
    return _glob(part) if _SPECIAL.search(part) else part


def _means(part: _Part, name: str) -> bool:
    return part == name if isinstance(part, str) else part.match(name) is not None


@functools.lru_cache(maxsize=1024)
def _glob(part: str) -> re.Pattern[str]:
    """A part without slashes. Python's own translation, which never goes back over a name; it knows no backslash."""
    translated = ""
    place = 0
    while place < len(part):
        bracket = _BRACKET.match(part, place)
        escaped = _ESCAPED.match(part, place)
        if bracket:
            inside = bracket[0][1:-1]
            translated += f"[{'!' + inside[1:] if inside[:1] in '!^' else inside}]"
            place = bracket.end()
        elif escaped:
            translated += f"[{escaped[1]}]" if escaped[1] in "*?[" else escaped[1]
            place = escaped.end()
        else:
            translated += part[place]
            place += 1
    return re.compile(fnmatch.translate(translated))
