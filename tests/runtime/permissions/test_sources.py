"""Which settings files count, in which order, and what a repository's own cannot do."""

import os
import time

import pytest

from runtime.permissions.errors import SettingsError
from runtime.permissions.settings import LARGEST
from sandbox.sessions import Meta, Sessions, new_id, now

KINDS = ["managed", "dropped in", "local", "project", "user", "paddock"]


@pytest.fixture
def session(desk, tmp_path):
    meta = Meta(
        id=new_id(), kind="run", checkout=str(desk.checkout), created=now(), image="i", image_name="base", uid=0, gid=0
    )
    return Sessions(tmp_path / "state").create(meta)


def texts(policy, judgement="deny"):
    return [rule.text for rule in policy.ordered if rule.judgement == judgement]


def test_without_settings_there_are_no_rules(desk):
    policy = desk.policy()
    assert (policy.rules, policy.notices) == ((), ())
    assert policy.verdict(b"a").decision == "ask"


@pytest.mark.parametrize("kind", KINDS)
def test_a_deny_counts_in_every_file(desk, kind):
    desk.write(kind, deny=["Edit(src/**)"])
    verdict = desk.policy().verdict(b"src/a")
    assert verdict.decision == "deny"
    assert verdict.rule.where.endswith(":1")
    assert desk.policy().verdict(b"lib/a").decision == "ask"


def test_the_lists_of_all_files_are_one_and_the_administrators_come_first(desk):
    for number, kind in enumerate(KINDS):
        desk.write(kind, deny=[f"Edit({number})"])
    given = '{"permissions": {"deny": ["Edit(x)"]}}'
    assert texts(desk.policy(given=given)) == [f"Edit({one})" for one in ("0", "1", "x", "2", "3", "4", "5")]


def test_settings_are_given_as_a_file_or_as_json(desk, tmp_path):
    path = tmp_path / "more.json"
    path.write_text('{"permissions": {"allow": ["Edit(a)"]}}')
    assert desk.policy(given=str(path)).verdict(b"a").decision == "allow"
    assert desk.policy(given=' {"permissions": {"allow": ["Edit(a)"]}}').verdict(b"a").decision == "allow"
    with pytest.raises(SettingsError, match="there is no settings file"):
        desk.policy(given=str(tmp_path / "none.json"))
    with pytest.raises(SettingsError, match="--settings:1: "):
        desk.policy(given='{"permissions": }')


@pytest.mark.parametrize("kind", ["managed", "user", "paddock"])
def test_a_users_allow_counts(desk, kind):
    desk.write(kind, allow=["Edit(src/**)", "Edit(Makefile)"])
    assert desk.policy().verdict(b"src/a").decision == "allow"
    assert desk.policy().notices == ()


@pytest.mark.parametrize("kind", ["local", "project"])
def test_p02_a_repositorys_allow_is_ignored_aloud_while_its_deny_and_ask_count(desk, kind):
    desk.write(kind, allow=["Edit(src/**)", "Bash(ls *)"], ask=["Edit(*.lock)"], deny=["Edit(secret/**)"])
    policy = desk.policy()
    assert policy.verdict(b"src/a").decision == "ask"
    assert policy.verdict(b"secret/a").decision == "deny"
    assert not policy.verdict(b"a.lock").is_ordinary
    assert len(policy.notices) == 1
    assert "allow Edit(src/**) is ignored" in policy.notices[0]


@pytest.mark.parametrize("kind", ["managed", "dropped in", "user", "paddock"])
def test_b01_a_users_broken_file_is_an_error_that_names_it(desk, kind):
    path = desk.put(kind, '{"permissions": {\n"deny": [}}')
    with pytest.raises(SettingsError, match=f"{path}:2: "):
        desk.policy()


@pytest.mark.parametrize("kind", ["local", "project"])
@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1, "a": 2}', b"\xff", " " * (LARGEST + 1), '{"permissions": 1}'])
def test_b01_a_repositorys_broken_file_is_left_out_aloud(desk, kind, text):
    desk.put(kind, text)
    desk.write("user", deny=["Edit(a)"])
    policy = desk.policy()
    assert policy.verdict(b"a").decision == "deny"
    assert "left out" in policy.notices[0]


@pytest.mark.parametrize("kind", ["user", "project"])
@pytest.mark.parametrize("what", ["folder", "fifo", "socket link"])
def test_b01_what_is_no_file_stops_nobody(desk, kind, what):
    path = desk.paths[kind]
    path.parent.mkdir(parents=True)
    match what:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case _:
            path.symlink_to("/dev/zero")
    began = time.monotonic()
    if kind == "user":
        with pytest.raises(SettingsError, match=str(path)):
            desk.policy()
    else:
        assert "left out" in desk.policy().notices[0]
    assert time.monotonic() - began < 5


def test_an_administrators_folder_that_cannot_be_read_is_no_empty_one(desk):
    (desk.files.managed / "managed-settings.d").write_text("")
    with pytest.raises(SettingsError, match=r"managed-settings\.d cannot be read"):
        desk.policy()


def test_a_repositorys_link_to_elsewhere_is_not_followed(desk, tmp_path):
    (tmp_path / "elsewhere.json").write_text('{"permissions": {"deny": ["Edit"]}}')
    path = desk.paths["project"]
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere.json")
    assert desk.policy().notices == (".claude/settings.json is a link; the whole file is left out",)
    path.unlink()
    path.parent.rmdir()
    (tmp_path / "elsewhere").mkdir()
    path.parent.symlink_to(tmp_path / "elsewhere")
    assert "left out" in desk.policy().notices[0]


def test_a_users_own_link_is_followed(desk, tmp_path):
    (tmp_path / "dotfiles.json").write_text('{"permissions": {"deny": ["Edit(a)"]}}')
    path = desk.paths["user"]
    path.parent.mkdir()
    path.symlink_to(tmp_path / "dotfiles.json")
    assert desk.policy().verdict(b"a").decision == "deny"


def test_p05_the_repositorys_rules_are_those_the_session_began_with(desk, session):
    desk.write("project", deny=["Edit(secret/**)"])
    assert desk.policy(session).verdict(b"secret/a").decision == "deny"
    desk.write("project", deny=[])
    desk.write("local", deny=["Edit"])
    assert desk.policy(session).verdict(b"secret/a").decision == "deny"
    assert desk.policy(session).verdict(b"b").decision == "ask"
    assert desk.policy().verdict(b"secret/a").decision == "deny"
    desk.paths["local"].unlink()
    assert desk.policy().verdict(b"secret/a").decision == "ask"


def test_p05_settings_that_did_not_exist_have_no_say_once_they_do(desk, session):
    assert desk.policy(session).rules == ()
    desk.write("project", allow=["Edit"], deny=["Edit(a)"])
    assert desk.policy(session).rules == ()
    assert len(desk.policy().rules) == 2


def test_broken_settings_stay_as_they_were_for_the_session(desk, session):
    desk.put("project", "{")
    assert "left out" in desk.policy(session).notices[0]
    desk.write("project", deny=["Edit"])
    assert "left out" in desk.policy(session).notices[0]


def test_a_checkout_that_is_gone_has_no_rules_of_its_own(desk):
    desk.checkout.rmdir()
    assert desk.policy().rules == ()
