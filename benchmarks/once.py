"""What is made once for an engine, and once for an image and a user: the volumes that sandboxes share."""

import os
from dataclasses import replace

import anyio.to_thread

from benchmarks.bench import Bench, process
from benchmarks.measure import Row, in_turn
from sandbox import accounts, shared, toolbox
from sandbox.identity import author, invoking_user
from sandbox.programs import PYTHON
from sandbox.shared import READY, Filling


async def rows(bench: Bench) -> list[Row]:
    """Each filled anew under a name of our own; those in use are left alone."""
    engine, made = bench.engine, list[str]()
    box = toolbox.image_on(engine, lambda _: None)
    who = accounts.accounts(bench.image.id, invoking_user(), author())

    def fill_toolbox() -> None:
        made.append(f"paddock-toolbox-bench{os.urandom(6).hex()}")
        shared.fill(engine, made[-1], "toolbox", Filling(box, (PYTHON, "-I", "-S", "-c", toolbox.COPY)))

    def fill_etc() -> None:
        fresh = replace(who, name=f"bench{os.urandom(6).hex()}")
        made.append(fresh.volume)
        accounts.ensure(engine, fresh, ())

    try:
        times = await in_turn(
            {
                "toolbox": lambda: anyio.to_thread.run_sync(fill_toolbox),
                "etc": lambda: anyio.to_thread.run_sync(fill_etc),
                "docker": lambda: process(*bench.docker_run("true")),
            },
            rounds=3,
        )
    finally:
        for name in made:
            engine.remove_volume(name + READY)
            engine.remove_volume(name)
    against = "docker run … true"
    return [
        Row("once for an engine: fill the toolbox volume", times["toolbox"], against, times["docker"]),
        Row("once for an image and a user: fill its /etc", times["etc"], against, times["docker"]),
    ]
