"""Keys by name, as the bytes a terminal sends for them. Pure."""

KEYS = {
    "Enter": b"\r",
    "Tab": b"\t",
    "Escape": b"\x1b",
    "Backspace": b"\x7f",
    "Delete": b"\x1b[3~",
    "Up": b"\x1b[A",
    "Down": b"\x1b[B",
    "Right": b"\x1b[C",
    "Left": b"\x1b[D",
    "Home": b"\x1b[1~",
    "End": b"\x1b[4~",
    "PageUp": b"\x1b[5~",
    "PageDown": b"\x1b[6~",
    "Space": b" ",
    "F1": b"\x1b[[A",
    "F2": b"\x1b[[B",
    "F3": b"\x1b[[C",
    "F4": b"\x1b[[D",
    "F5": b"\x1b[[E",
    "F6": b"\x1b[17~",
    "F7": b"\x1b[18~",
    "F8": b"\x1b[19~",
    "F9": b"\x1b[20~",
    "F10": b"\x1b[21~",
    "F11": b"\x1b[23~",
    "F12": b"\x1b[24~",
}
"""As the terminal type `linux` has them; arrows and paging are the same nearly everywhere."""

OTHER_NAMES = {
    "return": "Enter",
    "esc": "Escape",
    "pgup": "PageUp",
    "pgdn": "PageDown",
    "del": "Delete",
    "bs": "Backspace",
}
_BY_NAME = {name.lower(): data for name, data in KEYS.items()} | {
    name: KEYS[meant] for name, meant in OTHER_NAMES.items()
}


def bytes_of(key: str) -> bytes:
    """What a terminal sends for a key: a name, `Ctrl-C`, `Alt-x`, one character. Raises ValueError for what is none."""
    name = key.lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    prefix, dash, rest = key.partition("-")
    modifier = prefix.lower() if dash else ""
    if modifier in ("ctrl", "control", "c") and len(rest) == 1 and "@" <= rest.upper() <= "_":
        return bytes([ord(rest.upper()) & 0x1F])
    if modifier in ("alt", "meta", "m") and rest:
        return b"\x1b" + bytes_of(rest)
    if len(key) == 1 and key.isprintable():
        return key.encode("utf-8", "replace")
    raise ValueError(f"{key[:40]!r} is no key: there are {', '.join(KEYS)}, Ctrl-A to Ctrl-Z, Alt-x, and characters")
