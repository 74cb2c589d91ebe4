"""What deserves a second look before it is approved: judged by names and facts, never by what the model says."""

import fnmatch
import unicodedata
from typing import Final

from sandbox.changes import Change, File, Link

BIG: Final = 1024 * 1024  # bytes

_NAMES: Final = """
    .gitmodules .gitattributes .pre-commit-config.yaml lefthook.yml .envrc .env .tool-versions mise.toml .nvmrc makefile
    gnumakefile justfile cmakelists.txt build.rs pom.xml package.json .npmrc .pnpmfile.cjs conftest.py pytest.ini
    tox.ini noxfile.py setup.py setup.cfg pyproject.toml sitecustomize.py usercustomize.py pyvenv.cfg .pdbrc
    ipython_config.py gemfile rakefile .irbrc .gdbinit .lldbinit .vimrc .exrc .nvim.lua .dir-locals.el .editorconfig
    .ripgreprc .bashrc .bash_profile .profile .zshrc .zshenv .zprofile .inputrc .gitconfig jenkinsfile .gitlab-ci.yml
    claude.md agents.md gemini.md .mcp.json .cursorrules
"""
_PATTERNS: Final = (
    ".env.* *.code-workspace taskfile.y*ml *.mk build.gradle* settings.gradle* gradlew* mvnw* .yarnrc* *.config.js "
    "*.config.cjs *.config.mjs *.config.ts .eslintrc.* .babelrc* *.pth .pythonrc* rust-toolchain* dockerfile* "
    "compose*.y*ml docker-compose*.y*ml .windsurf* .aider*"
)
_FOLDERS: Final = """
    .githooks .husky .vscode .idea .fleet .devcontainer .mise .mvn .yarn .cargo .ssh .circleci .github .claude .cursor
    .codex .agents .gemini .paddock
"""
RUNS_LATER_NAMES: Final = frozenset(_NAMES.split())
RUNS_LATER_PATTERNS: Final = tuple(_PATTERNS.split())
RUNS_LATER_FOLDERS: Final = frozenset(_FOLDERS.split())


def warnings(change: Change) -> tuple[str, ...]:
    """Short remarks, the gravest first; none for an ordinary edit."""
    found: list[str] = []
    if change.moved:
        found.append("you changed this file too")
    if change.after is None:
        found.append("deletes")
    elif runs_later(change.path):
        found.append("may run by itself")
    match change.before, change.after:
        case ((None | File(executable=False)), File(executable=True)):
            found.append("executable")
        case _, Link():
            found.append("link")
        case _, File(size=size) if size > BIG:
            found.append("big")
    if change.kind == "type":
        found.append("changes its type")
    return tuple(found)


def by_risk(change: Change) -> tuple[int, bytes]:
    """A sort key: what has remarks comes first, then by name."""
    return (0 if warnings(change) else 1, change.path)


def runs_later(path: bytes) -> bool:
    """Whether some program on the host may run or obey this file without being asked to."""
    parts = [_folded(part) for part in path.split(b"/")]
    name = parts[-1]
    return (
        name in RUNS_LATER_NAMES
        or any(part in RUNS_LATER_FOLDERS for part in parts)
        or any(fnmatch.fnmatchcase(name, pattern) for pattern in RUNS_LATER_PATTERNS)
    )


def _folded(part: bytes) -> str:
    """A name as a case-blind, Unicode-folding file system would see it; invisible characters do not count."""
    text = unicodedata.normalize("NFKC", part.decode("utf-8", "surrogateescape")).casefold()
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf").rstrip(". ")
