"""Thousands of small worlds: trees that a seed decides, and what a program in the sandbox does to them.

`MUTATE` and `VIEW` run inside, on Python alone; `lay_out` makes the worlds on the host before.
"""

import os
import random
import socket
import stat
from collections.abc import Iterator

NAMES = (
    b"a", b"b", b"c", b"A", b"d", b"e", b"Makefile", b"caf\xc3\xa9", b"cafe\xcc\x81", b"\xff\xfe", b"new\nline",
    b"\x1b[2J", b"\xe2\x80\xaetxt.exe", b"-rf", b" ", b"dot.", b"CON", b"a:b", b"back\\slash", b"n" * 200,
    b".gitignore", b".wh.a", b".wh..wh..opq", b"legit",
)  # fmt: skip

GIT = (b".git", b".GIT", b".git ", b"git~1", b"\xef\xbc\x8egit", b".g\xe2\x80\x8dit")
"""Spellings of git's folder, as some file system compares names."""

CONTENTS = (b"", b"x", b"x\n", b"y\n" * 40, b"\0\1\2\xff" * 9, b"#!/bin/sh\n", b"*\n", b"z" * 70_000)


def lay_out(top: bytes, seed: str) -> None:
    """A tree of files, links and folders that the seed decides; `top` is there."""
    chance = random.Random(seed)
    folders = [top]
    for _ in range(chance.randrange(4, 14)):
        path = os.path.join(chance.choice(folders), chance.choice(NAMES))
        if os.path.lexists(path):
            continue
        match chance.randrange(10):
            case 0 | 1 | 2:
                os.mkdir(path, chance.choice((0o755, 0o700)))
                folders.append(path)
            case 3:
                os.symlink(chance.choice((b"a", b"../b", b"gone", b"/etc/passwd", b".", b"d/../..")), path)
            case 4 if files := list(_files(top)):
                os.link(chance.choice(files), path)
            case 5 if chance.random() < 0.3:
                os.makedirs(os.path.join(os.path.dirname(path), b".git", b"objects"), exist_ok=True)
            case _:
                with open(path, "wb") as file:
                    file.write(chance.choice(CONTENTS))
                os.chmod(path, chance.choice((0o644, 0o644, 0o755, 0o600, 0o444)))


def nasty(top: bytes) -> None:
    """A tree with one of everything a checkout may hold."""
    for number, name in enumerate(NAMES):
        with open(os.path.join(top, name), "wb") as file:
            file.write(CONTENTS[number % len(CONTENTS)])
    for name, mode in ((b"program", 0o755), (b"private", 0o600), (b"read-only", 0o444), (b"odd", 0o4755)):
        with open(os.path.join(top, name), "wb") as file:
            file.write(b"crlf\r\n" * 3)
        os.chmod(os.path.join(top, name), mode)
    for name, target in ((b"to-file", b"a"), (b"to-folder", b"folder"), (b"dangling", b"gone"), (b"loop", b"loop"),
                         (b"absolute", b"/etc/passwd"), (b"out", b"../../.."), (b"into", b".git/config")):  # fmt: skip
        os.symlink(target, os.path.join(top, name))
    for name, mode in ((b"folder", 0o755), (b"empty", 0o755), (b"closed", 0o555), (b"folder/deep", 0o700)):
        os.mkdir(os.path.join(top, name))
        os.chmod(os.path.join(top, name), mode)
    with open(os.path.join(top, b"folder/deep/file"), "wb") as file:
        file.write(b"deep")
    os.link(os.path.join(top, b"a"), os.path.join(top, b"folder/twin"))
    os.mkfifo(os.path.join(top, b"fifo"))
    with socket.socket(socket.AF_UNIX) as listener:
        descriptor = os.open(top, os.O_PATH)
        listener.bind(f"/proc/self/fd/{descriptor}/socket")
        os.close(descriptor)
    os.makedirs(os.path.join(top, b"sub/.git/objects"))


def _files(top: bytes) -> Iterator[bytes]:
    for folder, _, names in os.walk(top):
        for name in names:
            if stat.S_ISREG(os.lstat(os.path.join(folder, name)).st_mode):
                yield os.path.join(folder, name)


MUTATE = f"""
import os, random, shutil, socket, stat, sys
NAMES, GIT = (list(map(os.fsdecode, names)) for names in ({NAMES!r}, {GIT!r}))
CONTENTS = {CONTENTS!r}
seed, worlds = sys.argv[1], list(map(os.path.abspath, sys.argv[2:]))

def mutate(top, chance):
    def below():
        return [os.path.join(folder, name) for folder, names, files in os.walk(top) for name in names + files]

    def some():
        return chance.choice(below() or [os.path.join(top, "a")])

    def fresh():
        folders = [top] + [path for path in below() if os.path.isdir(path) and not os.path.islink(path)]
        name = chance.choice(GIT) if chance.random() < 0.04 else chance.choice(NAMES)
        return os.path.join(chance.choice(folders), name)

    def write(path):
        with open(path, "wb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:  # may be a fifo
            file.write(chance.choice(CONTENTS))

    def remove(path):
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)

    def anew(path):
        remove(path)
        chance.choice((os.mkdir, write, lambda path: os.symlink("a", path)))(path)
        if os.path.isdir(path) and not os.path.islink(path):
            write(os.path.join(path, chance.choice(NAMES)))

    def tree(path):
        os.makedirs(os.path.join(path, chance.choice(NAMES), chance.choice(NAMES)))
        write(os.path.join(path, "leaf"))

    def link(path):
        targets = ("a", "../a", "./d/e", "gone", "/etc/passwd", "../../../x", "d/../..", ".git/config", "b", "..")
        os.symlink(chance.choice(targets), path)

    def forge(path):
        facts = os.lstat(path)
        with open(path, "r+b") as file:
            file.write(b"X")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    def bind(path):
        with socket.socket(socket.AF_UNIX) as listener:
            os.chdir(os.path.dirname(path))  # a socket's path is 107 bytes at most
            listener.bind("socket")
        os.chdir("/")

    def mode(path):
        if not os.path.islink(path):
            bits = (0o755, 0o700, 0o777, 0o644, 0o600, 0o444, 0o4755, 0o1644, 0)
            os.chmod(path, chance.choice(bits[:3] if os.path.isdir(path) else bits))

    def swap(path):
        other, aside = some(), os.path.join(top, "aside")
        shutil.move(path, aside)
        shutil.move(other, path)
        shutil.move(aside, other)

    for _ in range(chance.randrange(1, 22)):
        action = chance.choice((
            lambda: write(fresh()), lambda: write(some()), lambda: remove(some()), lambda: anew(some()),
            lambda: os.mkdir(fresh()), lambda: tree(fresh()), lambda: link(fresh()),
            lambda: shutil.move(some(), fresh()), lambda: os.rename(some(), fresh()), lambda: os.rename(some(), some()),
            lambda: os.link(some(), fresh(), follow_symlinks=False), lambda: forge(some()), lambda: mode(some()),
            lambda: shutil.copy2(some(), fresh(), follow_symlinks=False), lambda: os.truncate(some(), 1),
            lambda: os.utime(some(), (1, 1)), lambda: swap(some()), lambda: os.mkfifo(fresh()), lambda: bind(fresh()),
        ))
        try:
            action()
        except (OSError, shutil.Error, RecursionError):
            pass

for world in worlds:
    mutate(world, random.Random(seed + os.path.basename(world)))
"""

VIEW = """
import hashlib, os, stat

def content(path, mode):
    try:
        file = open(path, "rb")
    except PermissionError:
        os.chmod(path, 0o600)
        file = open(path, "rb")
        os.chmod(path, stat.S_IMODE(mode))
    with file:
        return hashlib.sha256(file.read()).hexdigest()

waiting = [b""]
while waiting:
    folder = waiting.pop()
    for name in os.listdir(folder or b"."):
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            waiting.append(path)
            what = "folder"
        elif stat.S_ISLNK(mode):
            what = "link:" + os.readlink(path).hex()
        elif stat.S_ISREG(mode):
            what = "file:%d:%o:%s" % (bool(mode & 0o100), mode >> 9 & 7, content(path, mode))
        else:
            what = "special"
        print(path.hex(), what)
"""
"""Lists what is there: the same program inside and outside. Of a mode the execute bit, and those that never travel."""
