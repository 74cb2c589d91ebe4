"""Engines that are no plain rootful Docker: there and back through the command line, and what holds there.

`tests/engines/test_suites.py` plays the suites on them. Everything runs as the engine's own user, which for the
rootless ones is no user of this machine.
"""

import json
import os
import stat
from functools import partial
from pathlib import Path

import pytest

from sandbox import toolbox
from sandbox.toolbox import PROGRAMS
from tests.images_made import made

pytestmark = [pytest.mark.engine, pytest.mark.root]
IMAGE = toolbox.toolbox().tag
LIMITS = ("memory", "processes")


def test_files_come_home_as_the_users_own_with_their_modes_and_content(other, paddock):
    (paddock.project / "a.txt").write_text("one\n")
    os.chown(paddock.project / "a.txt", other.uid, other.uid)
    script = "echo two >> a.txt; mkdir -p d; echo x > d/run.sh; chmod 755 d/run.sh; ln -s a.txt link; id -u"
    done = paddock("exec", "--image", IMAGE, "--apply", "never", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0\n"  # the engine's user, as the container has it
    assert (paddock.project / "a.txt").read_text() == "one\n"
    applied = paddock("apply", "--yes", "a.txt", "d", "link")  # by name: a program needs a yes of its own
    assert applied.returncode == 0, applied.stderr
    assert (paddock.project / "a.txt").read_text() == "one\ntwo\n"
    made = {name: (paddock.project / name).lstat() for name in ("a.txt", "d", "d/run.sh", "link")}
    assert {(facts.st_uid, facts.st_gid) for facts in made.values()} == {(other.uid, other.uid)}
    assert [stat.S_IMODE(made[name].st_mode) for name in ("a.txt", "d", "d/run.sh")] == [0o644, 0o755, 0o755]
    undone = paddock("undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert (paddock.project / "a.txt").read_text() == "one\n"


def test_what_the_engine_does_not_limit_is_said_before_anything_runs(other, paddock):
    done = paddock("exec", "--image", IMAGE, "--apply", "never", "--", "true")
    said = "paddock: limits not enforced by this engine (rootless " in done.stderr
    assert said is other.name.startswith("rootless"), done.stderr


def test_a_sandbox_holds_what_it_holds_elsewhere(other):
    done = other.python("-m", "tests.engines.looking", str(other.home() / "looking"), IMAGE)
    assert done.returncode == 0, done.stderr
    findings = {one["name"]: one for one in json.loads(done.stdout)}
    assert len(findings) == 7
    rootless = other.name.startswith("rootless")
    assert {name for name, one in findings.items() if not one["holds"]} == ({*LIMITS} if rootless else set()), findings
    assert all(one["is_announced"] for one in findings.values() if not one["holds"])
    assert "uid 0 with no capabilities" in findings["rights"]["text"]


def test_strict_reads_the_checkout_and_writes_nowhere_in_it(other, paddock):
    (paddock.project / "read.txt").write_text("one\n")
    script = "cat read.txt; id -u; touch x"
    done = paddock("exec", "--image", IMAGE, "--profile", "strict", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (1, "one\n65533\n"), done.stderr
    is_carried = other.name == "remapped-docker"  # into a volume, where tools are others
    assert f"touch: x: {'Permission denied' if is_carried else 'Read-only file system'}" in done.stderr


@pytest.mark.parametrize("base", ["auto", "copy"])
def test_what_an_image_has_at_the_checkouts_place_is_not_seen(other, base):
    empty = other.home() / f"empty-{base}"
    other.run(["mkdir", str(empty)])
    with other.connection() as theirs:
        folders = [f"{one}/" for one in (*reversed(empty.parents), empty)][1:]
        image = made(theirs, "covering", {**dict.fromkeys(folders), f"{empty}/of-the-image": b""})
    run = partial(other.python, "-m", "cli.main")
    done = run("exec", "-C", str(empty), "--image", image.id, "--base", base, "--", f"{PROGRAMS}/sh", "-c", "ls -A")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "host unchanged" in done.stderr


@pytest.mark.slow
def test_what_a_tool_of_uid_0_changed_in_the_image_or_gave_away_is_the_users_again(other, paddock):
    script = "echo x > given.txt; chown 1234:1234 given.txt; touch /etc/changed; id -u"
    done = paddock("exec", "--image", IMAGE, "--profile", "build", "--apply", "never", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    applied = paddock("apply", "--yes")
    assert applied.returncode == 0, applied.stderr
    facts = (paddock.project / "given.txt").stat()
    assert (facts.st_uid, facts.st_gid) == (other.uid, other.uid)
    removed = paddock("discard", "--yes")
    assert removed.returncode == 0, removed.stderr


@pytest.mark.slow
def test_doctor_names_the_engine_and_where_it_answers(other, paddock):
    done = other.python("-m", "cli.main", "doctor")
    name = {"podman": "Podman 4", "rootless-podman": "rootless Podman 4", "rootless-docker": "rootless Docker 20"}
    assert f"engine    {name.get(other.name, 'Docker 20')}" in done.stdout, done.stdout + done.stderr
    assert f"socket    {other.address} (DOCKER_HOST)" in done.stdout


@pytest.mark.slow
def test_an_engine_at_its_usual_place_is_found_without_a_word(other, paddock):
    usual = {
        "rootless-docker": other.folder / "runtime" / "docker.sock",
        "rootless-podman": other.folder / "runtime" / "podman" / "podman.sock",
        "podman": "/run/podman/podman.sock",
        "remapped-docker": "/var/run/docker.sock",
    }
    path = Path(usual[other.name])
    other.run(["sh", "-c", f"mkdir -p {path.parent} && ln -s {other.folder}/runtime/engine.sock {path}"])
    done = other.python("-m", "cli.main", "doctor", DOCKER_HOST="")
    assert f"socket    unix://{path} (" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_where_files_would_be_somebody_elses_the_workspace_is_carried(other, paddock):
    """Which is whoever is not the user of a rootless engine, and everybody on one that remaps."""
    (mine := other.home() / "roots").mkdir()
    run = partial(other.python, "-m", "cli.main", uid=0, XDG_STATE_HOME=str(other.home() / "state"))
    done = run("exec", "-C", str(mine), "--image", IMAGE, "--apply", "never", "--", "sh", "-c", "echo x > a; id -u")
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    applied = run("apply", "-C", str(mine), "--yes")
    assert applied.returncode == 0, applied.stderr
    assert ((mine / "a").stat().st_uid, (mine / "a").read_text()) == (0, "x\n")
    carried = list((other.home() / "state" / "paddock" / "sessions").glob("*/placement.json"))
    assert bool(carried) is (other.name != "podman")
