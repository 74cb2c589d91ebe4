"""A settings file is read whole or not at all, and an error names the file, the line and what is wrong."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.permissions.errors import SettingsError
from runtime.permissions.located import BadJson, parsed
from runtime.permissions.rules import Source
from runtime.permissions.settings import LARGEST, Surroundings, load

AROUND = Surroundings("/home/me", "/srv/app")
USER = Source("user", "/home/me/.claude/settings.json", "/home/me/.claude")
PROJECT = Source("project", ".claude/settings.json", "/srv/app")


def read(text, source=USER):
    return load(text if isinstance(text, bytes) else text.encode(), source, AROUND)


def permissions(inside):
    return '{"permissions": {\n' + inside + "\n}}"


def test_rules_know_their_file_their_line_and_their_reason():
    found = read(
        permissions('"allow": ["Edit(src/**)",\n {"rule": "Edit(a)", "reason": "why not"}],\n"deny": ["Edit(b)"]')
    )
    assert [(rule.judgement, rule.text, rule.line, rule.reason) for rule in found.rules] == [
        ("deny", "Edit(b)", 4, ""),
        ("allow", "Edit(src/**)", 2, ""),
        ("allow", "Edit(a)", 3, "why not"),
    ]
    assert found.rules[0].where == "/home/me/.claude/settings.json:4"


def test_what_others_keep_in_the_file_is_none_of_our_business():
    assert read('{"model": "x", "hooks": {"a": [1, 2.5, null, true]}, "env": {}}').rules == ()
    assert read(permissions('"defaultMode": "plan", "additionalDirectories": [".."]')).notices == ()


def test_a_key_among_the_permissions_that_nobody_knows_is_pointed_out():
    (notice,) = read(permissions('"allow": [],\n"denny": ["Edit"]')).notices
    assert ":3: permissions.denny is not known" in notice


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "expecting value"),
        ("[1]", 1, "is not a JSON object"),
        ('{"a": 1,\n}', 2, ""),
        ('{"a": NaN}', 1, "NaN is no number"),
        ('{\n"a": -Infinity}', 2, "-Infinity"),
        ('{"a": 1,\n"a": 2}', 2, '"a" is given twice'),
        ('{"permissions": {"deny": [],\n\n"deny": []}}', 3, '"deny" is given twice'),
        ("[" * 100_000, 1, "nested too deeply"),
        ('{"a": ' + "1" * 5000 + "}", 1, "too long"),
        (b'\xef\xbb\xbf{"a": 1}', 1, "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), 1, "byte order mark"),
        (b'{"a":\n"\xff"}', 2, "not UTF-8"),
        ('{"permissions": 1}', 1, "permissions has to be an object"),
        (permissions('"deny": "Edit"'), 2, "permissions.deny has to be a list"),
        (permissions('"deny": ["Edit",\n7]'), 3, "permissions.deny.1 has to be a string"),
        (permissions('"deny": [{"rule": "Edit", "because": ""}]'), 2, "because is not known"),
        (permissions('"deny": [{"reason": ""}]'), 2, "rule is missing"),
        (permissions('"deny": [{"rule": "Edit",\n"match": "a"}]'), 3, "match has to be a list"),
        (permissions('"ask": ["Edit(a)",\n"Edit(a"]'), 3, "the ask rule 'Edit(a' is not of the form"),
        (permissions('"ask": ["Edti(a)"]'), 2, "names no tool"),
    ],
)
def test_b01_whatever_is_wrong_has_a_line_and_a_sentence(text, line, what):
    with pytest.raises(SettingsError) as raised:
        read(text)
    assert str(raised.value).startswith(f"{USER.name}:{line}: ")
    assert what in str(raised.value)


def test_b01_a_file_that_nobody_wrote_by_hand_is_too_long():
    with pytest.raises(SettingsError, match="too long"):
        read(b" " * (LARGEST + 1))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_every_value_has_a_line_and_reading_is_as_json_reads(value):
    found, lines = parsed(json.dumps(value, indent=1))
    assert found == value
    count = 0
    todo = [((), value)]
    while todo:
        steps, one = todo.pop()
        count += 1
        assert steps in lines
        inside = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
        todo += [((*steps, step), part) for step, part in inside]
    assert len(lines) == count


@given(st.text(alphabet='{}[]",:\\ \n1aE-.u0', max_size=60))
def test_b16_no_text_does_anything_but_parse_or_fail_with_a_line(text):
    with contextlib.suppress(BadJson):
        value, lines = parsed(text)
        assert lines[()] >= 1
        assert value == json.loads(text)


def test_the_examples_of_a_rule_are_tried():
    entry = '"allow": [{"rule": "Edit(src/**)", "match": ["src/a.py", "./src/x/", "/srv/app/src/b"], "not_match": %s}]'
    assert len(read(permissions(entry % '["lib/a.py", "lib/src/a.py", "/etc/src/x"]')).rules) == 1
    with pytest.raises(SettingsError) as raised:
        read(permissions(entry % '["lib/a.py", "src/gen/x.py"]'))
    assert str(raised.value) == f"{USER.name}:2: Edit(src/**) matches 'src/gen/x.py', its own 'not_match' example"
    with pytest.raises(SettingsError, match="does not match 'lib/src/a'"):
        read(permissions('"allow": [{"rule": "Edit(src/**)", "match": ["lib/src/a"]}]'))
    assert len(read(permissions('"deny": [{"rule": "Edit(src/**)", "match": ["lib/src/a"]}]')).rules) == 1


def test_examples_of_a_rule_about_calls_are_refused_not_ignored():
    with pytest.raises(SettingsError, match="only rules of Edit can have"):
        read(permissions('"deny": [{"rule": "Bash(rm *)", "match": ["rm -rf /"]}]'))


def test_of_a_repositorys_file_only_the_bad_rule_is_left_out():
    text = permissions('"deny": ["Edit(a)", "Edit(", "Edit(b)"]')
    found = read(text, PROJECT)
    assert [rule.text for rule in found.rules] == ["Edit(a)", "Edit(b)"]
    assert "the rule is left out" in found.notices[0]
    with pytest.raises(SettingsError):
        read(text, USER)


def test_hostile_text_in_an_error_is_spelled_out():
    with pytest.raises(SettingsError) as raised:
        read(permissions('"deny": ["\\u001b[2J\\u202e("]'))
    assert str(raised.value).isprintable()
