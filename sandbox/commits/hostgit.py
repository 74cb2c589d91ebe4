"""Git on the host, for commits alone: the one file that starts it on something a stranger may have written.

Two things are hostile here. What came out of a sandbox is only ever read in a repository of our own, whose settings we
wrote (`sandbox.commits.quarantine`). And the user's own repository, which no sandbox can write, may be a download with
settings that run programs: it is named to git outright (no discovery), only plumbing runs in it, and what could start a
program is switched off for each call, on the command line, which is stronger than any settings file:

    hooks                       core.hooksPath is no folder
    fsmonitor                   off; nothing we call looks at the work tree with it on
    filters, textconv, diff     no command that reads or writes the work tree, no `diff`, no `log`
    signatures                  nothing that checks them; making one is `sandbox.commits.identity`'s business
    fetching what is missing    GIT_NO_LAZY_FETCH, and no protocol is allowed
    commit-graph, replace refs  could show other parents than the commits have: not read
"""

import os
import resource
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sandbox.errors import CommitRefused
from sandbox.escape import escape

MOST_OUTPUT = 64 * 1024 * 1024
"""Bytes that one answer of git may have: a few objects can describe a tree of billions of files."""

SECONDS = 300.0
MEMORY = 2 * 1024**3
"""Bytes of address space for git on what came out of a sandbox, the packs it maps included."""
_MOST_ERRORS = 64 * 1024  # bytes
_TOLD = 300  # characters of git's own words in a sentence of ours

SAFE_SETTINGS: Mapping[str, str] = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.untrackedCache": "keep",
    "core.alternateRefsCommand": "false",
    "core.sshCommand": "false",
    "core.askPass": "false",
    "core.pager": "cat",
    "core.editor": "false",
    "core.commitGraph": "false",
    "credential.helper": "",
    "diff.external": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
    "log.showSignature": "false",
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "512m",
    "core.bigFileThreshold": "32m",
    "pack.threads": "2",
    "pack.useBitmaps": "false",
}

NEUTRAL: Mapping[str, str] = {
    "PATH": os.defpath,
    "HOME": os.devnull,
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "false",
    "GIT_COMMITTER_NAME": "Paddock",  # in reference logs; or git would ask the network for this machine's name
    "GIT_COMMITTER_EMAIL": "paddock@localhost",
}
"""An environment in which git knows no user, no settings but the repository's, no network and nobody to ask."""

_NOBODYS = (
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_GLOBAL",
    "GIT_ATTR_NOSYSTEM",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
)


def as_person(variables: Mapping[str, str]) -> Mapping[str, str]:
    """The same environment with the user's own settings in it; `variables` are those of theirs that git may see."""
    return {**{name: value for name, value in NEUTRAL.items() if name not in _NOBODYS}, **variables}


@dataclass(frozen=True)
class Answer:
    """How git ended, and what it said."""

    code: int
    output: bytes
    errors: bytes

    @property
    def told(self) -> str:
        """Why git failed, in its own words, fit for a sentence: the last error it named, or else its last line."""
        lines = [line for line in self.errors.decode("utf-8", "replace").splitlines() if line.strip()]
        named = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        last = (named or [line.removeprefix("fatal: ") for line in lines] or [f"it ended with {self.code}"])[-1]
        return escape(last)[:_TOLD]


@dataclass(frozen=True)
class Git:
    """Git in one repository, which is named to it: nothing is searched for. Making the value starts nothing.

    `variables` are put over `environment`, `settings` over the safe ones. `memory` bounds what it may take, 0 does not.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: NEUTRAL)
    memory: int = 0

    def read(self, *argv: str, stdin: bytes | None = None) -> bytes:
        """What a command prints. Raises CommitRefused if it fails."""
        answer = self.ask(*argv, stdin=stdin)
        if answer.code != 0:
            raise CommitRefused(f"git {argv[0]} failed: {answer.told}")
        return answer.output

    def line(self, *argv: str, stdin: bytes | None = None) -> str:
        """The one line a command prints. Raises CommitRefused if it fails."""
        return self.read(*argv, stdin=stdin).decode("utf-8", "surrogateescape").strip()

    def ask(self, *argv: str, stdin: bytes | IO[bytes] | None = None, into: IO[bytes] | None = None) -> Answer:
        """Run a command to its end, whatever that is.

        `stdin` is data or an open file, read from where it stands; `into` takes the output instead of `Answer`.
        Raises CommitRefused if there is no git, it cannot be started, takes too long or says too much.
        """
        try:
            with _input(stdin) as source, tempfile.TemporaryFile() as errors:
                process = self._start(argv, source, into, errors)
                return _followed(process, argv[0], errors)
        except OSError as error:
            raise CommitRefused(f"git {argv[0]} could not be run: {error.strerror}") from error

    def _start(
        self, argv: Sequence[str], source: IO[bytes] | int, into: IO[bytes] | None, errors: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        settings = {**SAFE_SETTINGS, **self.settings}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        process = subprocess.Popen(
            [program(), *words, *argv],
            cwd="/",
            env={**self.environment, "GIT_DIR": str(self.folder), **self.variables},
            stdin=source,
            stdout=into or subprocess.PIPE,
            stderr=errors,
        )
        if self.memory:
            with suppress(ProcessLookupError):  # it may have ended already
                resource.prlimit(process.pid, resource.RLIMIT_AS, (self.memory, self.memory))
        return process


def _followed(process: subprocess.Popen[bytes], name: str, errors: IO[bytes]) -> Answer:
    """What a started git says, to its end; it is ended if that takes too long or is too much."""
    clock = threading.Timer(SECONDS, process.kill)
    clock.start()
    try:
        output = b"" if process.stdout is None else process.stdout.read(MOST_OUTPUT + 1)
        if len(output) > MOST_OUTPUT:
            raise CommitRefused(f"git {name} would list more than can be looked at: nothing was taken over")
        code = process.wait()
        if not clock.is_alive():
            raise CommitRefused(f"git {name} took longer than {SECONDS:.0f} s: nothing was taken over")
    finally:
        clock.cancel()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    errors.seek(0)
    return Answer(code, output, errors.read(_MOST_ERRORS))


def program() -> str:
    """Where git is. Raises CommitRefused if this machine has none."""
    found = shutil.which("git")
    if found is None:
        raise CommitRefused("there is no git on this machine: install it to take over commits, or to make one")
    return found


@contextmanager
def _input(stdin: bytes | IO[bytes] | None) -> Iterator[IO[bytes] | int]:
    """Data as a file: a pipe would have to be fed while its other end is read."""
    match stdin:
        case None:
            yield subprocess.DEVNULL
        case bytes():
            with tempfile.TemporaryFile() as file:
                file.write(stdin)
                file.seek(0)
                yield file
        case file:
            yield file
