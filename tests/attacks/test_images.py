"""An image that its maker means harm with: it brings code to where programs of ours look for theirs."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from images.image import Image
from sandbox.accounts import accounts
from sandbox.base import Command
from sandbox.choice import BaseKind, Choice, ProfileName
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.identity import author
from sandbox.opening import opened, prepare
from sandbox.profile import User
from sandbox.sessions import Sessions
from sandbox.toolbox import BOX, BUSYBOX
from tests.images_made import Files, busybox, made

pytestmark = [pytest.mark.anyio, pytest.mark.engine]
SHELL = ("sh", "echo", "cat", "mkdir")
WAITS_FOR_EVER = None
"""A fifo: whoever opens it stays there."""


@pytest.fixture(scope="module")
def shell(engine: Engine) -> Files:
    return {"/bin/busybox": busybox(engine), **{f"/bin/{name}": "busybox" for name in SHELL}}


@pytest.fixture
def on(engine: Engine, state: Path, checkout: Path) -> Callable[..., DockerSandbox]:
    def sandbox(image: Image, profile: ProfileName = "default", base: BaseKind = "auto") -> DockerSandbox:
        choice = Choice(profile=profile, base=base)
        session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)
        return opened(session, engine)

    return sandbox


async def greets(sandbox: DockerSandbox) -> None:
    result = await sandbox.run(Command(["/bin/sh", "-c", "echo works"], sandbox.root))
    container = await sandbox.ready()
    assert (result.stdout.all, container.channel.last_words) == (b"works\n", "")


async def test_an_image_brings_no_library_of_python_to_the_guest(
    engine: Engine, shell: Files, on: Callable[..., DockerSandbox]
) -> None:
    image = made(
        engine, "library", {**shell, "/opt/lib/python311.zip": b"", "/opt/lib/python3.11/encodings.py": b"1/0"}
    )
    async with on(image) as sandbox:
        await greets(sandbox)


@pytest.mark.parametrize("place", ["locale-archive", "C.UTF-8/LC_CTYPE", "C.utf8/LC_CTYPE"])
async def test_no_locale_of_the_image_is_read_by_the_guest(
    engine: Engine, shell: Files, on: Callable[..., DockerSandbox], place: str
) -> None:
    image = made(engine, "locale", {**shell, f"/usr/lib/locale/{place}": WAITS_FOR_EVER})
    async with on(image) as sandbox:
        await greets(sandbox)


@pytest.mark.parametrize("place", ["locale-archive", "C.UTF-8/LC_CTYPE", "C.utf8/LC_CTYPE"])
async def test_no_locale_of_the_image_is_read_where_its_owner_fills_the_workspace(
    engine: Engine, shell: Files, on: Callable[..., DockerSandbox], place: str
) -> None:
    image = made(engine, "locale", {**shell, f"/usr/lib/locale/{place}": WAITS_FOR_EVER})
    async with on(image, "strict", "copy") as sandbox:
        with anyio.fail_after(30):
            await greets(sandbox)


@pytest.mark.parametrize("profile", ["default", "build", "compat"])
async def test_what_an_image_has_every_program_load_is_not_loaded_by_the_guest(
    engine: Engine, shell: Files, on: Callable[..., DockerSandbox], profile: ProfileName
) -> None:
    image = made(engine, "preload", {**shell, "/etc/ld.so.preload": b"/evil.so\n", "/evil.so": b"not a library"})
    async with on(image, profile) as sandbox:
        await greets(sandbox)


async def test_an_image_runs_nothing_where_its_etc_is_copied(
    engine: Engine, shell: Files, on: Callable[..., DockerSandbox]
) -> None:
    evil = b"#!/bin/sh\necho /evil.so > /target/ld.so.preload\n"
    files = {**shell, "/etc/a/b": BOX, "/etc/c": b"", BUSYBOX: evil}
    image = made(engine, "filling", files, Volumes={"/etc/a/b/bin": {}})
    with pytest.raises(SandboxError):
        async with on(image) as sandbox:
            await greets(sandbox)
    assert f"{accounts(image.id, User(os.getuid(), os.getgid()), author()).volume}-ready" not in engine.shared_volumes()


async def test_an_image_lays_no_folder_over_what_is_brought_along(
    engine: Engine, shell: Files, on: Callable[..., DockerSandbox]
) -> None:
    image = made(engine, "covering", {**shell, "/etc/a/b": BOX}, Volumes={"/etc/a/b/tools": {}})
    with pytest.raises(SandboxError, match="the image lays a folder of its own over '/opt/paddock/box/tools'"):
        async with on(image) as sandbox:
            await greets(sandbox)


@pytest.mark.root
@pytest.mark.parametrize("base", ["auto", "copy"])
@pytest.mark.parametrize("opt", ["/opt/", "/elsewhere/", "/else where/"])
@pytest.mark.parametrize("place", [BOX, f"{BOX}/bin", f"{BOX}/lib", f"{BOX}/lib/python3.11", "/opt/paddock", "/opt"])
async def test_an_image_lays_no_checkout_over_what_is_brought_along(
    engine: Engine, shell: Files, state: Path, place: str, base: BaseKind, opt: str
) -> None:
    """By a link at the checkout's path; it would hold what begins as root."""
    with tempfile.TemporaryDirectory(dir="/srv", prefix="paddock-test-") as folder:  # inside, /tmp hides an image's
        checkout = Path(folder).resolve() / "deep"  # what is deeper is mounted later
        _put_programs(checkout)
        folders: Files = {opt: b""} if opt == "/opt/" else {opt: b"", "/opt": opt}
        image = made(engine, "checkout-over", {**shell, **folders, str(checkout): place})
        choice = Choice(base=base)
        session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)
        with pytest.raises(SandboxError, match=r"lays a folder of its own over '/(opt|elsewhere)/paddock"):
            async with opened(session, engine) as sandbox:
                await greets(sandbox)
        assert not list(session.upper.rglob("*.root"))


def _put_programs(checkout: Path) -> None:
    for name in ("busybox", "python3", "ld.so", "bin/busybox", "box/bin/busybox", "paddock/box/bin/busybox"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("#!/bin/sh\necho it runs >&2\necho > $0.root\n")
        (checkout / name).chmod(0o755)


async def test_an_image_may_have_its_opt_elsewhere(
    engine: Engine, shell: Files, on: Callable[..., DockerSandbox]
) -> None:
    async with on(made(engine, "opt", {**shell, "/var/opt/": b"", "/opt": "var/opt"})) as sandbox:
        await greets(sandbox)


@pytest.mark.parametrize("place", ["{root}/src", "{root}/new/one", f"{BOX}/tools"])
async def test_an_image_hides_nothing_of_the_checkout(
    engine: Engine, shell: Files, on: Callable[..., DockerSandbox], checkout: Path, place: str
) -> None:
    image = made(engine, "places", shell, Volumes={place.format(root=checkout): {}})
    with pytest.raises(SandboxError, match=r"the image lays a folder of its own over .*: use another image"):
        async with on(image) as sandbox:
            await greets(sandbox)
