"""Run by the tests as an engine's own user: the look of `paddock doctor` at a sandbox, on an image of their choice."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import anyio

from images.image import Image
from sandbox.choice import Choice
from sandbox.engine import Engine
from sandbox.selfcheck import selfcheck


async def main(folder: Path, tag: str) -> None:
    engine = Engine.connect()
    id_ = engine.images.find(tag)
    assert id_ is not None
    findings = await selfcheck(engine, Image(tag, id_), folder, Choice())
    print(json.dumps([asdict(one) for one in findings]))  # noqa: T201 - read by the test


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
