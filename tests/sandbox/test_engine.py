"""What is asked of the engine, seen from outside: every request that leaves."""

import gc
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import docker
import pytest
import requests

from images.errors import UnknownImage
from images.image import Image
from sandbox.base import Command
from sandbox.docker_calls import engine_calls
from sandbox.engine import Engine
from sandbox.engine_places import EnginePlace
from sandbox.errors import EngineUnavailable, FileError, SandboxLost, Unmountable
from sandbox.labels import Owner, labels
from sandbox.opening import opened
from sandbox.sessions import Session

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


class Recording(docker.APIClient):  # type: ignore[misc]  # untyped in its stubs
    """A real client that notes what it sends."""

    sent: ClassVar[list[tuple[str, str, str]]] = []

    def send(self, request: requests.PreparedRequest, **more: object) -> requests.Response:
        body = request.body or ""
        text = body if isinstance(body, str) else body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
        self.sent.append((str(request.method), str(request.path_url), text))
        response: requests.Response = super().send(request, **more)
        return response


async def test_i17_no_request_can_be_dangerous_whatever_the_input(new_session: Callable[[], Session]) -> None:
    client = Recording(version="auto")
    client.sent.clear()
    async with opened(new_session(), Engine(client)) as sandbox:
        for text in ("$(reboot)", "--privileged", "../../..", "/proc/self/fd/7", "a\nb", "-v /:/host"):
            await sandbox.run(Command([text, text], sandbox.root, env={text.replace("=", "") or "x": text}))
            await sandbox.run(Command(["sh", "-c", text], sandbox.root))
            for path in (sandbox.root / text, sandbox.root / "x"):
                with pytest.raises(FileError):
                    await sandbox.read(path / "missing")
        await sandbox.freeze()
    client.close()
    assert client.sent
    for method, path, body in client.sent:
        assert "/archive" not in path
        assert "/exec" not in path
        for word in (
            '"Privileged": true',
            '"PidMode": "host"',
            '"NetworkMode": "host"',
            '"Binds"',
            "docker.sock",
            "$(reboot)",
        ):
            assert word not in body, (method, path)
    created = [body for method, path, body in client.sent if method == "POST" and "/containers/create" in path]
    assert created
    assert all('"NetworkMode": "none"' in body for body in created)


def test_to_pause_what_has_just_ended_tells_that_it_is_lost(engine: Engine, image: Image) -> None:
    ended = engine.create(
        f"paddock-test-ended-{os.getpid()}", {"Image": image.id, "Entrypoint": ["true"], "Labels": labels(Owner.of(""))}
    )
    try:
        with pytest.raises(SandboxLost, match="has ended"):
            engine.pause(ended)
    finally:
        engine.remove(ended)
    with pytest.raises(SandboxLost, match="no longer has it"):
        engine.pause(ended)


def test_c09_an_image_that_is_gone_is_named(engine: Engine) -> None:
    with pytest.raises(UnknownImage, match="could not be pulled"):
        engine.images.pull("127.0.0.1:9/no/such:image", lambda _: None)
    assert engine.images.find("no-such-image:1") is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker-py leaves that socket open
@pytest.mark.parametrize(
    ("reason", "why"),
    [("no such file or directory", "does not see this machine"), ("invalid argument", "takes no layer of an overlay")],
)
def test_why_a_workspace_cannot_be_mounted_is_told_apart(reason: str, why: str) -> None:
    words = f"failed to mount local volume: mount overlay:/var/lib/docker/volumes/x/_data, data: upperdir=/x: {reason}"
    with pytest.raises(Unmountable) as caught, engine_calls(EnginePlace("unix:///x", "a test's own")):
        raise docker.errors.APIError("500", explanation=words)
    assert why in caught.value.why


def test_a_silent_engine_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(EngineUnavailable, match="paddock doctor --fix"):
        Engine.connect()
    gc.collect()


def test_nothing_in_the_package_asks_for_an_archive_or_for_an_exec_but_to_hold_all_still() -> None:
    allowed = ("are banned", "stopping.argv(script)", "self._api.exec_start(made")
    banned = re.compile(r"put_archive|get_archive|exec_run|exec_create|exec_start|[Pp]rivileged=True")
    files = [path for folder in ("sandbox", "runtime", "cli", "images") for path in Path(folder).rglob("*.py")]
    assert len(files) > 50
    lines = [
        (path.name, line) for path in files for line in path.read_text("utf-8").splitlines() if banned.search(line)
    ]
    assert [line for name, line in lines if name != "engine.py" or not any(one in line for one in allowed)] == []
