"""Projects (ext4, XFS, f2fs): folders that a file system counts together, with all that is made in them.

Whoever owns a folder may say to which it belongs, and sees what its limit leaves; only root may set one.
"""

import ctypes
import fcntl
import os
import struct
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_QUOTACTL_FD = 443
_STATE = 0x5808 << 8 | 2  # Q_XGETQSTATV, of projects
_VERSION = b"\x01"
_ENFORCED = 0x20  # FS_QUOTA_PDQ_ENFD
_GET, _SET = 0x801C581F, 0x401C5820  # FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR
_ATTRIBUTES = struct.Struct("=5I8s")
_INHERITS = 0x200  # FS_XFLAG_PROJINHERIT


def are_limited(path: Path) -> bool:
    """Whether the file system of a folder holds projects to their limits. Raises OSError."""
    state = ctypes.create_string_buffer(_VERSION, 256)
    folder = _opened(path)
    try:
        failed = _libc.syscall(_QUOTACTL_FD, folder, _STATE, 0, state)
    finally:
        os.close(folder)
    (flags,) = struct.unpack_from("=H", state.raw, 2)
    return not failed and bool(flags & _ENFORCED)


def project_of(path: Path) -> int:
    """To which project a folder belongs; 0 for none, where there are none, and where that cannot be told."""
    try:
        folder = _opened(path)
    except OSError:
        return 0
    try:
        return _read(folder)[3]
    except OSError:
        return 0
    finally:
        os.close(folder)


def join(path: Path, project: int) -> None:
    """Let a folder, and what will be made in it, belong to a project. Raises OSError."""
    folder = _opened(path)
    try:
        flags, extent, count, _, copied, rest = _read(folder)
        fcntl.ioctl(folder, _SET, _ATTRIBUTES.pack(flags | _INHERITS, extent, count, project, copied, rest))
    finally:
        os.close(folder)


def _read(folder: int) -> tuple[int, int, int, int, int, bytes]:
    answer = bytearray(_ATTRIBUTES.size)
    fcntl.ioctl(folder, _GET, answer)
    flags, extent, count, project, copied, rest = _ATTRIBUTES.unpack(answer)
    return flags, extent, count, project, copied, rest


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
