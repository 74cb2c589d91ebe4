"""Names that programs on the host look for: what runs, steers an agent, or holds secrets, wherever it lies in a tree.

The names are as `sandbox.gate.names.folded` gives them. In the lists, `name/` is a folder with all that is in it,
`*` stands for anything within a name, and `folder/name` is a name that counts in that folder only.
"""

import fnmatch
import functools
import re
from dataclasses import dataclass
from typing import Final

Found = tuple[tuple[str, str], ...]
"""Effects as (name of the effect, reason)."""


@dataclass(frozen=True)
class _Group:
    effect: str
    reason: str
    patterns: str


_GROUPS: Final = (
    _Group(
        "runs later",
        "git obeys it, and it can name programs that git runs",
        ".gitmodules .gitattributes .gitconfig .config/git/ .githooks/ .husky/ .pre-commit-config.yaml lefthook* "
        ".lefthook*",
    ),
    _Group(
        "runs later",
        "an editor runs or obeys it when it opens the folder",
        ".vscode/ *.code-workspace .idea/ .fleet/ .zed/ .devcontainer/ .devcontainer.json .vimrc .exrc .nvim.lua "
        ".nvimrc .dir-locals.el .editorconfig pyrightconfig.json",
    ),
    _Group(
        "runs later",
        "a shell or a version manager runs or obeys it when somebody enters the folder",
        ".env* .tool-versions mise.toml .mise.toml mise.local.toml .mise.local.toml .mise/ .nvmrc",
    ),
    _Group(
        "runs later",
        "a build runs it",
        "makefile gnumakefile *.mk justfile .justfile taskfile.y*ml cmakelists.txt build.rs build.gradle* "
        "settings.gradle* gradlew* gradle/wrapper/ mvnw* .mvn/ pom.xml .bazel* .cargo/ rust-toolchain* gemfile "
        "rakefile",
    ),
    _Group(
        "runs later",
        "npm, yarn, pnpm, bun or a tool of theirs runs or obeys it",
        "package.json .npmrc .yarnrc* .pnpmfile.cjs .pnp.* .yarn/ bunfig.toml *.config.js *.config.cjs *.config.mjs "
        "*.config.ts .eslintrc* .babelrc* node_modules/.bin/",
    ),
    _Group(
        "runs later",
        "Python or a tool of its runs or obeys it by itself",
        "conftest.py pytest.ini tox.ini noxfile.py setup.py setup.cfg pyproject.toml sitecustomize.py usercustomize.py "
        "*.pth pyvenv.cfg site-packages/ bin/python* bin/activate* .venv/bin/ venv/bin/ .pythonrc* .pdbrc "
        "ipython_config.py",
    ),
    _Group(
        "runs later",
        "a program that is started in this folder reads its orders from it",
        ".irbrc .gdbinit .lldbinit .ripgreprc",
    ),
    _Group(
        "runs later",
        "a shell or a login runs or obeys it",
        ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin "
        ".zlogout .inputrc .ssh/",
    ),
    _Group(
        "runs later",
        "containers are built or started from it",
        "dockerfile* *.dockerfile containerfile* compose*.y*ml docker-compose*.y*ml",
    ),
    _Group(
        "runs later",
        "a CI service runs it, with rights of its own",
        ".github/workflows/ .github/actions/ .gitlab-ci.yml jenkinsfile .circleci/ .buildkite/ .travis.yml "
        "azure-pipelines.yml .drone.yml",
    ),
    _Group(
        "agent configuration",
        "a coding agent takes orders, tools or rights from it",
        ".claude/ .claude.json claude.md claude.local.md agents.md agents.override.md gemini.md .mcp.json .cursor/ "
        ".cursorrules .codex/ .agents/ .gemini/ .windsurf* .aider* .github/copilot-instructions.md "
        ".github/instructions/ .github/prompts/ .github/agents/ .opencode/ opencode.json* .clinerules* .roo/ .roomodes "
        ".kiro/ .continue/ .junie/ .amazonq/ .goosehints .worktreeinclude",
    ),
    _Group("agent configuration", "Paddock takes its own settings from it", ".paddock/ .paddock*"),
    _Group(
        "secrets",
        "files of this name hold keys or passwords",
        ".env* *.env .dev.vars* .secrets* *.tfstate* .vault-token *.pem *.key *.p12 *.pfx *.jks *.keystore *.kdbx "
        "*.ppk id_rsa* id_dsa* id_ecdsa* id_ed25519* credentials* client_secret*.json kubeconfig* "
        ".npmrc .netrc _netrc .pypirc .git-credentials .pgpass .my.cnf .htpasswd .dockercfg .docker/config.json "
        "service-account*.json secrets.y*ml secrets.json .aws/ .azure/ .gnupg/ .kube/ .ssh/",
    ),
)


@dataclass(frozen=True)
class _Tables:
    names: dict[str, list[_Group]]
    globs: list[tuple[re.Pattern[str], _Group]]
    folders: dict[str, list[_Group]]
    pairs: dict[str, list[tuple[str, bool, _Group]]]


def _tables() -> _Tables:
    tables = _Tables({}, [], {}, {})
    for group in _GROUPS:
        globs: list[str] = []
        for pattern in group.patterns.split():
            is_folder = pattern.endswith("/")
            above, _, name = pattern.rstrip("/").rpartition("/")
            if above:
                tables.pairs.setdefault(above, []).append((name, is_folder, group))
            elif is_folder:
                tables.folders.setdefault(name, []).append(group)
            elif "*" in name:
                globs.append(fnmatch.translate(name))
            else:
                tables.names.setdefault(name, []).append(group)
        if globs:
            tables.globs.append((re.compile("|".join(globs)), group))
    return tables


_TABLES: Final = _tables()
TELLING: Final = frozenset(_TABLES.folders)
"""The folders that `of_folder` knows."""
PAIRED: Final = frozenset(_TABLES.pairs)
"""The first names of what `of_pair` knows."""


@functools.lru_cache(maxsize=65536)
def of_name(name: str) -> Found:
    """What the last part of a path says by itself."""
    groups = list(_TABLES.names.get(name, ()))
    groups += [group for glob, group in _TABLES.globs if glob.match(name)]
    return tuple((group.effect, group.reason) for group in groups)


def of_folder(name: str) -> Found:
    """What any one part of a path says about all that is below it."""
    return tuple((group.effect, group.reason) for group in _TABLES.folders.get(name, ()))


def of_pair(above: str, name: str, *, is_last: bool) -> Found:
    """What two neighbouring parts say together; a pattern for a file counts at the end of the path only."""
    return tuple(
        (group.effect, group.reason)
        for pattern, is_folder, group in _TABLES.pairs.get(above, ())
        if (is_folder or is_last) and fnmatch.fnmatchcase(name, pattern)
    )


def of_pairs_in(above: str) -> Found:
    """What a folder of this name may hold that tells something."""
    return tuple((group.effect, group.reason) for _, _, group in _TABLES.pairs.get(above, ()))
