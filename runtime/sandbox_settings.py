"""What settings files say about the sandbox, under `sandbox`: read strictly, and made one choice.

    {"sandbox": {"profile": "strict", "memory": "2g", "cpus": 2, "processes": 256, "disk": "10g", "idle": "30m",
                 "runtime": "crun", "base": "live", "include": [".env.test"], "environment": ["LANG"],
                 "network": {…}}}

Who may say what: managed settings hold, and nobody goes beyond them; a flag or the user's own files choose; a
repository's own can only make it tighter. Claude Code has keys of its own under this name: they are told apart and
change nothing here. What `network` holds is in `runtime.network_settings`.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import pydantic

from runtime.network_settings import LIST, NAMES, NetworkSaid, ours
from runtime.permissions.errors import SettingsError
from runtime.permissions.rules import PROJECT_SCOPES, Source
from runtime.permissions.settings import Document
from runtime.permissions.sources import Files, documents
from sandbox.choice import BaseKind, Choice, ProfileName
from sandbox.sessions import Session

CLAUDES: Final = frozenset(
    """allowAppleEvents allowUnsandboxedCommands autoAllow autoAllowBashIfSandboxed bwrapPath credentials
    enableWeakerNestedSandbox enableWeakerNetworkIsolation enabled enabledPlatforms excludedCommands
    failIfUnavailable filesystem ignoreViolations ripgrep socatPath""".split()  # noqa: SIM905 - read as a text
)
"""Keys that Claude Code gives a meaning; here they have none."""

OWN: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD")
"""Variables that are the sandbox's own."""

LEAST: Final = {"memory": 128 * 1024**2, "processes": 32, "cpus": 0.01}
"""Below this our own part of the sandbox could not do its work, and an engine takes a share of nearly none for all."""

_SIZES: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_TIMES: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PROBLEMS: Final = {
    "string_type": "has to be a string",
    "tuple_type": "has to be a list",
    "int_type": "has to be a whole number",
    "float_type": "has to be a number",
    "bool_type": "has to be true or false",
    "greater_than": "has to be more than 0",
    "string_pattern_mismatch": "has to be a name",
}


def _amount(value: object, units: Mapping[str, int], example: str) -> object:
    """A number, or one with a unit behind it. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"has to be a number, or one with a unit such as {example!r}")  # noqa: TRY004 - pydantic's way
    found = re.fullmatch(r"(\d{1,12})([a-z]?)(?:ib|b)?", str(value).strip().lower())
    if found is None or found[2] not in units:
        raise ValueError(f"has to be a number with a unit such as {example!r}, not {value!r}")
    return int(found[1]) * units[found[2]]


def _bytes(value: object) -> object:
    return _amount(value, _SIZES, "4g")


def _seconds(value: object) -> object:
    return float(str(_amount(value, _TIMES, "30m")))


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"has to be the name of a variable, not {name!r}")
    if name in OWN:
        raise ValueError(f"cannot hold {name}, which is the sandbox's own")
    return name


_Bytes = Annotated[int, pydantic.BeforeValidator(_bytes), pydantic.Field(gt=0)]
_Seconds = Annotated[float, pydantic.BeforeValidator(_seconds)]
_Variable = Annotated[str, pydantic.AfterValidator(_variable)]


class _Said(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    profile: ProfileName | None = None
    runtime: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None = None
    base: BaseKind | None = None
    memory: _Bytes | None = None
    cpus: Annotated[float, pydantic.Field(gt=0)] | None = None
    processes: Annotated[int, pydantic.Field(gt=0)] | None = None
    disk: _Bytes | None = None
    idle: _Seconds | None = None
    include: Annotated[tuple[str, ...], LIST] | None = None
    environment: Annotated[tuple[_Variable, ...], LIST] | None = None
    network: NetworkSaid | None = None
    require_patched: bool | None = pydantic.Field(None, alias="requirePatched")

    @pydantic.model_validator(mode="after")
    def _has_room(self) -> "_Said":
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} has to be at least {least:,}, or nothing could run")
        return self


@dataclass(frozen=True)
class Wish:
    """What one file says: values by name, and where each stands. `name` is the file's."""

    source: Source
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def where(self, key: str) -> str:
        """For a message: the file, and the line of a key."""
        line = self.lines.get(key, 0)
        return f"{self.source.name}:{line}" if line else self.source.name

    @property
    def is_repositorys(self) -> bool:
        """Whether it stands in the checkout, and so may only tighten."""
        return self.source.scope in PROJECT_SCOPES


def wishes(checkout: Path, files: Files, session: Session | None = None) -> tuple[Sequence[Wish], Sequence[str]]:
    """What every settings file says about the sandbox, those with the most say first, and notices.

    What cannot be used in the repository's own files is left out and said so. Raises SettingsError for any other file.
    """
    found: list[Wish] = []
    notices: list[str] = []
    for document in documents(checkout, files, session):
        try:
            wish, told = read(document)
        except SettingsError as error:
            if document.source.scope not in PROJECT_SCOPES:
                raise
            notices.append(f"{error}; what it says of the sandbox is left out")
            continue
        notices += told
        if wish is not None:
            found.append(wish)
    return found, notices


def read(document: Document) -> tuple[Wish | None, Sequence[str]]:
    """What one file says, and what of it means nothing here. Raises SettingsError with the line."""
    said = document.value.get("sandbox")
    if said is None:
        return None, ()
    name = document.source.name
    if not isinstance(said, dict):
        raise SettingsError(f"{name}:{document.line('sandbox')}: sandbox has to be an object")
    theirs = sorted(CLAUDES & said.keys())
    kept = {key: value for key, value in said.items() if key not in CLAUDES}
    vain: Sequence[str] = ()
    if "network" in kept:
        kept["network"], more, vain = ours(kept["network"])
        theirs += [f"network.{key}" for key in more]
    try:
        values = _Said.model_validate(kept).model_dump(exclude_none=True)
    except pydantic.ValidationError as error:
        raise SettingsError(_problem(error, document)) from error
    notices = []
    if theirs:
        keys = ", ".join(theirs)
        where = document.line("sandbox", *theirs[0].split("."))
        notices = [f"{name}:{where}: sandbox.{keys}: a setting of Claude Code, which changes nothing here"]
    if vain:
        where = document.line("sandbox", "network", "allowedDomains")
        notices.append(f"{name}:{where}: {', '.join(map(repr, vain))}: no host that can be allowed here, so it is not")
    lines = {key: document.line("sandbox", _key(key)) for key in values}
    return Wish(document.source, values, lines), notices


def _key(name: str) -> str:
    return "requirePatched" if name == "require_patched" else name


def _problem(error: pydantic.ValidationError, document: Document) -> str:
    problem = error.errors()[0]
    steps = problem["loc"]
    key = str(steps[-1]) if steps else ""
    where = f"{document.source.name}:{document.line('sandbox', *steps[:3])}"
    way = ".".join(["sandbox", *map(str, steps)])
    known = NAMES if steps[:1] == ("network",) else [_key(name) for name in _Said.model_fields]
    match problem["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            return f"{where}: {way} is not known: {hint}"
        case "value_error":
            return f"{where}: {way} {problem['ctx']['error']}"
        case "literal_error":
            return f"{where}: {way} has to be one of {problem['ctx']['expected']}"
        case kind:
            return f"{where}: {way} {_PROBLEMS.get(kind, problem['msg'].lower())}"


def as_wish(choice: Choice) -> Wish:
    """What a session has chosen before, as the user's own word; the command line can change it."""
    said = {name: value for name, value in choice.model_dump(exclude={"machine"}).items() if value is not None}
    return Wish(Source("paddock", "the session", ""), said, {})
