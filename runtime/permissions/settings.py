"""One settings file: read whole or not at all, its rules parsed and their examples tried.

The shape is Claude Code's `settings.json`; only `permissions.allow`, `.ask` and `.deny` mean something here. A rule may
also be an object that says why it is there and what it must and must not match:
`{"rule": "Edit(src/**)", "match": ["src/a.py"], "not_match": ["lib/a.py"], "reason": "…"}`.
"""

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import pydantic

from runtime.permissions.errors import SettingsError
from runtime.permissions.located import BadJson, Steps, nearest, parsed
from runtime.permissions.rules import (
    JUDGEMENTS,
    PROJECT_SCOPES,
    BadRule,
    Judgement,
    Rule,
    Source,
    Spot,
    notice_of,
    parse,
)

LARGEST: Final = 1024 * 1024  # bytes; people write kilobytes
_KNOWN: Final = frozenset((*JUDGEMENTS, "defaultMode", "additionalDirectories", "disableBypassPermissionsMode"))

_PROBLEMS: Final = {
    "list_type": "has to be a list",
    "string_type": "has to be a string",
    "model_type": "has to be an object",
    "extra_forbidden": "is not known here",
    "missing": "is missing",
}


class _Entry(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    rule: str
    match: list[str] = []
    not_match: list[str] = []
    reason: str = ""


class _Permissions(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True, strict=True)

    deny: list[str | _Entry] = []
    ask: list[str | _Entry] = []
    allow: list[str | _Entry] = []


class _Settings(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    permissions: _Permissions = _Permissions()


@dataclass(frozen=True)
class Surroundings:
    """What the paths of rules are relative to: the user's home, and the checkout. Both real paths."""

    home: str
    checkout: str


@dataclass(frozen=True)
class Document:
    """A settings file as JSON, for who reads another part of it than the rules."""

    source: Source
    value: Mapping[str, object]
    lines: Mapping[Steps, int]

    def line(self, *steps: str | int) -> int:
        """On which line a value stands, or what is around it."""
        return nearest(self.lines, steps)


@dataclass(frozen=True)
class Loaded:
    """What one settings file says; `document` is None for one that could not be read."""

    rules: tuple[Rule, ...] = ()
    notices: tuple[str, ...] = ()
    document: Document | None = None


def read_file(path: str) -> bytes | None:
    """What a settings file holds; None if there is none. Links are followed. Raises SettingsError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    try:
        content = read_regular(descriptor)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    if content is None:
        raise SettingsError(f"{path} is not a regular file")
    return content


def read_regular(descriptor: int) -> bytes | None:
    """What an open file holds, at most one byte more than settings may have; None if it is not a regular one.

    Closes it. Raises OSError.
    """
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)


def load(data: bytes, source: Source, around: Surroundings) -> Loaded:
    """The rules of one settings file. Raises SettingsError.

    In a repository's own file, a rule that cannot be read is left out and said so; the others still hold.
    """
    text = _text_of(data, source)
    try:
        value, lines = parsed(text)
    except BadJson as error:
        raise SettingsError(f"{source.name}:{error.line}: {error}") from error
    if not isinstance(value, dict):
        raise SettingsError(f"{source.name}:1: is not a JSON object")
    try:
        said = _Settings.model_validate(value).permissions
    except pydantic.ValidationError as error:
        raise SettingsError(_first_problem(error, source, lines)) from error
    return replace(_Loading(source, around, lines).all_of(said), document=Document(source, value, lines))


@dataclass(frozen=True)
class _Loading:
    source: Source
    around: Surroundings
    lines: Mapping[Steps, int]

    def all_of(self, said: _Permissions) -> Loaded:
        rules: list[Rule] = []
        notices = [
            f"{self.source.name}:{self._line(key)}: permissions.{key} is not known here and does nothing"
            for key in (said.model_extra or {})
            if key not in _KNOWN
        ]
        for judgement in JUDGEMENTS:
            for number, entry in enumerate(getattr(said, judgement)):
                try:
                    rule = self._one(entry, judgement, number)
                except SettingsError as error:
                    if self.source.scope not in PROJECT_SCOPES:
                        raise
                    notices.append(f"{error}; the rule is left out")
                    continue
                rules.append(rule)
                notices += [notice for notice in (notice_of(rule),) if notice]
        return Loaded(tuple(rules), tuple(notices))

    def _one(self, entry: str | _Entry, judgement: Judgement, number: int) -> Rule:
        given = entry if isinstance(entry, _Entry) else _Entry(rule=entry)
        line = self._line(judgement, number)
        try:
            rule = parse(given.rule, judgement, self.source, self.around.home)
        except BadRule as error:
            raise SettingsError(f"{self.source.name}:{line}: the {judgement} rule {given.rule!r} {error}") from error
        rule = replace(rule, line=line, reason=given.reason)
        self._try_examples(rule, given)
        return rule

    def _try_examples(self, rule: Rule, given: _Entry) -> None:
        examples = [(path, True) for path in given.match] + [(path, False) for path in given.not_match]
        if examples and not rule.is_on_effects:
            raise SettingsError(f"{rule.where}: {rule.text} has examples, which only rules of Edit can have")
        for path, is_meant in examples:
            place = _spot(path, self.around.checkout)
            if rule.covers(place) != is_meant:
                wrong = "does not match" if is_meant else "matches"
                kind = "match" if is_meant else "not_match"
                raise SettingsError(f"{rule.where}: {rule.text} {wrong} {path!r}, its own {kind!r} example")

    def _line(self, *steps: str | int) -> int:
        return nearest(self.lines, ("permissions", *steps))


def _spot(path: str, checkout: str) -> Spot:
    """An example: relative to the checkout, or absolute; a folder's ends in a slash."""
    is_folder = path.endswith("/")
    if path.startswith("/") and not path.startswith(f"{checkout}/"):
        return Spot("", path.strip("/"), is_folder)
    inside = path.removeprefix(f"{checkout}/").removeprefix("./")
    return Spot(checkout, inside.rstrip("/"), is_folder)


def _text_of(data: bytes, source: Source) -> str:
    if len(data) > LARGEST:
        raise SettingsError(f"{source.name} has more than {LARGEST:,} bytes, which is too long for settings")
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise SettingsError(f"{source.name}:1: begins with a byte order mark: save it as plain UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{source.name}:{line}: is not UTF-8") from error


def _first_problem(error: pydantic.ValidationError, source: Source, lines: Mapping[Steps, int]) -> str:
    """The error that lies deepest: of two ways to read a rule, the one that came closest."""
    problem = max(error.errors(), key=lambda one: len(one["loc"]))
    steps = [step for step in problem["loc"] if step not in ("str", "_Entry")]
    way = ".".join(str(step) for step in steps)
    what = _PROBLEMS.get(problem["type"], problem["msg"][:1].lower() + problem["msg"][1:])
    return f"{source.name}:{nearest(lines, steps)}: {way} {what}"
