"""The archive made by hand: an engine takes it, and equal input gives equal bytes."""

import dataclasses
import io
import json
import tarfile
import tempfile

import pytest

from images import archive, definition

LAYER = b"not really a tarball, but a layer to us" * 100


def packed(layer: bytes, one: definition.Definition) -> tuple[str, bytes]:
    with tempfile.TemporaryFile() as file:
        archive.begin(file)
        file.write(layer)
        id_ = archive.finish(file, one)
        return id_, file.read()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 100_000])
def test_a_store_that_checks_takes_it_and_finds_it_under_the_id_we_said(store, size: int) -> None:
    base = definition.load("base")
    id_, data = packed(LAYER[:1] * size, base)
    store.load(io.BytesIO(data))
    assert store.images == {base.tag: id_}


def test_equal_input_gives_equal_bytes() -> None:
    base = definition.load("base")
    assert packed(LAYER, base) == packed(LAYER, base)


def test_another_layer_is_another_image() -> None:
    base = definition.load("base")
    assert packed(LAYER, base)[0] != packed(LAYER + b"!", base)[0]


def test_the_date_is_the_definitions_and_nothing_of_this_machine_is_inside() -> None:
    base = dataclasses.replace(definition.load("base"), epoch=0)
    with tarfile.open(fileobj=io.BytesIO(packed(LAYER, base)[1])) as tar:
        members = tar.getmembers()
        config = json.load(tar.extractfile(members[1]) or io.BytesIO())
    assert [(member.mtime, member.uid, member.uname) for member in members] == [(0, 0, "")] * 3
    assert config["created"] == "1970-01-01T00:00:00Z"
    assert config["config"]["Env"] == [f"{key}={value}" for key, value in sorted(base.environment.items())]
