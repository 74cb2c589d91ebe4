"""There and back on other file systems than the machine's: state folder, checkout or both on btrfs and on XFS."""

import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from sandbox.choice import Choice
from sandbox.disk import free_at
from sandbox.engine import Engine
from sandbox.gate.apply import Applied
from sandbox.gate.discard import discard_all
from sandbox.gate.freeze import frozen
from sandbox.gate.syscalls import Renames, probe
from sandbox.gate.undo import last_apply, undo
from sandbox.leftovers import remove
from sandbox.opening import opened
from sandbox.profile import MIB
from sandbox.sessions import Session
from sandbox.workspace.base import decide
from tests.attacks.scene import Limited, Scene, listed, shell
from tests.loopdisk import mounted

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.root]

Place = Literal["state", "checkout", "both"]
KINDS = pytest.mark.parametrize("kind", ["btrfs", "xfs"])
SLOW = pytest.mark.slow  # half a minute each, with the disk they need
PLACES = pytest.mark.parametrize(
    "place", ["both", pytest.param("state", marks=SLOW), pytest.param("checkout", marks=SLOW)]
)
BASES = pytest.mark.parametrize("base", ["frozen", pytest.param("live", marks=SLOW)])

_FIEMAP, _SHARED, _LAST = 0xC020660B, 0x2000, 0x1


@pytest.fixture
def place() -> Place:
    """What lies on the other file system."""
    return "both"


@pytest.fixture
def disk(kind: str, tmp_path: Path) -> Iterator[Path]:
    """A file system of that kind."""
    with mounted(kind, tmp_path / "disk", tmp_path / "image") as folder:
        yield folder


@pytest.fixture
def state(disk: Path, tmp_path: Path, place: Place) -> Path:
    """The state folder, there or beside it."""
    return (tmp_path if place == "checkout" else disk) / "state"


@pytest.fixture
def checkout(disk: Path, tmp_path: Path, place: Place) -> Path:
    """A small project, there or beside it."""
    folder = (tmp_path if place == "state" else disk) / "checkout"
    for name in ("src/main.py", "src/old.py", "docs/a", "docs/b", "text"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n" * 30)
    (folder / "link").symlink_to("text")
    return folder


def shared(path: Path) -> list[bool]:
    """Of every extent of a file, whether another file has it too."""
    found: list[bool] = []
    with path.open("rb") as file:
        os.fsync(file.fileno())
        start = 0
        while True:
            request = bytearray(struct.pack("=QQIIII", start, 2**62, 0, 0, 64, 0) + bytes(64 * 56))
            fcntl.ioctl(file, _FIEMAP, request)
            count = struct.unpack_from("=I", request, 20)[0]
            for number in range(count):
                logical, _, length, flags = struct.unpack_from("=QQQ16xI", request, 32 + 56 * number)
                found.append(bool(flags & _SHARED))
                start = logical + length
                if flags & _LAST:
                    return found
            if not count:
                return found


def large(checkout: Path) -> Path:
    """A file of 200 MB in the checkout, on the disk."""
    path = checkout / "large"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(1000) * 1000)
        os.fsync(file.fileno())
    return path


@KINDS
async def test_a_frozen_base_shares_the_blocks_of_the_checkout(
    disk: Path, checkout: Path, session: Session, engine: Engine
) -> None:
    original = large(checkout)
    assert decide(checkout, session, "auto").kind == "frozen"
    free = free_at(disk).size
    async with opened(session, engine) as sandbox:
        assert (await shell(sandbox, "wc -c < large")).stdout.all == b"200000000\n"
        assert free - free_at(disk).size < 20_000_000
        assert shared(session.frozen / "large") == [True] * len(shared(original))
        with original.open("r+b") as file:
            file.write(b"mine")
        assert (await shell(sandbox, "head -c 4 large")).stdout.all != b"mine"


@KINDS
@pytest.mark.parametrize("place", ["state", "checkout"])
async def test_what_lies_on_another_file_system_is_copied_and_that_much_only_if_asked(
    checkout: Path, session: Session
) -> None:
    large(checkout)
    assert decide(checkout, session, "auto").sentence.startswith("live checkout (more than 50 MB")
    assert decide(checkout, session, "frozen").kind == "frozen"


CHANGES = """
sed -i s/text/TEXT/ text
echo new > new; mkdir -p deep/er; echo x > deep/er/file; chmod +x deep/er/file
rm src/old.py; mv docs moved; rm link; ln -s src link
rm -r src; mkdir src; echo only > src/only
mv text other; mv other text
"""


@KINDS
@PLACES
@BASES
async def test_there_and_back(scene: Scene, session: Session, checkout: Path) -> None:
    before = scene.outside()
    changes = await scene.after(CHANGES)
    assert ("modified", b"text") in listed(changes)
    assert isinstance(await scene.apply_all(changes), Applied)
    assert scene.outside() == await scene.inside()
    assert not list(checkout.glob(".paddock*"))
    assert (await scene.after("true")).changes == ()
    plan = last_apply(checkout, [session])
    assert plan is not None
    assert isinstance(undo(plan, checkout=checkout, by="test"), Applied)
    assert scene.outside() == before


@KINDS
@PLACES
@BASES
async def test_a_session_goes_on_is_discarded_and_goes(session: Session, checkout: Path, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        assert (await shell(sandbox, "echo one > one; rm text")).exit_code == 0
    (checkout / "mine").write_text("mine\n")
    async with opened(session, engine) as sandbox:
        found = await shell(sandbox, "cat one mine; ls text; echo two > two")
        assert found.stdout.all == b"one\nmine\n"
        assert {b"one", b"two", b"text"} == {change.path for change in frozen(session).changes}
    with session.hold():
        discard_all(session)
        assert frozen(session).changes == ()
    async with opened(session, engine) as sandbox:
        assert (await shell(sandbox, "ls one two text")).stdout.all == b"text\n"
    remove(session)
    assert os.listdir(session.path.parent) == []


@KINDS
@PLACES
def test_the_file_system_has_the_renames_that_an_apply_is_made_of(checkout: Path) -> None:
    (checkout / "probe").mkdir()
    folder = os.open(checkout / "probe", os.O_RDONLY)
    assert probe(folder) == Renames(noreplace=True, exchange=True, links=True)
    os.close(folder)


@KINDS
async def test_r05_who_fills_the_workspace_is_stopped_at_the_limit_and_told(limited: Limited, disk: Path) -> None:
    free = free_at(disk).size
    async with limited(Choice(disk=200 * MIB)) as sandbox:
        result = await shell(sandbox, "for i in $(seq 60); do dd if=/dev/zero of=z$i bs=1M count=20; sleep 0.05; done")
        assert [str(one) for one in result.limits] == ["disk limit 200 MiB reached: every command that ran was ended"]
        assert free - free_at(disk).size < 700 * MIB
        assert (await shell(sandbox, "rm z*")).limits == ()
        well = await shell(sandbox, "head -c 5M /dev/zero > more && echo well")
        assert (well.stdout.all, well.limits) == (b"well\n", ())
