"""The script of a scripted model: what it answers, turn by turn. YAML or JSON; `docs/script.md` shows the whole format.

    turns:
      - text: Let me see what fails.
        tools:
          - Bash: {command: "python3 -m pytest -q", description: Run the tests}
      - expect: "1 failed"                 # the last tool results must match this regular expression
        text: "The sign is wrong."
        tools:
          - Read: {file_path: "{{cwd}}/adder.py"}
      - error: {status: 529, times: 2}     # fail twice, then answer
        text: Done.

A turn is chosen by how many answers the conversation already holds, so a script needs no memory: retries, `--continue`
and several conversations at once all work. After the last turn the model says that the script has ended.
`{{cwd}}` is the workspace, `{{prompt}}` what the user said last; anything else in braces stays as it is.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

LARGEST = 8 * 1024 * 1024


class ScriptError(Exception):
    """A script cannot be used; the text names the file and the place in it."""


class Part(pydantic.BaseModel):
    """A part of a script. Unknown keys are refused: a misspelt one would silently do nothing."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Failure(Part):
    """An HTTP error instead of an answer, `times` times (0: for ever), with `retry_after` seconds if given."""

    status: Annotated[int, pydantic.Field(ge=400, le=599)]
    times: Annotated[int, pydantic.Field(ge=0)] = 1
    retry_after: Annotated[float | None, pydantic.Field(ge=0)] = None
    message: str = "scripted error"


class Cut(Part):
    """The stream ends after so many events, `times` times (0: for ever)."""

    after: Annotated[int, pydantic.Field(ge=0)]
    times: Annotated[int, pydantic.Field(ge=0)] = 1


class Raw(Part):
    """A response body as it is, for what no model would say."""

    body: str
    content_type: str = "text/event-stream"
    status: int = 200


class Tool(Part):
    """One tool call. Written short as `- Bash: {command: ls}`, or in full with `name`, `input` and `id`."""

    name: str
    input: Mapping[str, Any] = {}
    id: str = ""
    raw_input: str | None = None
    """The input's JSON as it is streamed, for one that is not valid."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:  # noqa: ANN401  # whatever the file holds
        if isinstance(value, dict) and len(value) == 1 and "name" not in value:
            ((name, given),) = value.items()
            return {"name": name, "input": given or {}}
        return value


class Usage(Part):
    """The token counts the answer reports. Left out: estimated from its length."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


class Turn(Part):
    """One answer of the model."""

    expect: str | None = None
    thinking: str = ""
    text: str = ""
    tools: tuple[Tool, ...] = ()
    stop: Literal["end_turn", "tool_use", "max_tokens", "pause_turn", "refusal", "stop_sequence"] | None = None
    usage: Usage = Usage()
    delay: Annotated[float, pydantic.Field(ge=0, description="Seconds before the answer begins")] = 0.0
    pace: Annotated[float, pydantic.Field(ge=0, description="Seconds between the pieces of the answer")] = 0.0
    error: Failure | None = None
    cut: Cut | None = None
    raw: Raw | None = None

    @pydantic.field_validator("expect")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from error
        return pattern

    @pydantic.field_validator("cut", mode="before")
    @classmethod
    def _short_cut(cls, value: Any) -> Any:  # noqa: ANN401  # whatever the file holds
        return {"after": value} if isinstance(value, int) else value


class Script(Part):
    """All turns, and what to say when they are used up."""

    turns: tuple[Turn, ...]
    ending: str = "(The script has no more turns.)"


class Loader(yaml.SafeLoader):
    """YAML without aliases: a few of them, nested, would grow a small file without end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias where a value is expected."""
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed here", problem_mark=mark)
        return super().compose_node(parent, index)


def load_script(path: Path) -> Script:
    """Read a script. Raises ScriptError that names the file, the place and what is wrong."""
    try:
        if path.stat().st_size > LARGEST:
            raise ScriptError(f"{path} is larger than {LARGEST // 1024 // 1024} MiB: a script is a small file")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ScriptError(f"the script {path} cannot be read: {reason}") from error
    return parse_script(text, name=str(path))


def parse_script(text: str, *, name: str = "the script") -> Script:
    """A script from its text, YAML or JSON. Raises ScriptError."""
    try:
        data = json.loads(text) if name.endswith(".json") else yaml.load(text, Loader=Loader)  # noqa: S506  # it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise ScriptError(f"{name}{place}: {error.problem or 'is not YAML'}") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ScriptError(f"{name}: {error}") from error
    try:
        return Script.model_validate(data)
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part + 1) if isinstance(part, int) else part for part in fault["loc"])
        raise ScriptError(f"{name}: {place or 'the file'}: {fault['msg']}") from error
