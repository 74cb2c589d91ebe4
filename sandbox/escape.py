r"""Make untrusted text safe to show: every character that comes out is printable, and nothing is lost.

What would not be seen, or would act on a terminal, is written as `\x1b` (one byte: a control below U+0080, or a byte
that is not UTF-8), `\u202e` or `\U000e0041` (a code point). A backslash stays as it is unless the text itself holds
something that reads like one of these: then its backslashes are doubled. So `"\n"` in a source file looks the way it
was written, and an escape on the screen is always one that we put there.
"""

import re
import unicodedata
from collections import Counter

from sandbox.lookalikes import lookalikes, spelled

_SPELLED = r"x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}"
_TO_LOOK_AT = re.compile(r"[^ -~]|\\")
_BACKSLASHES = re.compile(rf"(\\+)(?={_SPELLED})")
_BACKSLASHES_AT_END = re.compile(r"\\+\Z")
_WRITTEN = re.compile(rf"(\\+)({_SPELLED})")

# Printable by Unicode's categories, and yet nothing is drawn, or the character before it is drawn differently.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)
_MOST_MARKS = 4  # combining marks on one character: more of them climb over the lines above

_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HIDDEN = re.compile(
    "[\u00ad\u034f\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u3164\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_TERMINAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")  # before \n, it only ends a line
_ALARMS = {
    "holds bidirectional control characters, which make text read differently from what it is": _BIDI,
    "holds characters that are not visible": _HIDDEN,
    "holds control characters that act on a terminal": _TERMINAL,
}
_LONGEST_WORD = 40  # letters of a word that an alarm names
_MOST_WORDS = 3


def escape(text: str | bytes, *, tabs: bool = False) -> str:
    """Untrusted text in a form that may be written to a terminal, a log or a page.

    Bytes are read as UTF-8; those that are not become `\\xNN`. Line feeds are escaped too: split first (`lines` in
    `sandbox.gate.matching`). `tabs` keeps tab characters as they are, for content whose tab stops the caller knows.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if _TO_LOOK_AT.search(text) is None:
        return text
    pieces: list[str] = []
    literal: list[str] = []
    marks = _MOST_MARKS  # at the very start there is nothing to combine with
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) or unicodedata.category(character) in _MARKS else 0
        if _is_shown(character, tabs) and marks <= _MOST_MARKS:
            literal.append(character)
            continue
        pieces += _literal(literal, before_escape=True), _spell(character)
        literal = []
    pieces.append(_literal(literal, before_escape=False))
    return "".join(pieces)


def unescape(text: str) -> str:
    """The text that `escape` was given; for bytes, encode the result with `"utf-8", "surrogateescape"`."""
    return _WRITTEN.sub(_read, text)


def alarms(text: str | bytes, before: str | bytes = "") -> tuple[str, ...]:
    """What a reviewer should be told about the text, beside seeing it escaped; empty for ordinary text.

    `before` is what the text replaces: what was in there as often already is not told again.
    """
    new, old = _text(text), _text(before)
    found = [sentence for sentence, pattern in _ALARMS.items() if _is_more(pattern, new, old)]
    known = set(lookalikes(old))
    words = [word for word in lookalikes(new) if word not in known]
    if words:
        shown = ", ".join(spelled(escape(word[:_LONGEST_WORD])) for word in words[:_MOST_WORDS])
        more = f" and {len(words) - _MOST_WORDS:,} more" if len(words) > _MOST_WORDS else ""
        found.append(f"holds letters that look like Latin ones and are not: {shown}{more}")
    return tuple(found)


def _text(text: str | bytes) -> str:
    return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text


def _is_more(pattern: re.Pattern[str], new: str, old: str) -> bool:
    """Whether any one of the characters in question is there more often than before."""
    return pattern.search(new) is not None and bool(Counter(pattern.findall(new)) - Counter(pattern.findall(old)))


_MARKS = ("Mn", "Me", "Mc")


def _is_shown(character: str, tabs: bool) -> bool:
    if character == "\t":
        return tabs
    return character.isprintable() and _INVISIBLE.match(character) is None


def _literal(characters: list[str], *, before_escape: bool) -> str:
    text = _BACKSLASHES.sub(r"\1\1", "".join(characters))
    return _BACKSLASHES_AT_END.sub(lambda found: found[0] * 2, text) if before_escape else text


def _spell(character: str) -> str:
    point = ord(character)
    if point < 0x80:
        return f"\\x{point:02x}"
    if 0xDC80 <= point <= 0xDCFF:  # how Python holds a byte that is not UTF-8
        return f"\\x{point - 0xDC00:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _read(found: re.Match[str]) -> str:
    backslashes, spelled = found[1], found[2]
    kept = "\\" * (len(backslashes) // 2)
    if len(backslashes) % 2 == 0:
        return kept + spelled
    point = int(spelled[1:], 16)
    if spelled[0] == "x" and point >= 0x80:
        point += 0xDC00
    return kept + chr(point)
