"""`make bench`: everything in one run, one table."""

import argparse
import os
import platform
import tempfile
from pathlib import Path

import anyio

from benchmarks import calling, carrying, gating, growing, idling, once, starting, streaming, turning
from benchmarks.bench import Bench
from benchmarks.measure import Growth, Row, growth_table, table
from images import catalog
from sandbox import toolbox
from sandbox.engine import Engine

PARTS = {
    "start": starting.rows,
    "call": calling.rows,
    "stream": streaming.rows,
    "idle": idling.rows,
    "once": once.rows,
    "carry": carrying.rows,
    "gate": gating.rows,
    "grow": growing.rows,
    "turn": turning.rows,
}


async def measure(wanted: list[str]) -> None:
    engine = Engine.connect()
    image = catalog.resolve(catalog.DEFAULT, engine.images, lambda _: None)
    toolbox.ensure(engine, lambda _: None)  # what is made once is measured apart
    rows: list[Row | Growth] = []
    print(machine(engine))
    with tempfile.TemporaryDirectory(prefix="paddock-bench-", dir="/var/tmp") as folder:
        bench = Bench(engine, image, Path(folder))
        for name in wanted:
            print(f"measuring: {name} … (load {os.getloadavg()[0]:.1f})", flush=True)
            rows += await PARTS[name](bench)
    print("\n" + table([row for row in rows if isinstance(row, Row)]))
    growths = [row for row in rows if isinstance(row, Growth)]
    if growths:
        print("\n" + growth_table(growths))
    print(f"\nload at the end: {os.getloadavg()[0]:.1f}")


def machine(engine: Engine) -> str:
    """What all of it was measured on; figures taken under another load than our own are worth little."""
    facts = engine.facts()
    return (
        f"{os.cpu_count()} cores, Linux {platform.release()}, Docker {facts['ServerVersion']}, cgroup "
        f"{facts.get('CgroupVersion', '?')}, {facts['Driver']}; load at the start: {os.getloadavg()[0]:.1f}"
    )


parser = argparse.ArgumentParser(description="Measure against raw Docker, git, cp and peers, in turn: medians, ratios.")
parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these (default: all)")
anyio.run(measure, parser.parse_args().parts or list(PARTS))
