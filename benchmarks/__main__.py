"""`make bench`: everything in one run, one table."""

import argparse
import tempfile
from pathlib import Path

import anyio

from benchmarks import calling, gating, growing, starting, turning
from benchmarks.bench import Bench
from benchmarks.measure import Growth, Row, growth_table, table
from images import catalog
from sandbox.engine import Engine

PARTS = {
    "start": starting.rows,
    "call": calling.rows,
    "gate": gating.rows,
    "grow": growing.rows,
    "turn": turning.rows,
}


async def measure(wanted: list[str]) -> None:
    engine = Engine.connect()
    image = catalog.resolve(catalog.DEFAULT, engine.images, lambda _: None)
    rows: list[Row | Growth] = []
    with tempfile.TemporaryDirectory(prefix="paddock-bench-", dir="/var/tmp") as folder:
        bench = Bench(engine, image, Path(folder))
        for name in wanted:
            print(f"measuring: {name} …", flush=True)
            rows += await PARTS[name](bench)
    rows += turning.command_line()
    print("\n" + table([row for row in rows if isinstance(row, Row)]))
    growths = [row for row in rows if isinstance(row, Growth)]
    if growths:
        print("\n" + growth_table(growths))


parser = argparse.ArgumentParser(description="Measure against raw Docker, git and cp, in turn, as ratios of medians.")
parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these (default: all)")
anyio.run(measure, parser.parse_args().parts or list(PARTS))
