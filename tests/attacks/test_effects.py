"""Attacks through what runs later: what a real sandbox wrote is known for what it is, and waits for a person."""

import os

import pytest

from runtime.permissions.policy import Policy
from runtime.permissions.rules import Source, parse
from runtime.project import Project
from sandbox.gate.aliases import aliases
from sandbox.gate.apply import Applied
from sandbox.gate.blobs import Blobs
from sandbox.gate.effects import Host, mass_deletion
from sandbox.gate.freeze import manifest_of
from tests.attacks.scene import Scene

pytestmark = [pytest.mark.engine, pytest.mark.anyio]

EVERYTHING = Source("user", "settings.json", "/")


def rule(text, judgement):
    return parse(text, judgement, EVERYTHING, "/root")


@pytest.fixture
def judged(scene: Scene):
    """Judges what a script changed by a policy that allows everything in general; the effects, by path."""

    async def judge(script):
        changes = await scene.after(script)
        blobs = Blobs(scene.project.session.blobs)
        policy = Policy(str(scene.checkout), (rule("Edit", "allow"), rule("Edit(**)", "allow")))
        links = manifest_of(scene.project.session).links()
        host = Host({b"ls", b"git", b"python3"}, aliases=aliases(scene.checkout, links))
        verdicts = {
            change.path.decode(): policy.judge(change, lambda file, limit: blobs.head(file.digest, limit), host)
            for change in changes.changes
        }
        return {path: [mark.effect.value for mark in verdict.effects] for path, verdict in verdicts.items()}, verdicts

    return judge


async def test_s26_s27_s30_p05_whatever_runs_later_waits_however_it_is_made(judged):
    effects, verdicts = await judged(
        """
        printf '[submodule "x"]\\n path = x\\n url = ssh://-oProxyCommand=x/y\\n' > .gitmodules
        printf '* filter=evil diff=x merge=y\\n' > .gitattributes
        mkdir -p .claude; ln -s .claude notes; echo '{}' > notes/settings.json
        mkdir -p .CLAUDE; echo '{}' > .CLAUDE/settings.local.json
        printf '#!/tmp/x\\n' > tool; printf x > ls; cp /bin/true git; chmod +x git
        ln -s ../.vscode/tasks.json src/link; mkdir .Vscode; echo '{}' > .Vscode/tasks.json
        echo 'ordinary' > src/notes.txt
        """
    )
    expected = {
        ".gitmodules": ["runs later"],
        ".gitattributes": ["runs later"],
        ".claude/settings.json": ["agent configuration"],
        ".CLAUDE/settings.local.json": ["agent configuration"],
        "notes": ["agent configuration"],
        "tool": ["new executable"],
        "ls": ["new executable"],
        "git": ["new executable"],
        "src/link": ["runs later"],
        ".Vscode/tasks.json": ["runs later"],
        "src/notes.txt": [],
    }
    assert {path: found for path, found in effects.items() if path in expected} == expected
    assert {path for path, verdict in verdicts.items() if verdict.decision == "allow"} == {"src/notes.txt"}


async def test_s29_a_replaced_interpreter_is_ignored_and_flagged_if_it_is_asked_for(judged, checkout):
    (checkout / ".gitignore").write_text(".venv/\nnode_modules/\n")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\n")
    effects, _ = await judged(
        """
        echo evil > .venv/bin/python; echo 'home = /tmp' > .venv/pyvenv.cfg
        mkdir -p .venv/lib/python3.11/site-packages node_modules/.bin
        echo 'import evil' > .venv/lib/python3.11/site-packages/x.pth; echo evil > node_modules/.bin/tsc
        """
    )
    assert len(effects) == 4
    assert all("runs later" in found for found in effects.values())


@pytest.fixture
def links(checkout):
    """Links in the checkout, which are there before the session begins."""
    (checkout / "docs").mkdir()
    (checkout / "docs" / "agents.md").write_text("be kind\n")
    (checkout / "CLAUDE.md").symlink_to("docs/agents.md")
    (checkout / "tools").mkdir()
    (checkout / ".vscode").symlink_to("tools")


@pytest.mark.usefixtures("links")
async def test_p05_a_link_of_the_repository_is_not_a_way_round(judged):
    effects, _ = await judged("echo evil > docs/agents.md; echo '{}' > .vscode/tasks.json; echo x > docs/x.md")
    assert effects == {
        "docs/agents.md": ["agent configuration"],
        "tools/tasks.json": ["runs later"],
        "docs/x.md": [],
    }


async def test_s34_a_script_that_deletes_everything_is_one_thing_to_confirm(scene: Scene, checkout):
    for number in range(60):
        (checkout / f"{number}.txt").write_text("x")
    changes = await scene.after("rm -rf ./*")
    found = mass_deletion(changes.pending)
    assert found is not None
    assert found.reason == "deletes 62 files, more than 50"


async def test_a_deny_rule_holds_for_a_script_too_and_keeps_the_folders_it_needs(scene: Scene):
    changes = await scene.after("rm -r src; echo b > b.txt; mkdir no; echo x > no/x")
    rules = (rule("Edit(src/**)", "deny"), rule("Edit(no/**)", "deny"))
    project = Project(
        scene.checkout, scene.project.session, scene.project.sandbox, policy=Policy(str(scene.checkout), rules)
    )
    result = await project.apply(changes)
    assert isinstance(result, Applied)
    assert sorted(os.listdir(scene.checkout)) == ["b.txt", "hello.txt", "src"]
    assert (scene.checkout / "src" / "main.py").exists()
