"""A link by which a program finds a file is another name of that file."""

import pytest

from sandbox.changes import Change, File
from sandbox.gate.aliases import aliases
from sandbox.gate.effects import Effect, Host, effects
from sandbox.gate.manifest import Manifest

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


def test_links_with_telling_names_are_found_also_those_that_lead_nowhere_yet(checkout):
    links = Manifest.take(checkout).links()
    assert set(links) == {b"CLAUDE.md", b"deep/.vscode", b"Makefile", b"plain", b"node_modules/.bin/tsc"}
    assert aliases(checkout, links) == {b"docs/agents.md": (b"CLAUDE.md",), b"tools": (b"deep/.vscode",)}


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
