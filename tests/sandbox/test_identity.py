"""Whose name the commits carry that are made inside."""

from pathlib import Path

import pytest

from sandbox.identity import Author, author


def said(home: Path, monkeypatch: pytest.MonkeyPatch, settings: str) -> Author:
    (home / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return author()


def test_commits_carry_the_users_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = '[user]\nname = "Ada = \\"L\\" King"\nemail = ada@example.org\nsigningkey = none\n'
    assert said(tmp_path, monkeypatch, settings) == Author('Ada = "L" King', "ada@example.org")


def test_of_several_lines_the_last_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = "[user]\nname = First\nemail = a@x\n[User]\nNAME = Last\n"
    assert said(tmp_path, monkeypatch, settings) == Author("Last", "a@x")


@pytest.mark.parametrize("settings", ["", "[user]\nname =\nemail\n", "[core]\neditor = vi\n", "[user\n"])
def test_who_has_no_name_gets_ours(settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(tmp_path, monkeypatch, settings) == Author("Paddock", "paddock@localhost")
