"""A connection to a port, from the host's side: what is sent waits for credit, and for nothing that has ended."""

from types import SimpleNamespace

import anyio
import pytest

from sandbox.channel import Stream
from sandbox.errors import PortClosed, SandboxLost
from sandbox.frames import FRAME, WINDOW, Frame, Kind
from sandbox.ports import PortStream

pytestmark = pytest.mark.anyio


async def test_who_waits_for_credit_learns_that_the_other_side_broke_off():
    sent = []

    async def send(*frames):
        sent.extend(frames)

    async def break_off(stream):
        await anyio.wait_all_tasks_blocked()
        stream.take(Frame(1, Kind.DONE, b'{"gone": "reset"}'))

    with anyio.fail_after(5):
        async with Stream(SimpleNamespace(send=send, streams={}), 1) as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(break_off, stream)
            with pytest.raises(PortClosed):
                await PortStream(stream, 3128).send(bytes(2 * WINDOW))
    assert sum(len(frame.payload) - 1 for frame in sent) == WINDOW


@pytest.mark.parametrize("data", [b"x", bytes(64 * 1024)])
async def test_n14_what_comes_without_credit_is_not_kept_without_end(data):
    async with Stream(SimpleNamespace(streams={}), 1) as stream:
        PortStream(stream, 3128)
        with pytest.raises(SandboxLost):
            for _ in range(2 * WINDOW // (len(data) + FRAME) + 1):
                stream.take(Frame(1, Kind.DATA, b"\1" + data))
