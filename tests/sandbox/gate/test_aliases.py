"""A link by which a program finds a file is another name of that file."""

import subprocess
import sys

import pytest

from sandbox.changes import Change, File, Link
from sandbox.gate.aliases import aliases
from sandbox.gate.effects import Effect, Host, effects
from sandbox.gate.manifest import Manifest, Renewal

NEW = File("1" * 64, 1)


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "agents.md").write_text("x")
    (tmp_path / "CLAUDE.md").symlink_to("docs/agents.md")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".vscode").symlink_to("../tools")
    (tmp_path / "Makefile").symlink_to("/etc/hostname")
    (tmp_path / "plain").symlink_to("docs")
    (tmp_path / "node_modules" / ".bin").mkdir(parents=True)
    (tmp_path / "node_modules" / ".bin" / "tsc").symlink_to("../typescript/tsc")
    return tmp_path


def test_links_are_found_also_those_that_lead_nowhere_yet(checkout):
    links = Manifest.take(checkout).links()
    assert set(links) == {b"CLAUDE.md", b"deep/.vscode", b"Makefile", b"plain", b"node_modules/.bin/tsc"}
    found = aliases(checkout, links)
    assert found == {b"docs/agents.md": (b"CLAUDE.md",), b"tools": (b"deep/.vscode",), b"docs": (b"plain",)}


def test_a_link_that_was_made_too_late_to_be_noted_counts_too(checkout):
    links = Manifest.take(checkout, before=0).links()
    assert aliases(checkout, links)[b"tools"] == (b"deep/.vscode",)


def test_what_such_a_link_leads_to_has_the_effect_of_its_name(checkout):
    host = Host(aliases=aliases(checkout, Manifest.take(checkout).links()))

    def kinds(path):
        return [mark.effect for mark in effects(Change(path, None, NEW), host=host)]

    assert kinds(b"docs/agents.md") == [Effect.AGENT_CONFIG]
    assert kinds(b"tools/sub/tasks.json") == [Effect.RUNS_LATER]
    assert kinds(b"docs/other.md") == []
    assert kinds(b"toolsx/tasks.json") == []


def test_a_link_whose_name_tells_something_only_together_with_what_is_behind_it_counts(checkout):
    (checkout / ".github").symlink_to("docs")
    (checkout / ".vscode").symlink_to(".")
    host = Host(aliases=aliases(checkout, Manifest.take(checkout).links()))

    def kinds(path):
        return [mark.effect for mark in effects(Change(path, None, NEW), host=host)]

    assert kinds(b"docs/workflows/x.yml") == [Effect.RUNS_LATER]
    assert kinds(b"tasks.json") == [Effect.RUNS_LATER]


def test_a_link_that_came_with_an_apply_counts_from_then_on(checkout):
    manifest = Manifest.take(checkout)
    (checkout / "AGENTS.md").symlink_to("docs/other.md")
    manifest.renew({b"AGENTS.md": Renewal((checkout / "AGENTS.md").lstat(), Link(b"docs/other.md"))})
    assert aliases(checkout, manifest.links())[b"docs/other.md"] == (b"AGENTS.md",)


def test_s05_a_link_that_spins_is_no_error_of_the_machines(checkout):
    (checkout / "folder").mkdir()
    flip = (
        "import ctypes\nswap = ctypes.CDLL(None).renameat2\nwhile True:\n swap(-100, b'CLAUDE.md', -100, b'folder', 2)"
    )
    with subprocess.Popen([sys.executable, "-c", flip], cwd=checkout) as spinning:
        try:
            for _ in range(3000):
                found = aliases(checkout, [b"CLAUDE.md"])
                assert found in ({}, {b"docs/agents.md": (b"CLAUDE.md",)})
        finally:
            spinning.kill()
