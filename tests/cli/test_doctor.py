"""`paddock doctor`: what it looks at, what it says, and how it ends."""

import json
from pathlib import Path

import pytest

from cli import setup
from cli.doctor_engine import of_engine
from cli.doctor_host import checkout, of_renames
from sandbox import bootstrap
from sandbox.advisories import holes
from sandbox.engine import Engine
from sandbox.gate.syscalls import Renames

FACTS = {
    "ServerVersion": "29.5.1", "Driver": "overlay2", "CgroupVersion": "2", "MemoryLimit": True, "SwapLimit": True,
    "PidsLimit": True, "CpuCfsQuota": True, "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"],
    "Runtimes": {"runc": {}, "crun": {}, "io.containerd.runc.v2": {}}, "DefaultRuntime": "runc",
}  # fmt: skip


def said(**facts):
    return {
        check.name: (check.verdict, check.text)
        for check in of_engine({**FACTS, **facts}, docs=None, must_be_patched=False)
    }


def test_an_engine_with_every_layer_is_all_ok():
    assert {verdict for verdict, _ in said().values()} == {"ok"}
    assert said()["runtime"][1] == "runc, and with --runtime crun"


@pytest.mark.parametrize(
    ("renames", "text"),
    [
        (Renames(noreplace=True, exchange=True, links=True), "swaps files in one step"),
        (Renames(noreplace=True, exchange=False, links=False), "looks twice"),
        (Renames(noreplace=False, exchange=False, links=True), "looks twice"),
        (Renames(noreplace=False, exchange=False, links=False), "nothing can be applied here"),
    ],
)
def test_what_an_apply_can_rely_on_is_said(renames, text):
    assert text in of_renames(renames)


@pytest.mark.parametrize(
    ("facts", "name", "verdict", "text"),
    [
        ({"SecurityOptions": ["name=seccomp"]}, "lsm", "note", "neither AppArmor nor SELinux"),
        ({"SecurityOptions": ["name=selinux"]}, "lsm", "ok", "SELinux is on"),
        ({"SecurityOptions": ["name=rootless"]}, "users", "ok", "root inside is you"),
        ({"SecurityOptions": ["name=userns"]}, "users", "note", "workspaces are carried"),
        ({"SwapLimit": False}, "cgroup", "note", "does not count swap"),
        ({"PidsLimit": False}, "cgroup", "failed", "the kernel limits no processes"),
        ({"MemoryLimit": False, "SwapLimit": False}, "cgroup", "failed", "limits no memory and swap"),
        ({"ServerVersion": "28.0.0"}, "hole", "note", "has CVE-2026-41567"),
        ({"ServerVersion": "odd"}, "hole", "note", "tells nothing about known holes"),
    ],
)
def test_what_an_engine_lacks_is_said(facts, name, verdict, text):
    found = said(**facts)[name]
    assert found[0] == verdict
    assert text in found[1]


def test_the_file_system_is_tried_and_nothing_is_left_there(tmp_path: Path):
    found = checkout(tmp_path)
    assert (found.verdict, found.text) == ("ok", "the file system here swaps files in one step")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_checkout_is_left_alone():
    assert checkout(Path("/")).verdict == "note"


@pytest.mark.engine
def test_a_sandbox_is_tried_and_nothing_of_it_is_left(paddock, project, tmp_path):
    done = paddock("doctor", "--json", cwd=project)
    checks = {check["name"]: check["verdict"] for check in json.loads(done.stdout)}
    for name in ("rights", "seccomp", "network", "guest", "workspace", "memory", "processes", "profile", "checkout"):
        assert checks[name] == "ok", name
    assert done.returncode == 0
    assert not list((tmp_path / "state" / "paddock").glob("doctor-*"))
    assert not list(project.glob(".paddock*"))


@pytest.mark.engine
def test_a_patched_engine_can_be_required(paddock, project):
    done = paddock("doctor", "--require-patched", cwd=project)
    assert done.returncode == (1 if holes(Engine.connect().facts()) else 0)


@pytest.mark.engine
def test_the_profile_that_settings_choose_is_the_one_that_is_tried(paddock, project):
    settings = project / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"sandbox": {"profile": "strict"}}')
    done = paddock("doctor", cwd=project)
    assert "tools run as uid 65533" in done.stdout
    assert "strict, 1 GiB of memory, 128 processes, 1 cores, no network" in done.stdout
    home = project.parent / "home" / ".claude"
    home.mkdir()
    (home / "settings.json").write_text('{"sandbox": {"profil": "strict"}}')
    failed = paddock("doctor", cwd=project)
    assert failed.returncode == 2
    assert "did you mean profile?" in failed.stdout


def test_nothing_is_to_be_installed_for_an_engine_that_is_named_elsewhere(monkeypatch):
    lacking = [bootstrap.Missing("engine", "no engine"), bootstrap.Missing("builder", "no builder")]
    monkeypatch.setattr(bootstrap, "missing", lambda: lacking)
    monkeypatch.setenv("DOCKER_HOST", "ssh://far")
    assert [one.what for one in setup.missing()] == ["builder"]
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert setup.missing() == lacking
