"""File systems of a kind of their own, in a file: what the tests cannot have of the machine's."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MAKE = {
    "ext4": ("mkfs.ext4", "-q"),
    "ext4 with quotas": ("mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota"),
    "btrfs": ("mkfs.btrfs", "-q"),
    "xfs": ("mkfs.xfs", "-q"),
    "xfs with quotas": ("mkfs.xfs", "-q"),
}


@contextlib.contextmanager
def mounted(kind: str, folder: Path, image: Path, *, size: int = 8 * 1024**3) -> Iterator[Path]:
    """A folder on an empty file system, as long as the block runs. Skips a kind that the kernel lacks."""
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    name = kind.split(maxsplit=1)[0]
    subprocess.run([*MAKE[kind], image], check=True, capture_output=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin"})
    options = "loop,prjquota" if "quotas" in kind else "loop"
    argv = ["mount", "-t", name, "-o", options, image, folder]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode and (kind != name or name not in Path("/proc/filesystems").read_text().split()):
        pytest.skip(f"NOT TESTED: this kernel cannot mount {kind}: {done.stderr.strip()}")
    done.check_returncode()
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # a test that failed may hold a folder of it open
