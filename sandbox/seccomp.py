"""Which system calls tools may make: our own allow lists, so that what a new kernel adds is closed until we open it.

Closed on purpose, beyond what the engine's default closes: io_uring (its own history of escapes, and it walks around
every other rule here), AF_VSOCK and AF_ALG (paths to the hypervisor and to CVE-2026-31431), new user namespaces,
keyctl, bpf, perf, userfaultfd, and changing a file's attributes (`chattr`), which would lead out of a quota. Only the
native architecture is open: the 32-bit entry points would hide a socket's family in memory (`socketcall`), where no
filter can see it. Open on purpose: ptrace of own children (strace, gdb).

The tight list is for code one only looks at. It closes besides what no test run needs and what escapes were made of:
looking into other processes, POSIX and System V messages and shared memory, kernel AIO, netlink, programs that lie in
no file, and `vmsplice` and `tee` (the way into the page cache of CVE-2022-0847 and its like).
"""

import functools
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

Filter = Literal["own", "tight", "engine"]
"""Ours, ours for strict, or the one that the engine has."""

ENOTTY, ENOSYS, EOPNOTSUPP = 25, 38, 95
PUNCH_HOLE = 0x02
ATTRIBUTES = (0x5820, 0x6602)  # FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS: kind and number, which are the lower 16 bits
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS … CLONE_NEWNET, CLONE_NEWCGROUP
AF_UNIX, AF_INET, AF_NETLINK, AF_INET6 = 1, 2, 16, 10
PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0x0040000, 0xFFFFFFFF)  # Linux, 32-bit, uname26, no ASLR, query

ALLOWED = {
    "files": """access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
        fadvise64 fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock
        fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr lchown
        lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat
        name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
        readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx
        symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice
        write writev cachestat""",
    "memory": """brk get_mempolicy madvise mbind membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap
        mprotect mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_madvise
        remap_file_pages set_mempolicy set_mempolicy_home_node map_shadow_stack""",
    "processes": """arch_prctl capget capset execve execveat exit exit_group fork getegid geteuid getgid
        getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid
        gettid getuid ioprio_get ioprio_set kill pidfd_getfd pidfd_open pidfd_send_signal prctl prlimit64
        process_mrelease process_vm_readv process_vm_writev ptrace rseq sched_get_priority_max
        sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
        sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
        seccomp set_robust_list get_robust_list set_tid_address setfsgid setfsuid setgid setgroups setpgid
        setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid tgkill tkill vfork wait4
        waitid landlock_create_ruleset landlock_add_rule landlock_restrict_self""",
    "signals": """pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
        rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4""",
    "waiting": """epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
        eventfd eventfd2 futex futex_requeue futex_wait futex_waitv futex_wake inotify_add_watch inotify_init
        inotify_init1 inotify_rm_watch poll ppoll pselect6 select io_cancel io_destroy io_getevents io_pgetevents
        io_setup io_submit""",
    "time": """alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time
        timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
        timerfd_settime times""",
    "talking": """accept accept4 bind connect getpeername getsockname getsockopt listen mq_getsetattr mq_notify mq_open
        mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 recvfrom recvmmsg recvmsg semctl
        semget semop semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketpair""",
    "the machine": "getcpu getrandom sysinfo syslog uname",
}


CLOSED_WHEN_TIGHT = """ptrace process_vm_readv process_vm_writev pidfd_getfd process_madvise process_mrelease syslog
    io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit mq_getsetattr mq_notify mq_open mq_timedreceive
    mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget
    memfd_create memfd_secret remap_file_pages set_mempolicy set_mempolicy_home_node get_mempolicy mbind vmsplice tee
    name_to_handle_at"""


@functools.cache
def filter_json(which: Literal["own", "tight"]) -> str:
    """A filter as the engine takes it: JSON text (not a path, so that a remote engine needs no file of ours)."""
    is_tight = which == "tight"
    closed = CLOSED_WHEN_TIGHT.split() if is_tight else ()
    families = (AF_UNIX, AF_INET, AF_INET6) if is_tight else (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK)
    personalities = (PERSONALITIES[0], PERSONALITIES[-1]) if is_tight else PERSONALITIES
    rules: list[dict[str, Any]] = [
        _allow([name for name in names.split() if name not in closed]) for names in ALLOWED.values()
    ]
    rules += [_allow(["socket"], 0, family) for family in families]
    rules += [_allow(["personality"], 0, value) for value in personalities]
    no_namespace = {"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    rules.append({"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [no_namespace]})
    # clone3 keeps its flags in memory, out of a filter's sight; ENOSYS makes every C library fall back to clone
    rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
    # one call takes gigabytes of disk in no time, faster than they can be watched; C libraries write zeros instead
    no_more = {"index": 1, "value": PUNCH_HOLE, "valueTwo": PUNCH_HOLE, "op": "SCMP_CMP_MASKED_EQ"}
    rules.append({"names": ["fallocate"], "action": "SCMP_ACT_ALLOW", "args": [no_more]})
    more = {"index": 1, "value": PUNCH_HOLE, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    rules.append({"names": ["fallocate"], "action": "SCMP_ACT_ERRNO", "errnoRet": EOPNOTSUPP, "args": [more]})
    # a file that leaves the workspace's project leaves its quota; programs know file systems without such attributes
    for mask, value in _others(ATTRIBUTES):
        masked = {"index": 1, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
        rules.append({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [masked]})
    for request in ATTRIBUTES:
        masked = {"index": 1, "value": 0xFFFF, "valueTwo": request, "op": "SCMP_CMP_MASKED_EQ"}
        rules.append({"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOTTY, "args": [masked]})
    natives = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390X")
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 1,
            "archMap": [{"architecture": name, "subArchitectures": []} for name in natives],
            "syscalls": rules,
        }
    )


def _others(values: Sequence[int], mask: int = 0, start: int = 0, bit: int = 0x8000) -> Iterator[tuple[int, int]]:
    """Masks, and what is left under each, that together let every number of 16 bits through but these.

    A filter cannot say "unequal": it compares more bits than the kernel then looks at.
    """
    for one in (0, bit) if bit else ():
        among = [value for value in values if value & bit == one]
        if among:
            yield from _others(among, mask | bit, start | one, bit >> 1)
        else:
            yield mask | bit, start | one


def _allow(names: list[str], index: int | None = None, value: int = 0) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": names, "action": "SCMP_ACT_ALLOW"}
    if index is not None:
        rule["args"] = [{"index": index, "value": value, "op": "SCMP_CMP_EQ"}]
    return rule
