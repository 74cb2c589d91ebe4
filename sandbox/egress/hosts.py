"""Host names in their one form, and patterns over them: what is not plainly a name of a host is none.

One name has many spellings (`A.Example.`, a full stop of another script, a number that is an address); if the one that
is judged were not the one that is connected to, a list of allowed hosts would mean nothing.
"""

import re
from dataclasses import dataclass

LONGEST = 253
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def canonical(name: str) -> str:
    """A host's name: lower case, ASCII, no dot at its end. Raises ValueError for anything else, addresses among it."""
    if not name.isascii():
        raise ValueError("it is not ASCII: write it as xn--…")
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if not name or len(name) > LONGEST or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("it is no name of a host")
    if _NUMBER.fullmatch(labels[-1]):
        raise ValueError("it is an address: only names are reached")
    return name


@dataclass(frozen=True)
class Pattern:
    """Which hosts are meant: one by its name, or with `*.` all below a name, at any depth, and not the name itself.

    The meaning is that of Claude Code's `allowedDomains`. `port` is for one that is neither 80 nor 443.
    """

    name: str
    is_below: bool = False
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Whether a host in its one form is meant, at this port."""
        return port in ((80, 443) if self.port is None else (self.port,)) and self._means(host)

    def denies(self, host: str, port: int) -> bool:
        """Whether a host is meant by one who wants nothing to go there: without a port, that is every port."""
        return self.port in (None, port) and self._means(host)

    def _means(self, host: str) -> bool:
        return host.endswith(f".{self.name}") if self.is_below else host == self.name

    def __str__(self) -> str:
        return f"{'*.' if self.is_below else ''}{self.name}{'' if self.port is None else f':{self.port}'}"


def is_pattern(text: str) -> bool:
    """Whether `pattern` takes it."""
    try:
        pattern(text)
    except ValueError:
        return False
    return True


def pattern(text: str) -> Pattern:
    """What `registry.example`, `*.registry.example` or `registry.example:8443` means.

    Raises ValueError for a pattern that is none, and for one over a whole top level (`*`, `*.com`).
    """
    rest, colon, number = text.partition(":")
    port = None
    if colon:
        if not re.fullmatch(r"[1-9][0-9]{0,4}", number, re.ASCII) or int(number) > 65535:
            raise ValueError(f"{text!r} does not end in a port")
        port = int(number)
    is_below = rest.startswith("*.")
    try:
        name = canonical(rest.removeprefix("*."))
    except ValueError as error:
        raise ValueError(f"{text!r} names no host: {error}") from None
    if is_below and "." not in name:
        raise ValueError(f"{text!r} would be every host there is below {name}: name them more closely")
    return Pattern(name, is_below, port)
