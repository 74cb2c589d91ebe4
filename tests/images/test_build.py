"""A build, with a builder of our own on the PATH: what it gets, what becomes of its output, how it may fail."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from images import build as builder
from images import definition
from images.errors import BuildFailed
from images.image import Progress

TALK = "I: running apt-get update...\nI: creating tarball...\n"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a shell script as mmdebstrap and returns the folder it runs in reach of."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def install(script: str) -> Path:
        (folder / "mmdebstrap").write_text(f"#!/bin/sh\ncd {tmp_path}\n{script}\n")
        (folder / "mmdebstrap").chmod(0o755)
        return tmp_path

    return install


def ignore(_: Progress) -> None:
    """Progress that nobody watches."""


def test_the_builders_output_becomes_the_images_layer(program, store, tmp_path: Path) -> None:
    program(f"printf '{TALK}' >&2\nprintf layer")
    base = definition.load("base")
    seen: list[Progress] = []
    id_ = builder.build(base, store, seen.append, tmp_path / "cache")
    assert store.images == {base.tag: id_}
    assert [now.step for now in seen] == [
        "starting",
        "reading the package lists",
        "packing",
        "loading into the engine",
        "ready",
    ]


def test_an_image_that_came_out_the_same_is_not_loaded_again(program, store) -> None:
    program("printf layer")
    base = definition.load("base")
    assert builder.build(base, store, ignore) == builder.build(base, store, ignore)
    assert len(store.archives) == 1


def test_the_builder_gets_the_date_and_no_secrets(program, store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    folder = program("env > environment; cat > /dev/null")
    builder.build(definition.load("base"), store, ignore)
    environment = (folder / "environment").read_text().splitlines()
    assert f"SOURCE_DATE_EPOCH={definition.load('base').epoch}" in environment
    assert "HTTPS_PROXY=http://proxy.example:3128" in environment
    assert not [line for line in environment if "canary" in line]


def test_a_failure_shows_the_lines_that_say_why(program, store) -> None:
    program("printf 'noise\\nE: Unable to locate package ripgrap\\033[31m\\nI: cleaning up\\n' >&2; exit 25")
    with pytest.raises(BuildFailed) as caught:
        builder.build(definition.load("base"), store, ignore)
    assert str(caught.value) == (
        "image 'base' was not built: mmdebstrap ended with status 25\n  E: Unable to locate package ripgrap [31m"
    )
    assert store.images == {}


def test_without_lines_that_say_why_the_last_ones_are_shown(program, store) -> None:
    program("seq 1 50 >&2; exit 1")
    with pytest.raises(BuildFailed, match=r"status 1\n  39\n(.*\n)*  50$"):
        builder.build(definition.load("base"), store, ignore)


def test_where_only_root_may_build_that_is_said(program, store) -> None:
    program("echo 'E: unable to pick chroot mode automatically (use --mode for manual selection)' >&2; exit 25")
    with pytest.raises(BuildFailed, match=r"\nbuild it as root: sudo paddock images build base$"):
        builder.build(definition.load("base"), store, ignore)


def test_no_builder_says_how_to_get_one(store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as bare, pytest.raises(BuildFailed, match="`paddock doctor --fix` installs it"):
        bare.setenv("PATH", str(tmp_path))
        builder.build(definition.load("base"), store, ignore)


@pytest.mark.parametrize("script", ["exit 1", "printf layer"])
def test_nothing_of_a_build_stays_in_the_cache(program, store, tmp_path: Path, script: str) -> None:
    program(script)
    cache = tmp_path / "cache"
    try:
        builder.build(definition.load("base"), store, ignore, cache)
    except BuildFailed:
        assert script == "exit 1"
    assert list(cache.iterdir()) == []


def test_a_build_that_is_left_stops_the_builder_first(program, store) -> None:
    folder = program(
        "trap 'touch cleaned; exit 1' TERM\necho 'I: running apt-get update' >&2\nwhile :; do sleep 0.1; done"
    )

    def leave(now: Progress) -> None:
        if now.step != "starting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builder.build(definition.load("base"), store, leave)
    assert (folder / "cleaned").exists()


def test_a_killed_build_leaves_nothing_and_holds_nobody_up(program, store, tmp_path: Path) -> None:
    program("echo 'I: running apt-get update' >&2\nprintf layer\nsleep 0.5; echo x >&2; echo y >&2")
    cache = tmp_path / "cache"
    code = f"""
from pathlib import Path
from images import build, definition
base, cache = definition.load("base"), Path({str(cache)!r})
with build.alone(base, cache, print):
    build.build(base, None, lambda now: print(now.step, flush=True), cache)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)][1] == "reading the package lists\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with builder.alone(definition.load("base"), cache, ignore):
        assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_two_processes_that_want_the_same_image_take_turns(tmp_path: Path) -> None:
    base = definition.load("base")
    said: list[str] = []
    order: list[str] = []

    def second() -> None:
        with builder.alone(base, tmp_path, lambda now: said.append(now.step)):
            order.append("second")

    thread = threading.Thread(target=second)
    with builder.alone(base, tmp_path, ignore):
        thread.start()
        while not said:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert said == ["another process is building 'base'; waiting for it"]
    assert order == ["first", "second"]


def test_a_folder_that_cannot_be_written_is_named(program, store, tmp_path: Path) -> None:
    program("printf layer")
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(BuildFailed, match=r"not built: .*cache"):
        builder.build(definition.load("base"), store, ignore, tmp_path / "cache")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_builds_are_equal_bit_for_bit(store, tmp_path: Path) -> None:
    base = definition.load("base")
    first = builder.build(base, store, ignore, tmp_path)
    store.images.clear()
    assert builder.build(base, store, ignore, tmp_path) == first
    assert len(set(store.archives)) == 1


def test_the_way_to_the_mirror_is_apts_own() -> None:
    argv = builder.command(definition.load("base"), ['Acquire::http::Proxy "x";'], mirrored=True)
    assert "--format=tar" in argv
    assert '--aptopt=Acquire::http::Proxy "x";' in argv
    assert argv[-3:] == ["bookworm", "-", "-"]
