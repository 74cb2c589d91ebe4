"""Words in which letters of other alphabets stand for Latin ones: `scope` with a Cyrillic o is another name.

Only what looks the same is told: a word whose foreign letters are all lookalikes, and which is Latin besides or joined
by a dot to a word that is (a domain, an attribute). So a Russian sentence, a Greek formula and a word of two languages
stay quiet, and so does a word of lookalikes alone: in its own language it is an ordinary word.
"""

import re
import unicodedata

_LOOKALIKE = re.compile(
    "["
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u0475\u04bb\u04cf\u0501\u051b\u051d"  # Cyrillic
    "\u0405\u0406\u0408\u0410\u0412\u0415\u041a\u041c-\u041e\u0420-\u0423\u0425\u04ae\u04c0\u051a\u051c"
    "\u03bd\u03bf\u03f2\u03f3\u0391\u0392\u0395-\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"  # Greek
    "\u03f9\u0566\u0570\u0575\u0578\u057d\u0581\u0585"  # Armenian
    "\u13a0-\u13f4"  # Cherokee
    "\u2160-\u217f\U0001d400-\U0001d7cb"  # numerals and letters of formulas, which Python reads as plain letters
    "]"
)
_NAME = re.compile(r"\w+(?:\.\w+)*")
_LATIN = re.compile("[A-Za-z]")
_PLAIN = "\U0001d400"  # from here on a lookalike is one in any word: no language is written with it


def lookalikes(text: str) -> tuple[str, ...]:
    """The words of a text that look like other words, in order, each once."""
    if _LOOKALIKE.search(text) is None:
        return ()
    found = [word for name in _NAME.findall(text) if not name.isascii() for word in _in_name(name)]
    return tuple(dict.fromkeys(found))


def spelled(word: str) -> str:
    """A word with its lookalikes as code points."""
    return _LOOKALIKE.sub(lambda found: _code_point(found[0]), word)


def _in_name(name: str) -> list[str]:
    is_latin = _LATIN.search(name) is not None
    return [word for word in name.split(".") if _looks_latin(word, is_latin)]


def _looks_latin(word: str, is_latin: bool) -> bool:
    foreign = [letter for letter in word if not letter.isascii() and _is_letter(letter) and not _is_latin(letter)]
    if not foreign or any(_LOOKALIKE.match(letter) is None for letter in foreign):
        return False
    return is_latin or any(letter >= _PLAIN for letter in foreign)


def _is_letter(character: str) -> bool:
    return character.isalpha() or unicodedata.category(character) == "Nl"


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN")


def _code_point(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"
