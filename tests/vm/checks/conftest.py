"""A folder on NFS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.checks.scene import run


@pytest.fixture
def nfs(tmp_path: Path) -> Iterator[Path]:
    """A folder of this machine, reached through its own NFS server."""
    exported, mounted = tmp_path / "exported", tmp_path / "nfs"
    exported.mkdir()
    mounted.mkdir()
    run("systemctl", "start", "nfs-server")
    run("exportfs", "-o", "rw,sync,no_subtree_check,no_root_squash,fsid=1", f"127.0.0.1:{exported}")
    run("mount", "-t", "nfs", "-o", "vers=4", f"127.0.0.1:{exported}", str(mounted))
    yield mounted
    run("umount", str(mounted))
    run("exportfs", "-u", f"127.0.0.1:{exported}")
