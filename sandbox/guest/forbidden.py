"""What no tool may ask of the kernel, whatever its rights: to be the guest's user, or to signal a process for it.

A second system call filter, on top of the engine's, which is there before the guest has its uid. Every process that
becomes a tool puts it on, and everything below inherits it. Where programs may gain rights (compat), the kernel lets
nobody without CAP_SYS_ADMIN put one on, so there it is missing.
"""

import ctypes
import errno
import os
import struct
import sys

from sandbox.guest.rights import libc

PR_SET_SECCOMP, MODE_FILTER = 22, 2
LOAD, MASK, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # classic BPF: ld [k], and, jeq, jge, ret
ALLOWED, FAILS = 0x7FFF0000, 0x00050000
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # where struct seccomp_data has them
X32 = 0x40000000  # added to a number, it is the same call for programs with short pointers
F_SETSIG, CLONE_NEWUSER = 10, 0x10000000
WHOLE = 0xFFFFFFFF

GENERIC = {
    "setuid": 146, "setreuid": 145, "setresuid": 147, "setfsuid": 151, "fcntl": 25, "clone": 220, "clone3": 435,
    "unshare": 97, "setns": 268,
}  # fmt: skip
MACHINES = {
    "x86_64": (0xC000003E, {
        "setuid": 105, "setreuid": 113, "setresuid": 117, "setfsuid": 122, "fcntl": 72, "clone": 56, "clone3": 435,
        "unshare": 272, "setns": 308,
    }),
    "aarch64": (0xC00000B7, GENERIC),
    "riscv64": (0xC00000F3, GENERIC),
}  # fmt: skip
"""By machine: what the kernel calls it in a filter, and its numbers for the calls (unistd.h)."""


def program(guest_id):
    """The filter as the kernel reads it. A machine whose numbers we do not know gets no sandbox."""
    machine = os.uname().machine
    if machine not in MACHINES:
        raise SystemExit("the guest does not know the numbers of system calls on this machine: " + machine)
    architecture, numbers = MACHINES[machine]
    denied, missing = FAILS | errno.EPERM, FAILS | errno.ENOSYS
    code = [
        (LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, missing),
        (LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), (RETURN, 0, 0, missing),
    ]  # fmt: skip
    for name, positions in (("setuid", 1), ("setreuid", 2), ("setresuid", 3), ("setfsuid", 1)):
        for position in range(positions):
            code += rule(numbers[name], position, WHOLE, guest_id, denied)
    code += rule(numbers["fcntl"], 1, WHOLE, F_SETSIG, denied)  # root may have it sent to anybody, without CAP_KILL
    code += rule(numbers["clone"], 0, CLONE_NEWUSER, CLONE_NEWUSER, denied)  # whose map could make any uid the guest's
    code += rule(numbers["unshare"], 0, CLONE_NEWUSER, CLONE_NEWUSER, denied)
    code += rule(numbers["setns"], 0, 0, 0, denied)
    code += rule(numbers["clone3"], 0, 0, 0, missing)  # its flags lie in memory: every C library falls back to clone
    code.append((RETURN, 0, 0, ALLOWED))
    return b"".join(struct.pack("HBBI", *one) for one in code)


def rule(number, position, mask, value, answer):
    """Answer so if this call's argument is `value` where the mask has bits. The kernel takes its low half only."""
    low = ARGUMENTS + 8 * position + (4 if sys.byteorder == "big" else 0)
    return [
        (LOAD, 0, 0, NUMBER), (EQUAL, 0, 4, number),
        (LOAD, 0, 0, low), (MASK, 0, 0, mask), (EQUAL, 0, 1, value), (RETURN, 0, 0, answer),
    ]  # fmt: skip


def forbid(filter_):
    """Put it on this process, for good. Raises OSError."""
    code = ctypes.create_string_buffer(filter_)
    head = struct.pack("HP", len(filter_) // 8, ctypes.addressof(code))
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, head, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
