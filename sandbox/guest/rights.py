"""Who runs as whom: the guest gives up root, and a tool gets nothing at all."""

import contextlib
import ctypes
import os
import struct

GUEST_ID, ANOTHER_ID = 65534, 65533
CAP_KILL, CAP_SETGID, CAP_SETUID = 5, 6, 7
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_DROP = 1, 4, 8, 24
PR_SET_SECUREBITS, PR_SET_CHILD_SUBREAPER = 28, 36
SECBIT_NOROOT_LOCKED = 0b11

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option, value=0):
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl %d" % option)


def set_capabilities(mask):
    """Make `mask` the effective and permitted set (capset(2), version 3); nothing is inheritable."""
    header = struct.pack("Ii", 0x20080522, 0)
    data = struct.pack("IIIIII", mask, mask, 0, 0, 0, 0)
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def drop_root(tool_ids):
    """Become uid 65534 with SETUID, SETGID and KILL; no program run from here can ever hold a capability.

    Whoever has that uid on the host gets a guest of another: a tool must never share it.
    """
    guest_id = ANOTHER_ID if GUEST_ID in tool_ids else GUEST_ID
    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED)
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last capability this kernel knows
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(guest_id, guest_id, guest_id)
    os.setresuid(guest_id, guest_id, guest_id)
    set_capabilities(1 << CAP_SETGID | 1 << CAP_SETUID | 1 << CAP_KILL)
    prctl(PR_SET_DUMPABLE, 1)  # else /proc makes uid 0 the owner of our files there, and a tool may have that uid


def touch_files_as(uid, gid):
    """Open and make files as the tool would, with its rights and no more, and stay out of its reach.

    Who may signal, trace, slow or limit a process is decided by ids that stay the guest's.
    """
    os.setgroups([])
    libc.setfsgid(gid)
    libc.setfsuid(uid)
    set_capabilities(0)
    if (libc.setfsuid(-1), libc.setfsgid(-1)) != (uid, gid):  # they never fail, they only do not happen
        raise PermissionError("cannot touch files as the tool")
    prctl(PR_SET_DUMPABLE, 1)


@contextlib.contextmanager
def owned_by(uid):
    """What is opened inside belongs to the tool, so that it can open it again: `/dev/stderr`, its terminal."""
    libc.setfsuid(uid)
    try:
        yield
    finally:
        libc.setfsuid(os.geteuid())
        prctl(PR_SET_DUMPABLE, 1)  # a change of ids has taken it back


def become_tool(uid, gid):
    """Give up everything: the tool's uid and gid, no groups, no capability."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    set_capabilities(0)
