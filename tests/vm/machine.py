"""A machine with another kernel than this one's: built once from Debian's packages, then emulated by qemu."""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from images import mirror

SUITE = "bookworm"
PACKAGES = (
    *("linux-image-amd64", "systemd-sysv", "udev", "dbus", "kmod", "iproute2", "procps", "apparmor"),
    *("docker.io", "iptables", "mmdebstrap", "python3", "git", "make", "strace", "file", "acl", "attr"),
    *("nfs-kernel-server", "nfs-common", "xfsprogs", "e2fsprogs", "btrfs-progs", "ca-certificates"),
)
HOOK = Path(__file__).with_name("build.sh")
NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs"}
TOLD = 16
"""What is added to the exit code that the machine tells us: qemu's own statuses are lower."""
HOURS = 3


def built(cache: Path) -> Path:
    """The folder with its disk, kernel and initrd, made if it is not there. Raises SystemExit."""
    if missing := [package for program, package in NEEDED.items() if not shutil.which(program)]:
        raise SystemExit(f"vm: as root, run: apt-get install --no-install-recommends {' '.join(missing)}")
    if os.geteuid() != 0:
        raise SystemExit("vm: root is needed to make the machine's disk: sudo make test-vm")
    wanted = hashlib.sha256(repr((SUITE, PACKAGES, HOOK.read_bytes())).encode()).hexdigest()[:12]
    folder = cache / f"vm-{wanted}"
    if not folder.exists():
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        sys.stderr.write("vm: building the machine, which takes some minutes and 2 GB, once\n")
        with tempfile.TemporaryDirectory(dir=cache, prefix="vm-new-") as half:
            _build(Path(half))
            os.mkdir(f"{half}/whole")
            for name in ("disk", "kernel", "initrd"):
                os.rename(f"{half}/{name}", f"{half}/whole/{name}")
            for old in cache.glob("vm-" + "[0-9a-f]" * 12):  # one that runs has it open
                shutil.rmtree(old)
            os.rename(f"{half}/whole", folder)
    return folder


def _build(folder: Path) -> None:
    sources = mirror.sources(SUITE, ("main",))
    argv = [
        *("mmdebstrap", "--mode=root", "--variant=apt", "--format=null", "--quiet"),
        *(f"--include={','.join(PACKAGES)}", '--aptopt=Apt::Install-Recommends "false"'),
        *(f"--aptopt={option}" for option in mirror.settings()),
        *(f'--customize-hook=TO={shlex.quote(str(folder))} sh {shlex.quote(str(HOOK))} "$1"', SUITE, "-"),
        *(["-"] if sources else []),
    ]
    subprocess.run(argv, input=sources.encode(), check=True)


def run(machine: Path, given: Path) -> int:
    """Boot it with a second disk, copy what it says to our output, and return the exit code that it tells.

    Neither disk is changed, no port is opened, and it ends when we do. 255 if it told none.
    """
    command = ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "10", *_command(machine, given)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)  # never written to: at its end the machine would be deaf
    try:
        status = process.wait(HOURS * 3600)
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"vm: not done after {HOURS} hours\n")
        return 255
    finally:
        process.kill()
        process.wait()
    return status // 2 - TOLD if status % 2 and status // 2 >= TOLD else 255


def _command(machine: Path, given: Path) -> Sequence[str]:
    disks = (f"file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe" for disk in (machine / "disk", given))
    return [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "9G"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none"),
        *("-kernel", str(machine / "kernel"), "-initrd", str(machine / "initrd")),
        *("-append", "root=/dev/vda rw quiet panic=-1 mitigations=off"),
        *(word for disk in disks for word in ("-drive", disk)),
        *("-device", "virtio-rng-pci", "-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        *("-chardev", "stdio,id=output,signal=off", "-device", "virtio-serial"),
        *("-device", "virtserialport,chardev=output,name=output"),
    ]
