"""Group II of the attack list, the disk: whoever fills it is stopped and told, and the host keeps what it needs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from images.image import Image
from sandbox.base import Command, ExecResult
from sandbox.choice import Choice
from sandbox.disk import floor_at, free_at
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import FileError
from sandbox.opening import opened, prepare
from sandbox.profile import MIB
from sandbox.sessions import Sessions
from tests.attacks.scene import Limited, shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def small_disk(state: Path, tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 GiB for the state folder, so that the machine's own is in no danger."""
    state.mkdir()
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(2048 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-N", "60000", str(image)], check=True)
    if os.system(f"mount -o loop {image} {state}") != 0:
        pytest.fail("this test mounts a small file system, which takes root")
    yield state
    subprocess.run(["umount", str(state)], check=True)


def said(result: ExecResult) -> list[str]:
    return [str(limit) for limit in result.limits]


async def can_be_emptied(sandbox: DockerSandbox, script: str) -> None:
    """What is deleted makes room, and afterwards all is as before. Each step takes at most five seconds."""
    with anyio.fail_after(5):
        stuck = await shell(sandbox, "head -c 5M /dev/zero > more")
    assert stuck.exit_code != 0
    assert "until something is deleted" in said(stuck)[0]
    with pytest.raises(FileError, match="until something is deleted"):
        await sandbox.write(sandbox.root / "new", b"x")
    with anyio.fail_after(5):
        assert said(await shell(sandbox, f"rm -rf more; {script}")) == []
    with anyio.fail_after(5):
        well = await shell(sandbox, "head -c 5M /dev/zero > more && echo well")
    assert (well.stdout.all, well.limits) == (b"well\n", ())
    await sandbox.write(sandbox.root / "new", b"x")


async def test_r05_who_fills_the_workspace_is_stopped_at_the_limit_and_told(limited: Limited) -> None:
    async with limited(Choice(disk=200 * MIB)) as sandbox:
        result = await shell(
            sandbox, "for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=z$i bs=1M count=200; sleep 0.2; done"
        )
        assert result.exit_code == 137
        assert said(result) == ["disk limit 200 MiB reached: every command that ran was ended"]
        await can_be_emptied(sandbox, "rm z*")


async def test_r05_who_met_the_limit_is_told_although_there_is_room_again_when_it_ends(limited: Limited) -> None:
    async with limited(Choice(disk=200 * MIB)) as sandbox:
        await shell(sandbox, "head -c 300M /dev/zero > z; sleep 5")
        result = await shell(sandbox, "head -c 5M /dev/zero > more; met=$?; rm z more; exit $met")
        assert result.exit_code != 0
        assert said(result) == ["disk limit 200 MiB reached: while this ran, no file could grow beyond 1 MiB"]
        assert said(await shell(sandbox, "head -c 5M /dev/zero > more")) == []


@pytest.mark.root
async def test_r05_the_machine_keeps_what_it_needs(small_disk: Path, limited: Limited) -> None:
    floor = floor_at(small_disk)
    async with limited(Choice()) as sandbox:
        await shell(sandbox, "true")
        result = await shell(sandbox, "dd if=/dev/zero of=z bs=1M")
        assert result.exit_code == 137
        assert said(result)[0].startswith("the machine's disk is nearly full, of which 9")
        assert free_at(small_disk).size > floor.size
        await can_be_emptied(sandbox, "rm z")


@pytest.mark.root
async def test_r05_a_file_that_is_deleted_and_still_written_is_stopped_too(small_disk: Path, limited: Limited) -> None:
    floor = floor_at(small_disk)
    async with limited(Choice()) as sandbox:
        await shell(sandbox, "true")
        result = await shell(sandbox, "exec 5>z; rm z; dd if=/dev/zero bs=1M >&5")
        assert "the machine's disk is nearly full" in said(result)[0]
        assert free_at(small_disk).size > floor.size
        with anyio.fail_after(30):  # whoever is told of the limit came before the kernel had let go of the file
            while (after := await shell(sandbox, "head -c 5M /dev/zero > more && echo well")).limits:
                pass
        assert after.stdout.all == b"well\n"


async def test_r05_what_a_call_left_running_is_stopped_too_and_the_next_one_hears_of_it(limited: Limited) -> None:
    async with limited(Choice(disk=200 * MIB)) as sandbox:
        await shell(sandbox, "setsid nohup dd if=/dev/zero of=z bs=1M >/dev/null 2>&1 &")
        with anyio.fail_after(20):
            while not (news := sandbox.take_news()):  # noqa: ASYNC110 - nobody is told when there is news
                await anyio.sleep(0.1)
        assert news == "what ran was ended: disk limit 200 MiB reached"
        assert await sandbox.running() == 0
        await can_be_emptied(sandbox, "rm z")


async def test_r05_a_session_that_goes_on_over_its_limit_knows_it_and_loses_nothing(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image)
    async with opened(session, engine) as sandbox:
        assert (await shell(sandbox, "head -c 150M /dev/zero > z")).exit_code == 0
    session.save(session.meta().model_copy(update={"choice": Choice(disk=100 * MIB)}))
    async with opened(session, engine) as sandbox:
        await shell(sandbox, "sleep 1")
        held = await shell(sandbox, "stat -c %s z")
        assert held.stdout.all == b"157286400\n"
        assert said(held) == ["disk limit 100 MiB reached: until something is deleted, no file can grow beyond 1 MiB"]
        await can_be_emptied(sandbox, "rm z")


async def test_r05_space_cannot_be_taken_in_advance(sandbox: DockerSandbox) -> None:
    result = await shell(sandbox, "fallocate -l 100T z || fallocate -l 1G z || fallocate -z -l 1G z; stat -c %b z")
    assert (result.stdout.all, result.stderr.all.count(b"not supported")) == (b"0\n", 3)
    twin = await shell(sandbox, "head -c 4M /dev/zero > y && fallocate -p -o 0 -l 2M y && stat -c %b y")
    assert 0 < int(twin.stdout.all) <= 4096


ATTRIBUTES = """
import ctypes, fcntl, os
libc = ctypes.CDLL(None, use_errno=True)
here = os.open(".", os.O_RDONLY)
for high in (0, 1 << 32):
    for request in (0x401C5820, 0x40086602, 0x40046602):
        assert libc.syscall(16, here, ctypes.c_ulong(high | request), bytes(28)) == -1, request
        assert ctypes.get_errno() == 25, ctypes.get_errno()
fcntl.ioctl(here, 0x801C581F, bytearray(28))
"""


@pytest.mark.profiles("default", "strict")
async def test_r05_no_file_leaves_the_project_that_a_quota_is_for(sandbox: DockerSandbox) -> None:
    result = await sandbox.run(Command(["python3", "-c", ATTRIBUTES], sandbox.root))
    assert (result.exit_code, result.stderr.all) == (0, b"")


@pytest.mark.root
async def test_r06_the_number_of_files_has_a_limit(small_disk: Path, limited: Limited) -> None:
    floor = floor_at(small_disk)
    async with limited(Choice()) as sandbox:
        await shell(sandbox, "true")
        names = "import os\ni = 0\nwhile True:\n os.close(os.open(f'f{i}', os.O_CREAT | os.O_WRONLY))\n i += 1"
        result = await sandbox.run(Command(["python3", "-c", names], sandbox.root, timeout=60))
        assert "hardly room for more files" in said(result)[0]
        assert free_at(small_disk).files > floor.files // 2
        await can_be_emptied(sandbox, "find . -name 'f*' -delete")


async def test_r07_a_file_that_only_says_it_is_large_takes_nothing(limited: Limited) -> None:
    async with limited(Choice(disk=200 * MIB)) as sandbox:
        result = await shell(sandbox, "truncate -s 7G huge && sleep 1 && echo well")
        assert (result.stdout.all, result.limits) == (b"well\n", ())
        assert (await shell(sandbox, "truncate -s 8T huger")).exit_code != 0


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_r09_a_million_links_meet_the_limit_of_files_and_can_be_deleted(limited: Limited) -> None:
    async with limited(Choice()) as sandbox:
        links = "import os\nfor i in range(3_000_000): os.symlink('x', f'f{i}')"
        result = await sandbox.run(Command(["python3", "-c", links], sandbox.root, timeout=500))
        assert result.exit_code != 0
        assert said(result) == ["limit of 1,000,000 files reached: every command that ran was ended"]
        gone = await shell(sandbox, "find . -name 'f*' -delete && echo gone", timeout=300)
        assert (gone.stdout.all, gone.limits) == (b"gone\n", ())
