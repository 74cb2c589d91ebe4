"""What is brought along into every image: made once for an engine, whole or made again, swept when nobody wants it."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from images import definition
from sandbox import shared, toolbox
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.labels import LABEL, OWNER_LABEL, SESSION_LABEL
from sandbox.programs import PYTHON, RIPGREP
from sandbox.shared import READY, Filling

pytestmark = pytest.mark.engine


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """A volume of this test alone."""
    one = f"paddock-test-{uuid.uuid4().hex[:12]}"
    yield one
    engine.remove_volume(one + READY)
    engine.remove_volume(one)


@pytest.fixture
def writing(engine: Engine) -> Callable[[str], Filling]:
    """Makes a filling that runs a script."""
    image = toolbox.image_on(engine, lambda _: None)
    return lambda script: Filling(image, (toolbox.BUSYBOX, "sh", "-c", f"alias b={toolbox.BUSYBOX}\n{script}"))


def test_the_tag_names_every_word_of_the_guest() -> None:
    one = toolbox.toolbox()
    assert "sandbox/guest/main.py" in one.files
    path = definition.PARTS / "toolbox.toml"
    assert definition.read(path, dict(one.files)).tag == one.tag
    assert definition.read(path, {**one.files, "sandbox/guest/main.py": "another"}).tag != one.tag


def test_its_programs_lie_where_the_contract_says() -> None:
    assert {PYTHON, RIPGREP} == {f"{toolbox.BOX}/bin/python3", f"{toolbox.BOX}/bin/rg"}


def test_it_is_asked_for_only_once(engine: Engine) -> None:
    toolbox.ensure(engine, lambda _: None)
    steps: list[object] = []
    toolbox.ensure(engine, steps.append)
    assert steps == []


def test_one_that_was_not_filled_to_its_end_is_filled_again(
    engine: Engine, name: str, writing: Callable[[str], Filling]
) -> None:
    with pytest.raises(SandboxError, match="could not be filled: not today"):
        shared.fill(engine, name, "etc", writing("echo half > /target/a; echo not today; exit 3"))
    assert name in engine.shared_volumes()
    assert not shared.is_whole(name, engine.shared_volumes())
    shared.fill(engine, name, "etc", writing("echo whole > /target/a"))
    assert shared.is_whole(name, engine.shared_volumes())


def test_two_may_fill_it_at_once(engine: Engine, name: str) -> None:
    image = toolbox.image_on(engine, lambda _: None)
    filling = Filling(image, (PYTHON, "-I", "-S", "-c", toolbox.COPY))
    threads = [threading.Thread(target=shared.fill, args=(engine, name, "toolbox", filling)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    config = {
        "Image": image,
        "Entrypoint": [toolbox.BUSYBOX, "ls", "-A", "/target"],
        "HostConfig": {"NetworkMode": "none", "Mounts": [shared.mount(name, "/target")]},
    }
    assert engine.run_to_end(config) == (0, b"box\n")


def test_what_nobody_uses_is_swept_and_what_is_wanted_stays(
    engine: Engine, name: str, writing: Callable[[str], Filling]
) -> None:
    shared.fill(engine, name, "etc", writing(":"))
    long_ago = timedelta(seconds=-5)
    others = {one.removesuffix(READY) for one in engine.shared_volumes()} - {name}
    assert name in shared.stale(engine, keep=others, older=long_ago)
    assert name not in shared.stale(engine, keep={name, *others}, older=long_ago)
    shared.sweep(engine, keep={one.removesuffix(READY) for one in engine.shared_volumes()} - {name}, older=long_ago)
    assert not {name, name + READY} & set(engine.shared_volumes())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_is_the_same_bit_for_bit_wherever_it_is_built(engine: Engine) -> None:
    one = toolbox.toolbox()
    before = engine.images.find(one.tag)
    from images import build

    assert build.build(one, engine.images, lambda _: None) == before


def test_whoever_is_second_waits_and_a_dead_one_is_not_waited_for(
    engine: Engine, name: str, writing: Callable[[str], Filling]
) -> None:
    filling = writing("b sleep 1; echo first > /target/a")
    thread = threading.Thread(target=shared.fill, args=(engine, name, "etc", filling))
    thread.start()
    while engine.inspect(name) is None:
        time.sleep(0.01)
    shared.fill(engine, name, "etc", writing("echo second > /target/b"))
    thread.join()
    config = {
        "Image": toolbox.image_on(engine, lambda _: None),
        "Entrypoint": [toolbox.BUSYBOX, "ls", "/target"],
        "HostConfig": {"NetworkMode": "none", "Mounts": [shared.mount(name, "/target")]},
    }
    assert engine.run_to_end(config) == (0, b"a\n")
    engine.remove_volume(name + READY)
    dead = {OWNER_LABEL: "another-boot:1:1", SESSION_LABEL: "", LABEL: "1"}
    engine.create(name, {**config, "Labels": dead})
    shared.fill(engine, name, "etc", writing("echo third > /target/c"))
    assert engine.run_to_end(config) == (0, b"a\nc\n")
