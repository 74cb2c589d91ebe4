"""Who commits on the host: the user, by their own settings; and whether they sign.

Name, address and key may be set by the repository, as git allows: they are data. A program to sign with may not: a
downloaded repository could name any. It counts only from the user's own settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.commits.hostgit import Git, as_person
from sandbox.commits.repository import Repository
from sandbox.errors import CommitRefused

PASSED_ON = (
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
    "GIT_CONFIG_GLOBAL",
    "GNUPGHOME",
    "GPG_TTY",
    "SSH_AUTH_SOCK",
    "DISPLAY",
    "WAYLAND_DISPLAY",
)
"""The variables that say who the user is and with what they sign: no other one reaches git."""

_PROGRAMS = r"^gpg\.(.+\.)?(program|defaultkeycommand)$"
_STRANGERS = (b"local", b"worktree")


@dataclass(frozen=True)
class Committer:
    """The user as git knows them in one repository. `signs`: their settings ask for signed commits."""

    git: Git
    signs: bool


def committer(repository: Repository, variables: Mapping[str, str]) -> Committer:
    """Who would commit there. Raises CommitRefused without a name, or if the repository says what program signs."""
    environment = as_person({name: variables[name] for name in PASSED_ON if name in variables})
    git = Git(
        repository.folder,
        settings={"user.useConfigOnly": "true", "i18n.commitEncoding": "UTF-8"},
        environment=environment,
    )
    for role in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        if git.ask("var", role).code != 0:
            raise CommitRefused(
                "git does not know who you are: set it with "
                '`git config --global user.name "…"` and `git config --global user.email "…"`'
            )
    signs = git.ask("config", "--type=bool", "--get", "commit.gpgSign").output.strip() == b"true"
    if signs and _is_program_chosen_by_repository(git):
        raise CommitRefused(
            "commits are to be signed with a program that the repository's own settings name, which paddock never "
            "starts: name it in your own settings, or commit by hand"
        )
    return Committer(git, signs)


def _is_program_chosen_by_repository(git: Git) -> bool:
    listed = git.ask("config", "-z", "--show-scope", "--name-only", "--get-regexp", _PROGRAMS).output
    return any(scope in _STRANGERS for scope in listed.split(b"\0")[::2])
