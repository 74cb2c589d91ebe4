"""The one file that reads environment variables; everything below is told what they said."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Provider = Literal["anthropic", "bedrock", "vertex"]

ENGINES = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"),
    *("DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH"),
    *("HOME", "XDG_RUNTIME_DIR"),
)


@dataclass(frozen=True)
class Environment:
    """What the environment says.

    `state` is where sessions live, `config` where our own settings are, `cache` what may be deleted at any time.
    `commands` are the folders of PATH. `model` is empty where none is named.
    `has_key`: a key, a token, or a cloud provider with its own chain of credentials. `color` None leaves it to the
    terminal. `yes` answers the questions of set-up, never one about changes. `editor` is a command that opens a file.
    `has_screen`: the terminal can be drawn on anywhere, which one called `dumb` cannot.
    """

    home: Path
    state: Path
    config: Path
    cache: Path
    commands: tuple[str, ...]
    model: str
    provider: Provider
    has_key: bool
    color: bool | None
    debug: bool
    yes: bool
    editor: str
    has_screen: bool


def read(variables: Mapping[str, str] | None = None) -> Environment:
    """Read it once, at the start of a command; tests hand in their own variables."""
    said = os.environ if variables is None else variables
    home = Path(said.get("HOME") or "~").expanduser()
    provider = _provider(said)
    return Environment(
        home=home,
        state=_folder(said, "XDG_STATE_HOME", home / ".local" / "state"),
        config=_folder(said, "XDG_CONFIG_HOME", home / ".config"),
        commands=tuple(folder for folder in said.get("PATH", "").split(os.pathsep) if folder.startswith("/")),
        cache=_folder(said, "XDG_CACHE_HOME", home / ".cache"),
        model=said.get("PADDOCK_MODEL") or said.get("ANTHROPIC_MODEL") or "",
        provider=provider,
        has_key=provider != "anthropic" or bool(said.get("ANTHROPIC_API_KEY") or said.get("ANTHROPIC_AUTH_TOKEN")),
        color=_color(said),
        debug=_is_on(said.get("PADDOCK_DEBUG")),
        yes=_is_on(said.get("YES")) or _is_on(said.get("PADDOCK_YES")),
        editor=said.get("VISUAL") or said.get("EDITOR") or "vi",
        has_screen=said.get("TERM", "dumb") != "dumb",
    )


def of_git(variables: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Those that tell git who the user is and with what they sign, and none besides."""
    from sandbox.commits.identity import PASSED_ON

    said = os.environ if variables is None else variables
    return {name: said[name] for name in PASSED_ON if name in said}


def of_engine(variables: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Those that say where the engine is, and none besides."""
    said = os.environ if variables is None else variables
    return {name: said[name] for name in ENGINES if name in said}


def named(names: Sequence[str], variables: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Those that the user's settings let into the sandbox, by name; what is not set is left out."""
    said = os.environ if variables is None else variables
    return {name: said[name] for name in names if name in said}


def _folder(said: Mapping[str, str], name: str, default: Path) -> Path:
    """One of the XDG folders. The specification says a relative value is to be ignored."""
    value = said.get(name, "")
    return (Path(value) if value.startswith("/") else default) / "paddock"


def _provider(said: Mapping[str, str]) -> Provider:
    if _is_on(said.get("CLAUDE_CODE_USE_BEDROCK")):
        return "bedrock"
    if _is_on(said.get("CLAUDE_CODE_USE_VERTEX")):
        return "vertex"
    return "anthropic"


def _color(said: Mapping[str, str]) -> bool | None:
    """False: never colour. True: always. None: only on a terminal."""
    if said.get("NO_COLOR") or said.get("TERM") == "dumb":
        return False
    return True if _is_on(said.get("FORCE_COLOR")) else None


def _is_on(value: str | None) -> bool:
    return (value or "").strip().lower() not in ("", "0", "false", "no", "off")
