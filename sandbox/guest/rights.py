"""Who runs as whom: the guest gives up root, and a tool gets nothing at all, or the few rights its profile names.

`config` holds the tool's `uid` and `gid`, the numbers of its `capabilities`, and whose the workspace is (`owner`).
"""

import contextlib
import ctypes
import os
import struct

GUEST_ID, ANOTHER_ID = 65521, 65520  # no distribution gives them to anybody, and none calls them nobody
CAP_KILL, CAP_SETGID, CAP_SETUID = 5, 6, 7
CAPS_OF_FILES = 0b11111  # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_DROP = 1, 4, 8, 24
PR_SET_SECUREBITS, PR_SET_CHILD_SUBREAPER = 28, 36
SECBIT_NOROOT_LOCKED = 0b11

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option, value=0):
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl %d" % option)


def set_capabilities(effective, permitted=None):
    """Make these the effective and permitted sets (capset(2), version 3); nothing is inheritable."""
    permitted = effective if permitted is None else permitted
    low, high = 0xFFFFFFFF, 32
    header = struct.pack("Ii", 0x20080522, 0)
    data = struct.pack("IIIIII", effective & low, permitted & low, 0, effective >> high, permitted >> high, 0)
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def given():
    """What the container was given, before any of it is given up: the host holds it against what it asked for."""
    with open("/proc/self/status", encoding="utf-8") as file:
        found = dict(line.split(None, 1) for line in file if line.startswith(("CapBnd:", "NoNewPrivs:", "Seccomp:")))
    return {
        "rights": int(found["CapBnd:"], 16),
        "gains": int(found["NoNewPrivs:"]) == 0,
        "filtered": int(found.get("Seccomp:", "0")) == 2,
    }


def mask_of(config):
    """The tool's capabilities as the kernel counts them."""
    return sum(1 << number for number in config["capabilities"])


def shut_proc(config):
    """Decide what /proc shows of us; a change of ids has undone it.

    To a tool without rights: owned by us, for else it would belong to uid 0, which a tool may have. To one that can
    become any uid: nothing, whatever uid it has.
    """
    prctl(PR_SET_DUMPABLE, 0 if config["capabilities"] else 1)


def drop_root(config):
    """Become a uid of our own, with SETUID, SETGID and KILL; no program run from here can hold more than a tool may.

    Returns what there was to give up.

    Whoever has that uid on the host gets a guest of another: a tool must never share it.
    """
    found = given()
    guest_id = ANOTHER_ID if GUEST_ID in (config["uid"], config["gid"], *config["owner"]) else GUEST_ID
    rights = mask_of(config)
    if not rights:
        prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED)
    for capability in range(64):
        try:
            if not rights >> capability & 1:
                prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last capability this kernel knows
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(guest_id, guest_id, guest_id)
    os.setresuid(guest_id, guest_id, guest_id)
    own = 1 << CAP_SETGID | 1 << CAP_SETUID | 1 << CAP_KILL
    set_capabilities(own, own | rights)
    shut_proc(config)
    return found


def touch_files_as(config):
    """Open and make files as the tool would, with its rights and no more, and stay out of its reach.

    Who may signal, trace, slow or limit a process is decided by ids that stay the guest's.
    """
    uid, gid = config["uid"], config["gid"]
    os.setgroups([])
    libc.setfsgid(gid)
    libc.setfsuid(uid)
    set_capabilities(mask_of(config) & CAPS_OF_FILES)
    if (libc.setfsuid(-1), libc.setfsgid(-1)) != (uid, gid):  # they never fail, they only do not happen
        raise PermissionError("cannot touch files as the tool")
    shut_proc(config)


@contextlib.contextmanager
def owned_by_tool(config):
    """What is opened inside belongs to the tool, so that it can open it again: `/dev/stderr`, its terminal."""
    libc.setfsuid(config["uid"])
    try:
        yield
    finally:
        libc.setfsuid(os.geteuid())
        shut_proc(config)


def become_tool(config):
    """Give up everything that is not the tool's: its uid and gid, no groups, its capabilities."""
    become(config["uid"], config["gid"], mask_of(config))


def become_owner(config):
    """Be whose the workspace is, with no right but an owner's: who fills it, before any tool runs."""
    become(*config["owner"], 0)


def become(uid, gid, rights):
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    set_capabilities(rights)
