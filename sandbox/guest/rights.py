"""Who runs as whom: the guest gives up root, and a tool gets nothing at all."""

import ctypes
import os
import struct

GUEST_ID = 65534
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


def drop_root():
    """Become uid 65534 with SETUID, SETGID and KILL; no program run from here can ever hold a capability."""
    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED)
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last capability this kernel knows
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(GUEST_ID, GUEST_ID, GUEST_ID)
    os.setresuid(GUEST_ID, GUEST_ID, GUEST_ID)
    set_capabilities(1 << CAP_SETGID | 1 << CAP_SETUID | 1 << CAP_KILL)
    prctl(PR_SET_DUMPABLE, 0)


def become_tool(uid, gid):
    """Give up everything: the tool's uid and gid, no groups, no capability."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    set_capabilities(0)
