"""What all rules together say: deny, ask, allow; nothing matches means ask; effects are covered by no general allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.permissions.policy import Policy
from runtime.permissions.rules import JUDGEMENTS, PROJECT_SCOPES, Rule, Source, parse
from sandbox.changes import Change, Directory, File, Link
from sandbox.gate.effects import Effect, Host, Marked

NEW = File("1" * 64, 1)
CHECKOUT = "/srv/app"
SPECIFIERS = ["", "src/**", "*.lock", "a", "a/b", "Makefile", "**", "//srv/app/a", "/a", "~/x", "lib/", ".env"]
PATHS = [b"a", b"a/b", b"src/x", b"x.lock", b"Makefile", b"sub/Makefile", b"lib/a", b".env", b"\xff", b"a\nb"]
SCOPES = ["managed", "command line", "local", "project", "user", "paddock"]
MARK = Marked(Effect.RUNS_LATER, "a build runs it")


def source(scope):
    return Source(scope, f"{scope}.json", CHECKOUT if scope in PROJECT_SCOPES else f"/home/{scope}")


def rule(judgement, specifier, scope="user") -> Rule:
    return parse(f"Edit({specifier})" if specifier else "Edit", judgement, source(scope), "/home/me")


RULES = st.builds(rule, st.sampled_from(JUDGEMENTS), st.sampled_from(SPECIFIERS), st.sampled_from(SCOPES))


def decision(path, *rules, marks=()):
    return Policy(CHECKOUT, rules).verdict(path, marks).decision


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], "ask"),
        ([rule("allow", "src/**")], "allow"),
        ([rule("allow", "src/**"), rule("ask", "src/**")], "ask"),
        ([rule("allow", "src/**"), rule("ask", "src/**"), rule("deny", "src/**")], "deny"),
        ([rule("allow", "src/a.py"), rule("deny", "")], "deny"),
        ([rule("deny", "src/a.py"), rule("allow", "")], "deny"),
        ([rule("allow", "lib/**")], "ask"),
    ],
)
def test_the_first_kind_that_matches_decides_however_special_another_is(rules, expected):
    assert decision(b"src/a.py", *rules) == expected
    assert decision(b"src/a.py", *reversed(rules)) == expected


@given(st.lists(RULES, max_size=6), st.sampled_from(PATHS), st.sampled_from(SCOPES))
def test_a_deny_in_any_file_wins(rules, path, scope):
    assert decision(path, *rules, rule("deny", "", scope)) == "deny"
    assert decision(path, rule("deny", "", scope), *rules) == "deny"


@given(st.lists(RULES, max_size=5), st.sampled_from(PATHS), st.sampled_from(SPECIFIERS), st.sampled_from(SCOPES))
def test_an_allow_rule_never_lets_through_what_is_denied_or_asked_about(rules, path, specifier, scope):
    before = Policy(CHECKOUT, tuple(rules)).verdict(path)
    after = Policy(CHECKOUT, (*rules, rule("allow", specifier, scope))).verdict(path)
    assert after.decision == before.decision or (before.decision == "ask" and before.rule is None)
    assert after.decision != "deny" or before.decision == "deny"


@given(st.lists(RULES, max_size=5), st.sampled_from(PATHS))
def test_no_general_allow_covers_an_effect(rules, path):
    verdict = Policy(CHECKOUT, tuple(rules)).verdict(path, [MARK])
    if verdict.decision == "allow":
        assert verdict.rule is not None
        assert verdict.rule.specifier.encode() in (path, b"//srv/app/" + path)
    else:
        assert not verdict.is_ordinary


@given(st.lists(RULES, max_size=5), st.sampled_from(PATHS), st.sampled_from(PROJECT_SCOPES))
def test_p02_a_repositorys_own_rules_only_tighten(rules, path, scope):
    order = {"allow": 0, "ask": 1, "deny": 2}
    theirs = [Rule(one.judgement, one.tool, one.specifier, source(scope), reach=one.reach) for one in rules]
    for marks in ((), [MARK]):
        without = Policy(CHECKOUT, (rule("allow", "src/**"), rule("allow", "Makefile"))).verdict(path, marks)
        with_theirs = Policy(CHECKOUT, (rule("allow", "src/**"), rule("allow", "Makefile"), *theirs)).verdict(
            path, marks
        )
        assert order[with_theirs.decision] >= order[without.decision]
        assert without.is_ordinary or not with_theirs.is_ordinary


def test_the_answer_says_why_with_the_rule_and_its_file():
    found = Policy(CHECKOUT, (parse("Edit(src/**)", "deny", source("managed"), "/"),)).verdict(b"src/a")
    assert found.reason == "denied by Edit(src/**) in managed.json"
    assert found.rule is not None
    assert Policy(CHECKOUT).verdict(b"a").reason == "no rule is about it"
    assert Policy(CHECKOUT).verdict(b"a", [MARK]).reason == "runs later: a build runs it"


@pytest.mark.parametrize(
    ("rules", "marks", "is_ordinary", "short"),
    [
        ([], (), True, ""),
        ([], [MARK], False, "runs later"),
        ([rule("allow", "")], (), True, ""),
        ([rule("allow", "")], [MARK], False, "runs later"),
        ([rule("allow", "a")], [MARK], True, ""),
        ([rule("ask", "")], (), False, "a rule asks"),
        ([rule("deny", "")], (), False, "denied by a rule"),
    ],
)
def test_what_a_blanket_allow_covers(rules, marks, is_ordinary, short):
    verdict = Policy(CHECKOUT, tuple(rules)).verdict(b"a", marks)
    assert (verdict.is_ordinary, verdict.short) == (is_ordinary, short)


@pytest.mark.parametrize(
    "change",
    [
        Change(b"src/a", None, NEW),
        Change(b"src/a", NEW, None),
        Change(b"src/a", NEW, Link(b"../lib/a")),
        Change(b"src/new", None, Directory()),
        Change(b"src", Directory(), None),
        Change(b"src", NEW, Directory()),
    ],
)
def test_every_kind_of_change_is_judged_by_its_path_in_the_checkout(change):
    assert Policy(CHECKOUT, (rule("deny", "src/**"),)).judge(change).decision == "deny"
    assert Policy(CHECKOUT, (rule("deny", "lib/**"),)).judge(change).decision != "deny"


def test_s26_s27_what_git_obeys_waits_for_its_own_yes_also_under_a_general_allow():
    policy = Policy(CHECKOUT, (rule("allow", ""), rule("allow", "**")))
    for path in (b".gitmodules", b".gitattributes", b"sub/.GitAttributes"):
        assert policy.judge(Change(path, None, NEW)).decision == "ask"
    named = Policy(CHECKOUT, (rule("allow", ".gitattributes"),))
    assert named.judge(Change(b".gitattributes", None, NEW)).decision == "allow"
    assert named.judge(Change(b"sub/.gitattributes", None, NEW)).decision == "ask"


@pytest.mark.parametrize("specifier", ["deploy/**", "deploy/", "deploy/hosts", "/srv/deploy/**", "**/deploy/**"])
def test_p05_no_link_leads_around_a_rule_that_forbids(specifier):
    policy = Policy(CHECKOUT, (rule("deny", specifier.replace("/srv/deploy", "//srv/app/deploy")), rule("allow", "")))
    host = Host(aliases={b"infra/live": (b"deploy",), b"infra/hosts": (b"deploy/hosts",)})
    assert policy.judge(Change(b"infra/live/hosts", None, NEW), host=host).decision == "deny"
    assert policy.judge(Change(b"infra/other/hosts", None, NEW), host=host).decision == "allow"
    assert policy.judge(Change(b"infra/hosts", None, NEW), host=host).decision == "deny"
    assert "deploy/hosts" in policy.judge(Change(b"infra/hosts", None, NEW), host=host).reason


@pytest.mark.parametrize("before", [None, Directory(), Link(b"old")])
def test_p05_a_link_or_file_in_place_of_a_folder_is_judged_as_the_folder_by_what_forbids(before):
    policy = Policy(CHECKOUT, (rule("deny", "deploy/**"), rule("allow", "")))
    assert policy.judge(Change(b"deploy", before, Link(b"elsewhere"))).decision == "deny"
    assert policy.judge(Change(b"deployed", before, Link(b"elsewhere"))).decision == "allow"
    assert Policy(CHECKOUT, (rule("allow", "deploy/**"),)).judge(Change(b"deploy", None, Link(b"x"))).decision == "ask"


def test_of_two_names_of_a_path_the_stricter_one_counts():
    policy = Policy(CHECKOUT, (rule("ask", "docs/**"), rule("deny", "CLAUDE.md")))
    host = Host(aliases={b"docs/agents.md": (b"CLAUDE.md",)})
    assert policy.judge(Change(b"docs/agents.md", NEW, None), host=host).decision == "deny"
