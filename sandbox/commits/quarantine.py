"""Where commits from a sandbox are looked at: a repository of our own, that borrows the user's objects and has none.

Git checks the pack object by object as it comes in (`index-pack --strict`: well formed, nothing called `.git` in any
spelling, no hostile `.gitmodules`, everything there that an object names, none in the place of another of the same
name). `git fetch` is not used: before version 2.46 it did not check what came from a bundle, whatever
`transfer.fsckObjects` said, and it looks into the settings of the repository it borrows from. What is approved goes on
to the user's objects as a pack that we write, checked once more; until then nothing of theirs has been touched.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sandbox.commits.bundle import LARGEST, read_header
from sandbox.commits.hostgit import MEMORY, Git
from sandbox.commits.repository import Repository, is_object_id
from sandbox.errors import CommitRefused
from sandbox.gate.discard import remove_tree

SETTINGS = """\
[core]
\trepositoryformatversion = {version}
\tbare = true
\tlogAllRefUpdates = false
[transfer]
\tfsckObjects = true
{extension}"""


@dataclass(frozen=True)
class Quarantine:
    """A repository of ours beside the user's. Nothing in it survives the `with` block of `quarantine`."""

    folder: Path
    repository: Repository

    @property
    def git(self) -> Git:
        """Git in it, with bounded memory: what it reads is hostile."""
        return Git(self.folder, memory=MEMORY)

    def receive(self, bundle: IO[bytes]) -> str:
        """Take a bundle in, checked; the commit it was made for. Raises CommitRefused if it fails any check."""
        bundle.seek(0)
        header = read_header(bundle, self.repository.format)
        self._require(header.needs)
        os.lseek(bundle.fileno(), header.pack_at, os.SEEK_SET)  # where git, which inherits the file, begins to read
        answer = self.git.ask(
            "index-pack", "--stdin", "--fix-thin", "--strict", f"--max-input-size={LARGEST}", stdin=bundle
        )
        if answer.code != 0:
            raise CommitRefused(f"the sandbox's commits did not pass git's checks, and stay there: {answer.told}")
        if self.kind(header.tip) != "commit":
            raise CommitRefused("what came out of the sandbox is no commit: nothing was taken over")
        return header.tip

    def kind(self, object_id: str) -> str:
        """What an object is: commit, tree, blob or tag; `missing` if it is not here."""
        return self.git.line("cat-file", "--batch-check=%(objecttype)", stdin=f"{object_id}\n".encode()).split(" ")[-1]

    def hand_over(self, tip: str, known: Sequence[str]) -> None:
        """Add to the user's objects what `tip` has beyond the commits `known`, and nothing else of what came in.

        It becomes one pack, which git checks again against what is there. No reference is made.
        """
        pack = self.folder / "outgoing.pack"
        wanted = "".join(f"{line}\n" for line in (tip, *(f"^{commit}" for commit in self.existing(known))))
        with open(pack, "xb") as file:
            answer = self.git.ask(
                "pack-objects", "--revs", "--thin", "--stdout", "-q", stdin=wanted.encode(), into=file
            )
        if answer.code != 0:
            raise CommitRefused(f"the commits are not complete, and stay in the sandbox: {answer.told}")
        with open(pack, "rb") as file:
            answer = self.theirs.ask("index-pack", "--stdin", "--fix-thin", "--strict", stdin=file)
        if answer.code != 0:
            raise CommitRefused(f"the repository did not take the commits: {answer.told}")

    def existing(self, ids: Iterable[str]) -> list[str]:
        """Those of the objects that are here: a reference may be broken, and a partial clone lacks some."""
        asked = sorted(set(ids))
        rows = self.git.read("cat-file", "--batch-check", stdin="".join(f"{one}\n" for one in asked).encode())
        return [one for one, row in zip(asked, rows.splitlines(), strict=True) if not row.endswith(b" missing")]

    @property
    def theirs(self) -> Git:
        """Git with our settings on the user's objects: what is written, is written there."""
        return Git(self.folder, {"GIT_OBJECT_DIRECTORY": str(self.repository.objects)}, memory=MEMORY)

    def _require(self, commits: Sequence[str]) -> None:
        asked = "".join(f"{commit}\n" for commit in commits).encode()
        found = self.git.read("cat-file", "--batch-check=%(objecttype)", stdin=asked).split(b"\n")
        if any(kind != b"commit" for kind in found[: len(commits)]):
            raise CommitRefused(
                "the sandbox's commits build on some that your repository does not have: nothing was taken over"
            )


@contextmanager
def quarantine(session: Path, repository: Repository) -> Iterator[Quarantine]:
    """Make it in a session's folder, which no sandbox can reach, and take it away again."""
    folder = session / "quarantine"
    remove_tree(folder)  # of one that was killed
    try:
        try:
            _make(folder, repository)
        except OSError as error:
            raise CommitRefused(f"{folder} cannot be made ({error.strerror}): nothing was taken over") from error
        yield Quarantine(folder, repository)
    finally:
        remove_tree(folder)


def _make(folder: Path, repository: Repository) -> None:
    for name in ("objects/info", "objects/pack", "refs", "info"):
        (folder / name).mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    is_sha256 = repository.format == "sha256"
    extension = "[extensions]\n\tobjectFormat = sha256\n" if is_sha256 else ""
    (folder / "config").write_text(SETTINGS.format(version=int(is_sha256), extension=extension))
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "objects" / "info" / "alternates").write_bytes(_quoted(os.fsencode(repository.objects)) + b"\n")
    shallow = repository.common / "shallow"
    if shallow.is_file():
        rows = shallow.read_text("ascii", "replace").split()
        (folder / "shallow").write_text("".join(f"{row}\n" for row in rows if is_object_id(row, repository.format)))


def _quoted(path: bytes) -> bytes:
    """A path as git's list of borrowed folders holds it: one with a newline in it has to be quoted."""
    if b"\n" not in path:
        return path
    return b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
