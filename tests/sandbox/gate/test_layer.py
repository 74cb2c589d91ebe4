"""What a look at the upper layer finds, and what it must not fall for."""

import os
import random
import shutil
import threading
from pathlib import Path

import pytest

from sandbox.gate.ignore import Ignored
from sandbox.gate.layer import Layer, Look, Trace

Found = set[tuple[bytes, str]]


@pytest.fixture
def layer(gate) -> Layer:
    """The upper layer of a session that has just begun."""
    return Layer(gate.upper, gate.checkout, gate.blobs, Ignored(gate.checkout))


def found(look: Look) -> Found:
    """Paths and kinds."""
    return {(trace.path, trace.kind) for trace in look.changed}


def test_every_kind_of_entry_is_noted_once(gate, layer: Layer) -> None:
    gate.put("a.txt", "a")
    gate.whiteout("gone")
    gate.opaque("hidden")
    (gate.upper / "link").symlink_to("a.txt")
    os.mkfifo(gate.upper / "pipe")
    (gate.upper / "folder").mkdir()
    assert found(layer.look()) == {
        (b"a.txt", "file"),
        (b"gone", "whiteout"),
        (b"hidden", "opaque"),
        (b"link", "link"),
        (b"pipe", "special"),
        (b"folder", "directory"),
    }
    assert layer.look().changed == ()


def test_what_changes_its_kind_or_goes_is_noted(gate, layer: Layer) -> None:
    gate.put("a", "a")
    gate.put("b", "b")
    layer.look()
    (gate.upper / "a").unlink()
    (gate.upper / "a").mkdir()
    (gate.upper / "b").unlink()
    assert found(layer.look()) == {(b"a", "directory"), (b"b", "gone")}


def test_a_file_that_was_only_copied_up_is_not_noted_and_a_changed_one_is(gate, layer: Layer) -> None:
    (gate.checkout / "same.txt").write_text("same")
    (gate.checkout / "mode.txt").write_text("same")
    (gate.checkout / "text.txt").write_text("same")
    gate.put("same.txt", "same")
    gate.put("mode.txt", "same", mode=0o755)
    gate.put("text.txt", "sane")
    assert found(layer.look()) == {(b"mode.txt", "file"), (b"text.txt", "file")}


def test_a_text_is_kept_and_a_binary_only_named_by_its_digest(gate, layer: Layer) -> None:
    gate.put("text", "text\n")
    gate.put("binary", b"\0\1")
    traces = {trace.path: trace.digest for trace in layer.look().changed}
    assert gate.blobs.read(traces[b"text"]) == b"text\n"
    assert len(traces[b"binary"]) == 64
    assert not (gate.blobs.folder / traces[b"binary"]).exists()


def test_ignored_folders_and_gits_own_are_not_entered(gate, layer: Layer) -> None:
    (gate.checkout / ".gitignore").write_text("node_modules/\n")
    gate.put("node_modules/a/index.js", "x")
    gate.put(".git/objects/ab", "x")
    gate.put("src/a.js", "x")
    assert found(layer.look()) == {(b"src", "directory"), (b"src/a.js", "file")}


def test_ignore_rules_come_from_the_checkout_and_not_from_inside(gate, layer: Layer) -> None:
    gate.put(".gitignore", "src/\n")
    gate.put("src/a.js", "x")
    assert (b"src/a.js", "file") in found(layer.look())


def test_a_write_in_the_same_tick_with_the_same_size_is_found(gate, layer: Layer) -> None:
    file = gate.put("quick", "aaaa")
    for text in ("bbbb", "cccc", "dddd"):
        layer.look()
        with file.open("r+") as same:
            same.write(text)
        assert found(layer.look()) == {(b"quick", "file")}
    assert layer.look().changed == ()


def test_a_touched_file_with_the_same_content_is_not_noted(gate, layer: Layer) -> None:
    file = gate.put("a", "a")
    layer.look()
    os.utime(file, (1, 1))
    assert layer.look().changed == ()


def test_links_are_never_followed(gate, layer: Layer, tmp_path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (gate.upper / "folder").symlink_to(outside)
    (gate.upper / "file").symlink_to(outside / "secret")
    assert found(layer.look()) == {(b"folder", "link"), (b"file", "link")}
    assert list(gate.blobs.folder.iterdir()) == []


def test_a_look_ends_at_its_limit_and_takes_nothing_for_gone_then(gate, layer: Layer) -> None:
    gate.put("z", "z")
    assert layer.look().is_whole
    for number in range(20):
        gate.put(f"a{number:02}", "a")
    layer.most = 10
    look = layer.look()
    assert not look.is_whole
    assert len(look.changed) == 10
    assert "gone" not in {trace.kind for trace in look.changed}


def test_a_tree_3000_levels_deep_is_looked_at_as_far_as_paths_are_any_people_use(gate, layer: Layer) -> None:
    folder = os.open(gate.upper, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    look = layer.look()
    assert look.is_whole
    assert len(look.changed) == 500
    assert layer.look().changed == ()


def test_another_process_goes_on_where_the_last_one_stopped(gate, layer: Layer) -> None:
    gate.put("a", "a")
    gate.put("b", "b")
    traces = {trace.path: trace for trace in layer.look().changed}
    gate.put("b", "bb")
    again = Layer(gate.upper, gate.checkout, gate.blobs, Ignored(gate.checkout))
    again.recall({**traces, b"c": Trace(b"c", "gone")})
    assert found(again.look()) == {(b"b", "file")}


def test_whatever_is_done_to_the_layer_during_a_look_it_ends_and_takes_in_nothing_of_the_host(
    gate, layer: Layer, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "inner").write_text("SECRET")
    ended = threading.Event()

    def churn() -> None:
        chance = random.Random(7)
        while not ended.is_set():
            path = gate.upper / f"n{chance.randrange(6)}"
            remove(path)
            match chance.randrange(5):
                case 0:
                    path.symlink_to(secret)
                case 1:
                    path.mkdir()
                    (path / "inner").write_text("x" * chance.randrange(9))
                case 2:
                    path.write_bytes(b"y" * chance.randrange(9))
                case 3:
                    os.mkfifo(path)
                case _:
                    path.symlink_to(secret / "inner")

    hostile = threading.Thread(target=churn)
    hostile.start()
    try:
        for _ in range(50):
            layer.look()
    finally:
        ended.set()
        hostile.join()
    assert not [blob for blob in gate.blobs.folder.iterdir() if b"SECRET" in blob.read_bytes()]
    layer.look()
    assert layer.look().changed == ()


def remove(path: Path) -> None:
    """Take away whatever is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
