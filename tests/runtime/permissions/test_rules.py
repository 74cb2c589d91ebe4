"""The grammar of a rule, against the table in which it is specified; and which paths each form means."""

import pytest

from runtime.permissions.rules import BadRule, Source, Spot, notice_of, parse

HOME = "/home/me"
CHECKOUT = "/srv/app"
USER = Source("user", "/home/me/.claude/settings.json", "/home/me/.claude")
PROJECT = Source("project", ".claude/settings.json", CHECKOUT)


def rule(text, judgement="deny", source=USER):
    return parse(text, judgement, source, HOME)


def covers(text, path, judgement="deny", source=USER):
    return rule(text, judgement, source).covers(Spot(CHECKOUT, path.rstrip("/"), path.endswith("/")))


@pytest.mark.parametrize(
    "text",
    [
        "Bash",
        "Bash(*)",
        "Bash(npm run build)",
        "Bash(npm run test *)",
        "Bash(npm run test:*)",
        "Bash(ls*)",
        "Bash(git * main)",
        "Bash(* --version)",
        "Bash(echo (hi))",
        "Read(~/.zshrc)",
        "Read(./.env)",
        "Edit",
        "Edit(*)",
        "Edit(src/**)",
        "Edit(//etc/**)",
        "Write(src/**)",
        "WebFetch(domain:example.com)",
        "WebFetch(domain:*.internal.example.com)",
        "WebSearch",
        "mcp__github",
        "mcp__github__get_*",
        "mcp__github__get_issue",
        "mcp__*",
        "mcp__*__delete_*",
        "Agent(Explore)",
        "Skill(name *)",
        "Cd(../x)",
        "TaskStop(task_id:*)",
        "Notebook*",
    ],
)
def test_every_form_of_the_table_is_read(text):
    found = rule(text)
    assert found.text == text.removesuffix("(*)")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Edit(",
        "Edit(src/**",
        "Edit)",
        "Edit()",
        " Edit",
        "Edit (a)",
        "edit(a)",
        "Edti(a)",
        "Edit(!a)",
        "Edit(#a)",
        "Edit(../a)",
        "Edit(a\nb)",
        "WebFetch(example.com)",
        "WebFetch(domain:)",
        "WebSearch(x)",
        "mcp__github(x)",
        "mcp__",
        "Note*(x)",
    ],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(BadRule):
        rule(text)


@pytest.mark.parametrize("text", ["mcp__*", "mcp__git*", "*", "E*", "TaskStop(task_id:3)"])
def test_an_allow_rule_cannot_be_as_wide_as_a_deny_rule(text):
    assert rule(text, "deny").text == text
    with pytest.raises(BadRule):
        rule(text, "allow")
    assert rule("mcp__github__get_*", "allow").tool == "mcp__github__get_*"


def test_a_mistyped_tool_is_recognised():
    with pytest.raises(BadRule, match="did you mean Edit"):
        rule("edit(src/**)")


@pytest.mark.parametrize("judgement", ["deny", "ask", "allow"])
@pytest.mark.parametrize(
    ("text", "means", "does_not_mean"),
    [
        ("Edit", ["a", "x/y", "x/"], []),
        ("Edit(*)", ["a", "x/y"], []),
        ("Edit(**)", ["a", "x/y"], []),
        ("Edit(**/*.lock)", ["a.lock", "x/a.lock"], ["a.txt"]),
        ("Edit(//srv/app/src/**)", ["src/a"], ["a", "lib/src/a"]),
        ("Edit(//srv/**)", ["a", "src/a"], []),
        ("Edit(//etc/**)", [], ["etc/passwd", "a"]),
        ("Edit(~/x)", [], ["x"]),
        ("Edit(/x)", [], ["x"]),
        ("Edit(a/b/**)", ["a/b/c"], ["x/a/b/c"]),
    ],
)
def test_where_a_path_begins(text, means, does_not_mean, judgement):
    assert [path for path in means if not covers(text, path, judgement)] == []
    assert [path for path in does_not_mean if covers(text, path, judgement)] == []


def test_a_slash_begins_at_the_folder_of_the_settings_and_for_a_repository_at_its_root():
    assert covers("Edit(/x/**)", "x/a", source=PROJECT)
    assert not covers("Edit(/x/**)", "y/x/a", source=PROJECT)
    assert not covers("Edit(/x/**)", "x/a", source=USER)


def test_a_home_inside_which_the_checkout_lies_is_matched_by_absolute_paths():
    spot = Spot("/home/me/app", "src/a")
    assert rule("Edit(~/app/src/**)").covers(spot)
    assert not rule("Edit(~/other/**)").covers(spot)


@pytest.mark.parametrize("text", ["Edit(src/**)", "Edit(./src/**)"])
def test_one_segment_allows_here_and_forbids_anywhere(text):
    assert covers(text, "src/a", "allow")
    assert not covers(text, "lib/src/a", "allow")
    for judgement in ("deny", "ask"):
        assert covers(text, "src/a", judgement)
        assert covers(text, "lib/src/a", judgement)


def test_a_name_with_a_dot_and_slash_allows_here_and_forbids_anywhere():
    assert covers("Edit(./Makefile)", "Makefile", "allow")
    assert not covers("Edit(./Makefile)", "x/Makefile", "allow")
    assert covers("Edit(./.env)", "x/.env", "deny")


@pytest.mark.parametrize("path", [".ENV", ".e\u200bnv", "x/.Env", ".env.", "\uff0eenv"])
def test_s20_s21_a_deny_rule_is_not_got_round_by_spelling_and_an_allow_rule_not_widened(path):
    assert covers("Edit(.env)", path, "deny")
    assert covers("Edit(.env)", path, "ask")
    assert not covers("Edit(.env)", path, "allow")


@pytest.mark.parametrize("text", ["Write(src/**)", "MultiEdit(src/**)", "NotebookEdit(src/**)"])
def test_path_rules_of_other_tools_are_taken_with_a_warning_and_never_asked(text):
    found = rule(text)
    assert not found.covers(Spot(CHECKOUT, "src/a"))
    assert "Edit(src/**)" in notice_of(found)
    assert notice_of(rule("Edit(src/**)")) == ""
    assert "Read(src/**)" in notice_of(rule("Glob(src/**)"))


@pytest.mark.parametrize("text", ["Bash", "Bash(rm *)", "Read(src/**)", "Write", "mcp__x", "WebFetch(domain:a.b)"])
def test_rules_about_calls_say_nothing_about_changes(text):
    assert not rule(text).covers(Spot(CHECKOUT, "src/a"))


def test_a_wildcard_for_tools_that_forbids_editing_forbids_changes():
    assert covers("*", "a")
    assert covers("E*", "a")
    assert not covers("Note*", "a")


def test_only_the_very_path_is_named():
    named = rule("Edit(Makefile)", "allow")
    assert named.spells_out(Spot(CHECKOUT, "Makefile"))
    assert named.covers(Spot(CHECKOUT, "x/Makefile"))
    assert not named.spells_out(Spot(CHECKOUT, "x/Makefile"))
    assert rule("Edit(//srv/app/Makefile)", "allow").spells_out(Spot(CHECKOUT, "Makefile"))
    assert not rule("Edit(Make*)", "allow").spells_out(Spot(CHECKOUT, "Makefile"))
    assert not rule("Edit", "allow").spells_out(Spot(CHECKOUT, "Makefile"))
