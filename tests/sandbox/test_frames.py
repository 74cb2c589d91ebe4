"""The wire: what a guest may send, and what a broken or hostile one may not (B-17)."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sandbox.frames
from sandbox.errors import SandboxLost
from sandbox.frames import ENGINE_HEADER, HEADER, LARGEST, Frame, Kind, Parser, Unwrapper

FROM_GUEST = st.sampled_from([Kind.DATA, Kind.CREDIT, Kind.DONE, Kind.HELLO])
FRAMES = st.lists(st.builds(Frame, st.integers(0, 2**32 - 1), FROM_GUEST, st.binary(max_size=300)), max_size=8)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(FRAMES, st.lists(st.integers(0, 50)))
def test_frames_arrive_however_the_stream_is_cut(frames: list[Frame], sizes: list[int]) -> None:
    parser = Parser()
    data = b"".join(frame.encode() for frame in frames)
    assert [frame for piece in cut(data, sizes) for frame in parser.feed(piece)] == frames


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300)), max_size=8), st.lists(st.integers(0, 50)))
def test_the_engines_wrapping_comes_off_however_the_stream_is_cut(
    pieces: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    unwrapper = Unwrapper()
    data = b"".join(ENGINE_HEADER.pack(which, len(piece)) + piece for which, piece in pieces)
    out = b"".join(unwrapper.feed(piece) for piece in cut(data, sizes))
    assert out == b"".join(piece for which, piece in pieces if which == 1)
    assert unwrapper.stderr == b"".join(piece for which, piece in pieces if which == 2)[-4096:]


@given(st.binary(max_size=2000))
def test_b17_any_bytes_are_frames_or_an_error(data: bytes) -> None:
    try:
        frames = list(Parser().feed(data))
    except SandboxLost:
        return
    assert sum(HEADER.size + len(frame.payload) for frame in frames) <= len(data)


@pytest.mark.parametrize(
    "header",
    [
        HEADER.pack(2**32 - 1, 1, Kind.DATA),
        HEADER.pack(LARGEST + 1, 1, Kind.DATA),
        HEADER.pack(0, 1, 99),
        HEADER.pack(0, 1, 1),
    ],
    ids=["huge", "too large", "unknown kind", "a kind only hosts send"],
)
def test_b17_what_no_guest_of_ours_sends_ends_the_channel(header: bytes) -> None:
    with pytest.raises(SandboxLost, match="broke the protocol"):
        list(Parser().feed(header))


def test_b17_an_engine_out_of_step_ends_the_channel() -> None:
    for header in (ENGINE_HEADER.pack(7, 1), ENGINE_HEADER.pack(1, 2**32 - 1)):
        with pytest.raises(SandboxLost, match="out of step"):
            Unwrapper().feed(header + b"x")


def test_host_and_guest_agree_on_the_numbers() -> None:
    source = (Path(sandbox.frames.__file__).parent / "guest" / "wire.py").read_text("utf-8")
    names = ("VERSION", "HEADER", "CHUNK", "WINDOW", "FRAME")
    lines = {
        node.targets[0].id: ast.unparse(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    ours = {
        node.targets[0].id: ast.unparse(node.value)
        for node in ast.parse(Path(sandbox.frames.__file__).read_text("utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert {name: lines[name] for name in names} == {name: ours[name] for name in names}
    kinds = "OPEN, DATA, END, CREDIT, KILL, RESIZE, DONE, HELLO = range(1, 9)"
    assert kinds in source
    assert [kind.name for kind in Kind] == kinds.partition(" = ")[0].split(", ")
