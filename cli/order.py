"""What a user asked an agent to do, checked, as one value."""

import sys
from dataclasses import dataclass
from pathlib import Path

from cli import exits
from cli.ask import has_person
from cli.choosing import Wanted
from cli.options import BaseKind, Dial, Format, Mode, ProfileName
from cli.ports import wanted_ports
from cli.settled import Terms

LONGEST_PROMPT = 10 * 1024 * 1024  # bytes
DIALS: dict[Mode, Dial] = {"plan": "never", "acceptEdits": "auto", "default": "ask", "bypassPermissions": "ask"}


@dataclass(frozen=True)
class Order:
    """The options `paddock run` and a conversation share. `resume` is an id, `newest` asks for the newest session."""

    directory: Path | None = None
    model: str = ""
    mode: Mode = "default"
    apply: Dial | None = None
    max_turns: int | None = None
    max_budget: float | None = None
    image: str = "base"
    resume: str = ""
    newest: bool = False
    output: Format = "text"
    partial: bool = False
    verbose: bool = False
    script: Path | None = None
    deletions: int | None = None
    settings: str = ""
    sync: bool = False
    profile: ProfileName | None = None
    runtime: str = ""
    base: BaseKind | None = None
    publish: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()

    def checked(self) -> "Order":
        """The same, if it makes sense. Raises Misuse."""
        if self.resume and self.newest:
            raise exits.Misuse("--continue and --resume name two sessions: give one of them")
        if self.partial and self.output != "stream-json":
            raise exits.Misuse("--include-partial-messages needs --output-format stream-json")
        if self.script is not None and not self.script.is_file():
            raise exits.Misuse(f"there is no script {self.script}")
        if self.sync and self.apply == "never":
            raise exits.Misuse("--sync applies and --apply never does not: give one of them")
        wanted_ports(self.publish)
        return self

    @property
    def wanted(self) -> Wanted:
        """What it says about the sandbox."""
        return Wanted(self.profile, self.runtime, self.base, self.settings, self.allow)

    @property
    def terms(self) -> Terms:
        """Who decides on the changes at the end."""
        return Terms(
            self.apply or DIALS[self.mode],
            is_explicit=self.apply is not None,
            can_ask=self.output == "text" and has_person(),
            deletions=self.deletions,
            settings=self.settings,
        )


def read_prompt(prompt: str) -> str:
    """The prompt itself; `-` reads it from stdin. Raises Misuse for an empty or an endless one."""
    if prompt == "-":
        data = sys.stdin.buffer.read(LONGEST_PROMPT + 1)
        if len(data) > LONGEST_PROMPT:
            raise exits.Misuse("the prompt on stdin is over 10 MB: put it into a file of the project and name the file")
        prompt = data.decode("utf-8", "replace")
    if not prompt.strip():
        raise exits.Misuse('the prompt is empty: `paddock run "fix the failing test"`')
    return prompt


def title_of(prompt: str) -> str:
    """A session's title: the start of its first prompt."""
    return prompt.strip().split("\n")[0][:80]
