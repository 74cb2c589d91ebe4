"""The grammar of a permission rule, read strictly: `Tool`, `Tool(*)` or `Tool(specifier)`.

Rules about editing are also rules about effects: `Edit(src/**)` means every change under `src`, whoever made it.
All others are about tool calls; they are read, checked and kept.
"""

import fnmatch
import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from sandbox.gate.names import folded
from sandbox.gate.patterns import BadPattern, Pattern

Judgement = Literal["deny", "ask", "allow"]
JUDGEMENTS: Final[tuple[Judgement, ...]] = get_args(Judgement)
"""In the order in which they are asked: the first that has a rule for a path decides."""

Scope = Literal["managed", "command line", "local", "project", "user", "paddock"]
PROJECT_SCOPES: Final[tuple[Scope, ...]] = ("local", "project")
"""What lies in the repository, and may therefore only make rules tighter."""

_TOOLS: Final = """
    Agent Artifact AskUserQuestion Bash BashOutput Cd Edit EnterPlanMode EnterWorktree ExitPlanMode ExitWorktree Glob
    Grep KillBash KillShell LS LSP ListMcpResources ListMcpResourcesTool Monitor MultiEdit NotebookEdit NotebookRead
    PowerShell Read ReadMcpResource ReadMcpResourceTool SendMessage Skill SlashCommand Task TaskCreate TaskGet TaskList
    TaskOutput TaskStop TaskUpdate TodoRead TodoWrite ToolSearch WebFetch WebSearch Workflow Write
"""
TOOLS: Final = frozenset(_TOOLS.split())
NEVER_ASKED: Final = frozenset(("Glob", "Grep", "LS", "MultiEdit", "NotebookEdit", "Write"))
"""Tools whose path rules are accepted, as everywhere, and mean nothing: `Edit` and `Read` cover all that have paths."""
_READING: Final = frozenset(("Glob", "Grep", "LS"))

_RULE: Final = re.compile(r"([A-Za-z*][A-Za-z0-9_*-]*)(?:\((.*)\))?")
_MCP: Final = re.compile(r"mcp__[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*(?:__.*)?")
_PARAMETER: Final = re.compile(r"[A-Za-z_]+:.*")


class BadRule(ValueError):
    """This is no rule; the text says why."""


@dataclass(frozen=True)
class Source:
    """A settings file. `name` is how people know it; `root` is the folder that `/x` in its rules begins at."""

    scope: Scope
    name: str
    root: str


@dataclass(frozen=True)
class Reach:
    """Which paths a rule about editing means. `root` None: `pattern` is for paths of the checkout, else below `root`.

    `folded` matches names as the most forgiving file system compares them; only rules that forbid or ask have one.
    """

    root: str | None
    pattern: Pattern
    folded: Pattern | None

    def covers(self, place: "Spot") -> bool:
        """Whether it means this path."""
        names = place.below(self.root)
        if names is None:
            return False
        if self.pattern.matches(names, is_folder=place.is_folder):
            return True
        if self.folded is None or (place.is_plain and self._is_plain):
            return False
        return self.folded.matches(place.folded[len(place.folded) - len(names) :], is_folder=place.is_folder)

    @functools.cached_property
    def _is_plain(self) -> bool:
        return self.folded is not None and self.folded.parts == self.pattern.parts

    def spells_out(self, place: "Spot") -> bool:
        """Whether it names this very path, letter by letter."""
        names = place.below(self.root)
        return bool(self.pattern.literal) and names is not None and "/".join(names) == self.pattern.literal


@dataclass(frozen=True)
class Spot:
    """A path of the checkout that a rule may mean, and the checkout's own real path.

    No `checkout`: the path begins at the root of the file system, and is none of a checkout.
    """

    checkout: str
    path: str
    is_folder: bool = False

    def below(self, root: str | None) -> Sequence[str] | None:
        """The names from `root` (None: the checkout) down to the path; None if it is not below that."""
        if root is None:
            return self._names if self.checkout else None
        above = root.rstrip("/") + "/"
        return self._absolute[len(above) :].split("/") if self._absolute.startswith(above) else None

    @functools.cached_property
    def folded(self) -> Sequence[str]:
        """The names of the absolute path, as the most forgiving file system compares them."""
        return [folded(os.fsencode(name)) for name in self._absolute.split("/")]

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether every file system compares the path as it is written."""
        return self.folded == self._absolute.split("/")

    @functools.cached_property
    def _names(self) -> Sequence[str]:
        return self.path.split("/")

    @functools.cached_property
    def _absolute(self) -> str:
        return f"{self.checkout.rstrip('/')}/{self.path}"


@dataclass(frozen=True)
class Rule:
    """One rule of one settings file. `specifier` is empty for every use of the tool; `reach` is for rules on effects.

    `line` is where in the file it stands, 0 where there are no lines. `reason` is the author's own, for people.
    """

    judgement: Judgement
    tool: str
    specifier: str
    source: Source
    line: int = 0
    reason: str = ""
    reach: Reach | None = None

    @property
    def text(self) -> str:
        """The rule as it is written."""
        return f"{self.tool}({self.specifier})" if self.specifier else self.tool

    @property
    def where(self) -> str:
        """The file and line."""
        return f"{self.source.name}:{self.line}" if self.line else self.source.name

    @property
    def is_on_effects(self) -> bool:
        """Whether changes are judged by it."""
        return fnmatch.fnmatchcase("Edit", self.tool)

    def covers(self, place: Spot) -> bool:
        """Whether it is about a change at this path."""
        return self.is_on_effects and (self.reach is None or self.reach.covers(place))

    def spells_out(self, place: Spot) -> bool:
        """Whether it names this very path: only then does it allow what has an effect of its own."""
        return self.reach is not None and self.reach.spells_out(place)


def parse(text: str, judgement: Judgement, source: Source, home: str) -> Rule:
    """Read one rule. Raises BadRule."""
    found = _RULE.fullmatch(text)
    if found is None:
        raise BadRule("is not of the form Tool or Tool(specifier)")
    tool, specifier = found[1], found[2]
    if specifier == "":
        raise BadRule(f"has nothing between its parentheses: write {tool} for every use of it")
    specifier = "" if specifier in (None, "*") else specifier
    _check_tool(tool, judgement)
    _check_specifier(tool, specifier, judgement)
    if not specifier or tool not in ("Edit", "Read"):
        return Rule(judgement, tool, specifier, source)
    try:
        reach = reach_of(specifier, judgement, source, home)
    except BadPattern as error:
        raise BadRule(str(error)) from error
    return Rule(judgement, tool, specifier, source, reach=reach)


def reach_of(specifier: str, judgement: Judgement, source: Source, home: str) -> Reach:
    """Which paths a specifier means. Raises BadPattern.

    `//x` begins at the root of the file system, `~/x` at home, `/x` at the settings file's own folder, and `x` or
    `./x` at the checkout. Of the last kind, `src/**` allows only the checkout's own `src`, but forbids any.
    """
    is_wide = judgement != "allow"
    root: str | None = None
    match specifier[:2]:
        case "//":
            root, text = "/", specifier[1:]
        case "~/":
            root, text = home, specifier[1:]
        case "./":
            text = specifier[2:]
            if not is_wide and "/" not in text.rstrip("/"):
                text = "/" + text
        case _ if specifier.startswith("/"):
            root, text = source.root, specifier
        case _:
            text = specifier
    if root is None and is_wide and re.fullmatch(r"[^/]+/\*\*", text) and text != "**/**":
        text = f"**/{text}"
    pattern = Pattern.parse(text)
    return Reach(root, pattern, pattern.folded if is_wide else None)


def notice_of(rule: Rule) -> str:
    """What its author should know about a rule that is accepted, or the empty string."""
    if rule.specifier and rule.tool in NEVER_ASKED:
        tool = "Read" if rule.tool in _READING else "Edit"
        return f"{rule.where}: {rule.text} does nothing: {tool}({rule.specifier}) covers every tool that has paths"
    return ""


def _check_tool(tool: str, judgement: Judgement) -> None:
    if tool in TOOLS:
        return
    if tool.startswith("mcp__") and _MCP.fullmatch(tool.replace("*", "x")):
        server = tool[len("mcp__") :].partition("__")
        if judgement == "allow" and ("*" in server[0] or ("*" in tool and not server[1])):
            raise BadRule("allows servers by a wildcard: write mcp__ and the server's name before the first *")
        return
    if "*" in tool:
        if judgement == "allow":
            raise BadRule("allows tools by a wildcard: name the tool")
        return
    close = next((known for known in TOOLS if known.lower() == tool.lower()), "")
    raise BadRule(f"names no tool{f': did you mean {close}?' if close else ''}")


def _check_specifier(tool: str, specifier: str, judgement: Judgement) -> None:
    """What a tool's specifier may be; the tools that take paths check theirs by reading it."""
    if not specifier:
        return
    if tool.startswith("mcp__") or tool == "WebSearch" or "*" in tool:
        raise BadRule(f"has a specifier, and {tool} takes none")
    match tool:
        case "WebFetch":
            if not specifier.startswith("domain:") or specifier == "domain:":
                raise BadRule("is not of the form WebFetch(domain:example.com)")
        case "Bash" | "PowerShell" | "Edit" | "Read" | "Agent" | "Task" | "Skill" | "SlashCommand" | "Cd":
            pass
        case _ if tool in NEVER_ASKED:
            pass
        case _:
            if not _PARAMETER.fullmatch(specifier):
                raise BadRule(f"is not of the form {tool}(parameter:value)")
            if judgement == "allow":
                raise BadRule("allows by a parameter's value, which only deny and ask can do")
