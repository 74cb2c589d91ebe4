"""How a name becomes a pinned image: the catalog, the engine, a registry, in this order."""

import pytest

from images import catalog, definition
from images.errors import BuildFailed, UnknownImage
from images.image import Image, Progress
from sandbox.engine import Engine

ID = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def ignore(_: Progress) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def tag() -> str:
    return definition.load("base").tag


def test_an_image_built_before_is_found_and_not_built(store, tag: str) -> None:
    store.images[tag] = ID
    assert catalog.resolve("base", store, ignore) == Image("base", ID)


def test_the_catalog_comes_before_the_engine(store, tag: str) -> None:
    store.images |= {tag: ID, "base:latest": OTHER}
    assert catalog.resolve("base", store, ignore).id == ID


def test_a_tag_an_id_and_a_digest_on_the_engine_are_pinned(store) -> None:
    store.images["house/tools:3"] = ID
    assert catalog.resolve("house/tools:3", store, ignore) == Image("house/tools:3", ID)
    assert catalog.resolve(ID, store, ignore) == Image(ID, ID)


def test_what_the_engine_lacks_is_pulled(store) -> None:
    store.registry["house/tools:3"] = ID
    seen: list[Progress] = []
    assert catalog.resolve("house/tools:3", store, seen.append) == Image("house/tools:3", ID)
    assert seen == [Progress("pulling", 1, 1, "bytes")]


def test_a_name_nobody_knows_is_one_sentence_with_the_catalog(store) -> None:
    with pytest.raises(UnknownImage) as caught:
        catalog.resolve("house/nope", store, ignore)
    assert str(caught.value) == "image 'house/nope' could not be pulled: not found; the catalog has base"


def test_an_id_that_is_gone_is_never_looked_for_in_a_registry(store) -> None:
    store.registry[ID] = ID
    with pytest.raises(UnknownImage, match="no image on the engine has the id sha256:aaa"):
        catalog.resolve(ID, store, ignore)


@pytest.mark.parametrize("name", ["", "-x", "--privileged", "a b", "a\nb", "ünicode", "x" * 500, "\x1b[31m", "$(id)"])
def test_what_is_no_name_never_reaches_an_engine(name: str) -> None:
    with pytest.raises(UnknownImage, match="is not an image name; the catalog has base"):
        catalog.resolve(name, None, ignore)  # type: ignore[arg-type]  # the point: it is not asked


def test_only_the_catalog_is_built(store) -> None:
    with pytest.raises(UnknownImage, match="not in the catalog, which has base"):
        catalog.build("house/tools:3", store, ignore)


def test_the_list_says_what_is_built(store, tag: str) -> None:
    summary = definition.load("base").summary
    assert catalog.listed(store) == [catalog.Listed("base", summary, None)]
    store.images |= {tag: ID, "paddock/base:000000000000": OTHER}
    assert catalog.listed(store) == [catalog.Listed("base", summary, ID)]


def test_a_rebuild_builds_although_there_is_one(store, tag: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.images[tag] = ID
    (tmp_path / "mmdebstrap").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "mmdebstrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(BuildFailed, match="status 3"):
        catalog.build("base", store, ignore, rebuild=True)


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_the_base_image_on_a_real_engine() -> None:
    engine = Engine.connect()
    store = engine.images
    image = catalog.resolve(catalog.DEFAULT, store, ignore)
    seen: list[Progress] = []
    assert catalog.resolve(catalog.DEFAULT, store, seen.append) == image
    assert seen == []
    script = (
        "for tool in git rg jq make curl; do $tool --version > /dev/null || exit; done"
        " && python -c 'import pytest, venv, pip'"
        ' && python3 -c \'import sys; assert sys.version_info >= (3, 8); print("all", "there")\''
        ' && test ! -s /etc/apt/sources.list && test -z "$(ls /etc/apt/sources.list.d)"'
        " && ! grep -rqs '://' /etc/apt/apt.conf.d && test ! -e /etc/apt/apt.conf.d/99mmdebstrap && echo clean"
    )
    code, printed = engine.run_to_end({"Image": image.id, "Cmd": ["sh", "-c", script]})
    assert (code, printed) == (0, b"all there\nclean\n")
