"""How a peer is driven from another environment: a line names what to do, a line of JSON says how long it took."""

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

Doing = Callable[[], Awaitable[object]]


async def answer(doings: Mapping[str, Doing]) -> None:
    """Do what stdin asks for until it ends. A doing that returns a number of seconds has timed itself."""
    said = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    for line in sys.stdin:
        began = time.perf_counter()
        own = await doings[line.strip()]()
        seconds = own if isinstance(own, float) else time.perf_counter() - began
        said.write(json.dumps({"seconds": seconds}) + "\n")
