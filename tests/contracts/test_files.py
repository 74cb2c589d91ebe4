"""What reading, writing, listing and freezing mean, whatever the sandbox."""

from pathlib import Path, PurePosixPath

import pytest

from sandbox.base import Command, Entry, Sandbox
from sandbox.errors import FileError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("data", [b"", b"\xff\x00\r\n", b"x" * 3_000_000], ids=["empty", "binary", "3MB"])
async def test_what_was_written_is_read(any_sandbox: Sandbox, data: bytes) -> None:
    path = any_sandbox.root / "new folder" / "deep" / "a b\n'.bin"
    await any_sandbox.write(path, data)
    assert await any_sandbox.read(path) == data


async def test_writing_never_reaches_the_checkout(any_sandbox: Sandbox, checkout: Path) -> None:
    await any_sandbox.write(any_sandbox.root / "hello.txt", b"changed\n")
    await any_sandbox.run(Command(["rm", "-rf", "src"], any_sandbox.root))
    assert (checkout / "hello.txt").read_bytes() == b"hello\n"
    assert (checkout / "src" / "main.py").exists()


async def test_writing_keeps_the_mode(any_sandbox: Sandbox) -> None:
    await any_sandbox.run(Command(["chmod", "755", "hello.txt"], any_sandbox.root))
    await any_sandbox.write(any_sandbox.root / "hello.txt", b"#!/bin/sh\n")
    result = await any_sandbox.run(Command(["stat", "-c", "%a", "hello.txt"], any_sandbox.root))
    assert result.stdout.all == b"755\n"


async def test_writing_through_a_link_changes_its_target(any_sandbox: Sandbox) -> None:
    await any_sandbox.run(Command(["ln", "-s", "hello.txt", "link"], any_sandbox.root))
    await any_sandbox.write(any_sandbox.root / "link", b"through\n")
    assert await any_sandbox.read(any_sandbox.root / "hello.txt") == b"through\n"
    assert Entry("link", "link") in await any_sandbox.list(any_sandbox.root)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        ("true", "not-found"),
        ("mkdir thing", "is-directory"),
        ("mkfifo thing", "not-a-file"),
        ("ln -s /dev/zero thing", "not-a-file"),
        ("ln -s thing thing", "not-found"),
        ("truncate -s 2M thing", "too-large"),
    ],
)
async def test_what_cannot_be_read_says_why(any_sandbox: Sandbox, make: str, kind: str) -> None:
    await any_sandbox.run(Command(["bash", "-c", make], any_sandbox.root))
    with pytest.raises(FileError, match="thing") as caught:
        await any_sandbox.read(any_sandbox.root / "thing", limit=1024 * 1024)
    assert caught.value.kind == kind


@pytest.mark.parametrize(("make", "kind"), [("mkdir thing", "is-directory"), ("mkfifo thing", "not-a-file")])
async def test_what_cannot_be_written_says_why(any_sandbox: Sandbox, make: str, kind: str) -> None:
    await any_sandbox.run(Command(["bash", "-c", make], any_sandbox.root))
    with pytest.raises(FileError) as caught:
        await any_sandbox.write(any_sandbox.root / "thing", b"x")
    assert caught.value.kind == kind


@pytest.mark.parametrize("path", ["relative", "", "~/x", "/a\0b", "/\ud800"], ids=ascii)
async def test_a_path_that_is_none_is_refused(any_sandbox: Sandbox, path: str) -> None:
    with pytest.raises(FileError) as caught:
        await any_sandbox.read(PurePosixPath(path))
    assert caught.value.kind == "outside"


async def test_a_listing_is_sorted_and_says_what_each_is(any_sandbox: Sandbox) -> None:
    await any_sandbox.run(Command(["bash", "-c", "mkfifo pipe; ln -s nowhere broken"], any_sandbox.root))
    assert list(await any_sandbox.list(any_sandbox.root)) == [
        Entry("broken", "link"),
        Entry("hello.txt", "file", 6),
        Entry("pipe", "other"),
        Entry("src", "directory"),
    ]


async def test_names_that_are_no_text_survive_the_way(any_sandbox: Sandbox) -> None:
    await any_sandbox.run(Command(["bash", "-c", r"printf data > $'src/\xff\n\e[2J'"], any_sandbox.root))
    names = [entry.name for entry in await any_sandbox.list(any_sandbox.root / "src")]
    assert "\udcff\n\x1b[2J" in names
    assert await any_sandbox.read(any_sandbox.root / "src" / "\udcff\n\x1b[2J") == b"data"


@pytest.mark.parametrize(("name", "kind"), [("nowhere", "not-found"), ("hello.txt", "not-a-directory")])
async def test_what_cannot_be_listed_says_why(any_sandbox: Sandbox, name: str, kind: str) -> None:
    with pytest.raises(FileError) as caught:
        await any_sandbox.list(any_sandbox.root / name)
    assert caught.value.kind == kind


async def test_nothing_done_is_an_empty_change_set(any_sandbox: Sandbox) -> None:
    await any_sandbox.run(Command(["bash", "-c", "cat hello.txt; ls -R; touch hello.txt"], any_sandbox.root))
    frozen = await any_sandbox.freeze()
    assert (frozen.changes, frozen.refused) == ((), ())


async def test_a_change_set_holds_whatever_was_done_by_any_means(any_sandbox: Sandbox) -> None:
    await any_sandbox.write(any_sandbox.root / "new.txt", b"new\n")
    await any_sandbox.run(
        Command(["bash", "-c", "sed -i s/hi/ho/ src/main.py; rm hello.txt; mkdir empty"], any_sandbox.root)
    )
    changes = (await any_sandbox.freeze()).changes
    assert [(change.path, change.kind) for change in changes] == [
        (b"empty", "added"),
        (b"hello.txt", "deleted"),
        (b"new.txt", "added"),
        (b"src/main.py", "modified"),
    ]


async def test_the_same_changes_have_the_same_id(any_sandbox: Sandbox) -> None:
    await any_sandbox.write(any_sandbox.root / "new.txt", b"new\n")
    first = await any_sandbox.freeze()
    await any_sandbox.run(Command(["touch", "new.txt"], any_sandbox.root))
    second = await any_sandbox.freeze()
    await any_sandbox.write(any_sandbox.root / "new.txt", b"other\n")
    third = await any_sandbox.freeze()
    assert first.id == second.id != third.id
