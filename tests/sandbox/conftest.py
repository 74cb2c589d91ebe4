"""A gate without an engine: a checkout, an overlay over it (mounted, or crafted by hand), a session, a blob store."""

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.changes import Change, ChangeSet
from sandbox.gate.apply import Applied, Approval, Conflicts, Recovered, apply, recover
from sandbox.gate.blobs import Blobs
from sandbox.gate.collect import SIZE_LIMIT, collect
from sandbox.gate.manifest import Manifest
from sandbox.sessions import Meta, Session, Sessions, new_id, now

Tree = dict[bytes, tuple[str, bytes | str]]


@dataclass
class Gate:
    """Everything around one session's gate."""

    checkout: Path
    upper: Path
    sessions: Sessions
    session: Session
    manifest: Manifest
    blobs: Blobs

    def begin(self) -> None:
        """The session starts on the checkout as it is now."""
        self.manifest = Manifest.take(self.checkout)
        self.manifest.save(self.session.manifest)

    def collect(self, *, size_limit: int = SIZE_LIMIT) -> ChangeSet:
        return collect(self.upper, self.checkout, manifest=self.manifest, blobs=self.blobs, size_limit=size_limit)

    def approval(self, changes: ChangeSet, *paths: bytes) -> Approval:
        chosen = changes.only(paths) if paths else changes.pending
        return Approval(changes.id, tuple(chosen), "tester", now())

    def apply(self, approval: Approval, **more: object) -> Applied | Conflicts:
        return apply(
            approval,
            checkout=self.checkout,
            blobs=self.blobs,
            session=self.session,
            manifest=self.manifest,
            **more,  # type: ignore[arg-type]
        )

    def apply_all(self, **more: object) -> Applied | Conflicts:
        changes = self.collect()
        return self.apply(self.approval(changes), change_set=changes, **more)

    def recover(self) -> Recovered | None:
        return recover(self.checkout, sessions=self.sessions)

    def whiteout(self, path: str) -> None:
        """What the overlay writes for a deletion."""
        os.mknod(self.upper / path, stat.S_IFCHR, os.makedev(0, 0))

    def opaque(self, path: str) -> None:
        """What the overlay writes for a folder that hides the one below."""
        (self.upper / path).mkdir(parents=True, exist_ok=True)
        os.setxattr(self.upper / path, "user.overlay.opaque", b"y")

    def put(self, path: str, text: str | bytes, mode: int = 0o644) -> Path:
        """What the overlay holds for a written file."""
        file = self.upper / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)
        return file


def make_gate(folder: Path) -> Gate:
    """A gate on an empty checkout, everything below one folder."""
    checkout = folder / "checkout"
    checkout.mkdir()
    sessions = Sessions(folder / "state")
    session = sessions.create(
        Meta(
            id=new_id(),
            kind="exec",
            checkout=str(checkout),
            created=now(),
            image="sha256:0",
            image_name="none",
            uid=os.getuid(),
            gid=os.getgid(),
        )
    )
    session.upper.mkdir()
    return Gate(checkout, session.upper, sessions, session, Manifest({}, b""), Blobs(session.blobs))


@contextlib.contextmanager
def overlay(gate: Gate, view: Path) -> Iterator[Callable[[], Path]]:
    """Mounts a real overlay over the checkout when it is called, and gives its merged view."""

    def mount() -> Path:
        view.mkdir()
        gate.session.work.mkdir()
        options = f"lowerdir={gate.checkout},upperdir={gate.upper},workdir={gate.session.work},userxattr"
        done = subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", options, view], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.fail(f"this test mounts an overlay, which takes root and a kernel that has it: {done.stderr}")
        return view

    try:
        yield mount
    finally:
        if view.is_mount():
            subprocess.run(["umount", view], check=True)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate on an empty checkout; call `begin` when the checkout is laid out."""
    return make_gate(tmp_path)


@pytest.fixture
def new_gate(tmp_path: Path) -> Callable[[], contextlib.AbstractContextManager[tuple[Gate, Callable[[], Path]]]]:
    """Makes as many gates as a property needs, each with a real overlay to mount."""

    @contextlib.contextmanager
    def make() -> Iterator[tuple[Gate, Callable[[], Path]]]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        gate = make_gate(folder)
        with overlay(gate, folder / "view") as mount:
            yield gate, mount
        shutil.rmtree(folder)

    return make


@pytest.fixture
def lay_out(gate: Gate) -> Callable[[dict[str, str]], None]:
    """Fill the checkout with files (a name that ends in `/` is a folder, a text that begins with `->` a link)."""

    def fill(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = gate.checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            elif text.startswith("->"):
                path.symlink_to(text[2:])
            else:
                path.write_text(text)
        gate.begin()

    return fill


@pytest.fixture
def mounted(gate: Gate, tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Mount a real overlay over the checkout and get its merged view. Needs root; there is no skip."""
    with overlay(gate, tmp_path / "view") as mount:
        yield mount


def tree(root: Path) -> Tree:
    """Every path below a folder: what it is, and what it holds."""
    found: Tree = {}
    for folder, names, files in os.walk(os.fsencode(root)):
        for name in names + files:
            path = os.path.join(folder, name)
            facts = os.lstat(path)
            key = os.path.relpath(path, os.fsencode(root))
            if stat.S_ISLNK(facts.st_mode):
                found[key] = ("link", os.readlink(path))
            elif stat.S_ISDIR(facts.st_mode):
                found[key] = ("folder", b"")
            elif stat.S_ISREG(facts.st_mode):
                kind = "program" if facts.st_mode & 0o100 else "file"
                with open(path, "rb") as file:
                    found[key] = (kind, file.read())
            else:
                found[key] = ("special", b"")
    return found


@pytest.fixture(name="tree")
def tree_fixture() -> Callable[[Path], Tree]:
    """Reads a tree into a value."""
    return tree


@pytest.fixture
def change_at() -> Callable[[ChangeSet, bytes], Change]:
    """The one change at a path."""

    def find(changes: ChangeSet, path: bytes) -> Change:
        (found,) = [change for change in changes.changes if change.path == path]
        return found

    return find
