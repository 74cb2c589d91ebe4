"""The agent in a real container of the base image: what the fake sandbox cannot show."""

import json
from pathlib import Path

import pytest

from runtime.agent import agent_for
from runtime.events import Event, ToolFinished
from runtime.script import ScriptServer, parse_script
from runtime.settings import Bounds, ModelChoice, Places
from sandbox.docker_sandbox import DockerSandbox
from sandbox.sessions import Session

pytestmark = [pytest.mark.engine, pytest.mark.anyio]


async def told(script: object, sandbox: DockerSandbox, session: Session, checkout: Path) -> list[ToolFinished]:
    """Play a script to its end; what each call came to."""
    events: list[Event] = []
    with ScriptServer(parse_script(json.dumps(script)), cwd=str(checkout)) as server:
        choice = ModelChoice(base_url=server.url, api_key="scripted")
        async with agent_for(session, sandbox, model=choice, bounds=Bounds(), places=Places(checkout)) as agent:
            finished = await agent.run("go", events.append)
    assert (finished.outcome, finished.error) == ("success", "")
    return [event for event in events if isinstance(event, ToolFinished)]


def call(name: str, **given: object) -> dict[str, object]:
    return {name: given}


async def test_every_tool_works_in_the_image_and_the_host_stays_as_it_was(
    sandbox: DockerSandbox, session: Session, checkout: Path
) -> None:
    file = "{{cwd}}/src/main.py"
    calls = [
        call("LS", path="{{cwd}}"),
        call("Glob", pattern="**/*.py"),
        call("Grep", pattern="HI", **{"-i": True}, output_mode="content"),
        call("Grep", pattern="hi", output_mode="files_with_matches"),
        call("Read", file_path=file),
        call("Edit", file_path=file, old_string="hi", new_string="ho"),
        call("MultiEdit", file_path=file, edits=[{"old_string": "ho", "new_string": "hu"}]),
        call("Write", file_path="{{cwd}}/new/file.txt", content="new\n"),
        call("Bash", command="python3 src/main.py; cd new"),
        call("Bash", command="pwd; cat file.txt; cd /"),
        call("TodoWrite", todos=[]),
    ]
    results = await told({"turns": [{"tools": calls}]}, sandbox, session, checkout)
    by_call = {event.call_id: event.text for event in results}
    texts = [by_call[key] for key in sorted(by_call)]
    assert texts[:5] == [
        "hello.txt  6\nsrc/",
        f"{checkout}/src/main.py",
        f"{checkout}/src/main.py:1:print('hi')",
        f"{checkout}/src/main.py",
        "     1\tprint('hi')",
    ]
    assert texts[8:10] == ["hu", f"{checkout}/new\nnew\n(Shell cwd was reset to {checkout})"]
    assert not [event for event in results if event.is_error]
    assert (checkout / "src/main.py").read_text() == "print('hi')\n"
    assert {change.path for change in (await sandbox.freeze()).changes} == {b"src/main.py", b"new/file.txt"}


async def test_nothing_of_the_host_is_reached_by_any_path(
    sandbox: DockerSandbox, session: Session, checkout: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary-51423")
    (checkout / "link").symlink_to(secret)
    paths = [
        str(secret),
        f"{checkout}/../secret",
        f"{checkout}/link",
        f"/proc/self/cwd{checkout}/../secret",
        "/proc/1/root",
    ]
    calls = [call("Read", file_path=path) for path in paths]
    calls += [call("Grep", pattern="canary", path=str(tmp_path)), call("Bash", command=f"cat {secret} link")]
    results = await told({"turns": [{"tools": calls}]}, sandbox, session, checkout)
    assert all("canary-51423" not in event.text for event in results)
    assert all(event.is_error for event in results if event.name != "Grep")
