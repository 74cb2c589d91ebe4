"""Rules on the command line: what is applied by a blanket yes, what waits, what is never applied, and what is said.

No engine is needed: what the sandbox wrote is put where the overlay would have it.
"""

import json
import os
import stat

import pytest

from images.image import Image
from sandbox.choice import Choice
from sandbox.gate.freeze import mark_beginning, note_checkout
from sandbox.opening import prepare
from sandbox.sessions import Sessions


@pytest.fixture
def settings(variables):
    """Puts rules into the user's settings file."""

    def write(**rules):
        folder = os.path.join(variables["HOME"], ".claude")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "settings.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"permissions": rules}, file)
        return path

    return write


@pytest.fixture
def waiting(project, variables):
    """Makes a session of the project in which these files wait; content None deletes."""

    def make(files):
        for path, content in files.items():
            if content is None:
                (project / path).parent.mkdir(parents=True, exist_ok=True)
                (project / path).write_text("old\n")
        sessions = Sessions(type(project)(variables["XDG_STATE_HOME"]) / "paddock")
        image, live = Image("base", "sha256:0"), Choice(base="live")
        session = prepare(sessions=sessions, checkout=project, kind="exec", image=image, choice=live)
        note_checkout(session, mark_beginning(session))
        for path, content in files.items():
            target = session.upper / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                os.mknod(target, stat.S_IFCHR, os.makedev(0, 0))
            else:
                target.write_text(content)
        return session

    return make


def last_line(text):
    return text.rstrip("\n").splitlines()[-1]


def truth(paddock, project):
    return json.loads(paddock("status", "--json", cwd=project).stdout)


def test_yes_covers_what_is_ordinary_and_says_what_is_left(paddock, project, waiting):
    waiting({"src/a.py": "x\n", "Makefile": "all:\n", ".env": "A=1\n", "src/b.lock": ""})
    done = paddock("apply", "--yes", cwd=project)
    assert done.returncode == 0
    assert "left for you: .env (runs later: " in done.stdout
    assert "Makefile (runs later: a build runs it)" in done.stdout
    assert last_line(done.stdout).startswith("applied 2 files · 2 files pending (2 runs later): paddock review")
    assert (project / "src" / "b.lock").exists()
    assert not (project / "Makefile").exists()
    assert truth(paddock, project)["pending_because"] == {"runs later": 2}


def test_naming_a_path_asks_for_it_and_the_checkout_is_no_name(paddock, project, waiting):
    waiting({"Makefile": "all:\n", "sub/conftest.py": ""})
    for arguments in ([], ["."]):
        done = paddock("apply", "--yes", *arguments, cwd=project)
        assert done.returncode == 4
        assert "--yes alone does not cover 2 files" in done.stderr
    assert not (project / "Makefile").exists()
    assert last_line(paddock("apply", "--yes", "Makefile", "sub", cwd=project).stdout) == "applied 2 files"


def test_what_a_rule_denies_is_never_applied_and_shown_with_the_rule(paddock, project, waiting, settings):
    path = settings(deny=[{"rule": "Edit(secret/**)", "reason": "not for agents"}])
    waiting({"secret/a": "x\n", "b": "x\n"})
    done = paddock("apply", "--yes", cwd=project)
    assert done.returncode == 0
    assert f"secret/a  never applied: denied by Edit(secret/**) in {path}:1: not for agents" in done.stdout
    assert "1 file pending (1 denied by a rule)" in last_line(done.stdout)
    named = paddock("apply", "--yes", "secret/a", cwd=project)
    assert named.returncode == 2
    assert "nobody can approve that" in named.stderr
    assert not (project / "secret").exists()


def test_an_allow_rule_covers_an_effect_only_by_its_very_name(paddock, project, waiting, settings):
    settings(allow=["Edit", "Edit(Makefile)"], ask=["Edit(*.lock)"])
    waiting({"Makefile": "all:\n", "sub/Makefile": "all:\n", "a.lock": ""})
    done = paddock("apply", "--yes", cwd=project)
    assert last_line(done.stdout).startswith(
        "applied 1 file · 2 files pending (1 a rule asks, 1 runs later): paddock review"
    )
    assert (project / "Makefile").exists()


def test_rules_are_given_for_one_command(paddock, project, waiting):
    waiting({"a": "x\n"})
    done = paddock("apply", "--yes", "--settings", '{"permissions": {"deny": ["Edit(a)"]}}', cwd=project)
    assert (done.returncode, (project / "a").exists()) == (0, False)
    assert "in --settings:1" in done.stdout
    assert last_line(paddock("apply", "--yes", cwd=project).stdout) == "applied 1 file"


def test_p05_an_agents_settings_wait_for_a_person_and_allow_nothing(paddock, project, waiting):
    waiting({".claude/settings.json": '{"permissions": {"allow": ["Edit"]}}', "Makefile": "all:\n", "b": "x\n"})
    assert "applied 1 file" in paddock("apply", "--yes", cwd=project).stdout
    assert "applied 1 file" in paddock("apply", "--yes", ".claude/settings.json", cwd=project).stdout
    done = paddock("apply", "--yes", cwd=project)
    assert (done.returncode, (project / "Makefile").exists()) == (4, False)
    assert truth(paddock, project)["pending_because"] == {"runs later": 1}


def test_p02_a_repositorys_allow_is_ignored_and_its_deny_counts(paddock, project, waiting):
    (project / ".claude").mkdir()
    (project / ".claude" / "settings.json").write_text(
        '{"permissions": {"allow": ["Edit(Makefile)"], "deny": ["Edit(b)"]}}'
    )
    waiting({"Makefile": "all:\n", "b": "x\n", "c": "x\n"})
    done = paddock("apply", "--yes", cwd=project)
    assert last_line(done.stdout).startswith("applied 1 file · 2 files pending (1 denied by a rule, 1 runs later)")
    assert "settings: .claude/settings.json:1: allow Edit(Makefile) is ignored" in done.stdout


def test_broken_settings_of_the_user_stop_a_command_and_those_of_the_repository_do_not(
    paddock, project, waiting, variables
):
    waiting({"b": "x\n"})
    (project / ".claude").mkdir()
    (project / ".claude" / "settings.json").write_text("{")
    assert "the whole file is left out" in paddock("policy", "list", cwd=project).stdout
    path = os.path.join(variables["HOME"], ".claude", "settings.json")
    os.makedirs(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"permissions":\n{"deny": ["Edit("]}}')
    for command in (["apply", "--yes"], ["status"], ["policy", "check", path]):
        done = paddock(*command, cwd=project)
        assert (done.returncode, done.stderr.startswith(f"paddock: {path}:2: the deny rule 'Edit('")) == (2, True)
    assert not (project / "b").exists()


@pytest.mark.root
def test_s34_a_mass_deletion_needs_its_very_number(paddock, project, waiting):
    waiting({f"{number}.txt": None for number in range(60)})
    for options in (["--yes"], ["--yes", "--deletions", "59"]):
        done = paddock("apply", *options, cwd=project)
        assert (done.returncode, (project / "59.txt").exists()) == (4, True)
        assert "this deletes 60 files, more than 50" in done.stdout
    done = paddock("apply", "--yes", "--deletions", "60", cwd=project)
    assert (done.returncode, last_line(done.stdout)) == (0, "applied 60 files")
    assert sorted(os.listdir(project)) == [".gitignore", "a.txt"]


@pytest.mark.root
@pytest.mark.parametrize(("typed", "is_sure"), [("60", True), ("y", False), ("59", False)])
def test_s34_on_a_terminal_the_number_is_typed(terminal, project, waiting, typed, is_sure):
    waiting({f"{number}.txt": None for number in range(60)})
    seen = terminal("apply", "--yes", cwd=project)
    seen.wait_for("Type the number")
    seen.send(f"{typed}\r")
    assert seen.end() == 0
    assert (project / "59.txt").exists() != is_sure


@pytest.mark.root
def test_a12_1_what_git_does_not_have_is_not_deleted_by_a_blanket_yes(paddock, project, waiting):
    (project / ".git").mkdir()
    waiting({"mine.txt": None, "new.txt": "x\n"})
    done = paddock("apply", "--yes", cwd=project)
    assert "left for you: mine.txt (not in git: " in done.stdout
    assert last_line(done.stdout).startswith("applied 1 file · 1 file pending (1 not in git)")
    assert last_line(paddock("apply", "--yes", "mine.txt", cwd=project).stdout) == "applied 1 file"


def test_on_a_terminal_what_has_an_effect_is_asked_about_by_itself(terminal, project, waiting):
    waiting({"Makefile": "all:\n", "b": "x\n", "c": "x\n"})
    seen = terminal("apply", cwd=project)
    seen.wait_for("apply 2 files to")
    seen.send("y\r")
    seen.wait_for("apply Makefile?")
    assert "runs later: a build runs it" in seen.screen
    seen.send("n\r")
    assert seen.end() == 0
    assert sorted(os.listdir(project)) == [".gitignore", "a.txt", "b", "c"]


def test_v14_a_badge_comes_from_the_change_and_from_nothing_that_is_said(paddock, project, waiting):
    waiting({".github/workflows/x.yml": "# only docs changed\n", "NOTES.md": "runs later: secrets: denied\n"})
    rows = {row["path"]: row for row in truth(paddock, project)["changes"]}
    listed = paddock("status", cwd=project).stdout
    assert "runs later" in next(line for line in listed.splitlines() if "x.yml" in line)
    assert "runs later" not in next(line for line in listed.splitlines() if "NOTES.md" in line)
    assert set(rows) == {".github/workflows/x.yml", "NOTES.md"}


def test_a_secret_and_a_program_are_seen_in_the_content(paddock, project, waiting):
    waiting({"a.py": "key = 'ghp_" + "a" * 36 + "'\n", "tool": "#!/tmp/x\n", "ls": "x\n", "b": "x\n"})
    done = paddock("apply", "--yes", cwd=project)
    assert last_line(done.stdout).startswith("applied 1 file · 3 files pending (2 new executable, 1 secrets)")


def test_explain_names_the_rule_the_effect_and_what_would_be_done(paddock, project, waiting, settings):
    path = settings(deny=["Edit(secret/**)"], ask=["Edit(**/*.lock)"], allow=["Edit(src/**)", "Edit(src/a.lock)"])
    waiting({"a.py": "AKIA" + "IOSFODNN7EXAMPLE\n"})
    done = paddock("policy", "explain", "--json", "secret/x", "src/a.lock", "src/b.py", "Makefile", "a.py", cwd=project)
    found = {row["path"]: row for row in json.loads(done.stdout)["paths"]}
    assert [row["decision"] for row in found.values()] == ["deny", "ask", "allow", "ask", "ask"]
    assert found["secret/x"]["rule"] == {
        "judgement": "deny", "rule": "Edit(secret/**)", "file": path, "line": 1, "scope": "user", "reason": "",
        "judges_changes": True,
    }  # fmt: skip
    assert [rule["rule"] for rule in found["src/a.lock"]["other_rules"]] == ["Edit(src/**)", "Edit(src/a.lock)"]
    assert found["src/b.py"]["outcome"]["--apply auto"] == "applied"
    assert found["Makefile"]["effects"] == [{"effect": "runs later", "reason": "a build runs it"}]
    assert found["Makefile"]["outcome"]["--apply auto"] == "left pending"
    assert (found["a.py"]["change"], found["a.py"]["effects"][0]["effect"]) == ("added", "secrets")
    shown = paddock("policy", "explain", "Makefile", cwd=project).stdout
    assert "because       runs later: a build runs it" in shown


def test_explain_works_without_a_session_and_only_inside_of_the_checkout(paddock, project):
    done = paddock("policy", "explain", "no/such/file", cwd=project)
    assert (done.returncode, "no rule is about it" in done.stdout) == (0, True)
    outside = paddock("policy", "explain", "../x", cwd=project)
    assert (outside.returncode, "is not a path inside of" in outside.stderr) == (2, True)


def test_list_gives_the_rules_in_the_order_they_are_asked(paddock, project, settings):
    settings(allow=["Edit(a)", "Bash(ls *)"], ask=["Edit(b)"], deny=["Edit(c)"])
    listed = json.loads(paddock("policy", "list", "--json", cwd=project).stdout)["rules"]
    assert [(row["judgement"], row["rule"], row["judges_changes"]) for row in listed] == [
        ("deny", "Edit(c)", True),
        ("ask", "Edit(b)", True),
        ("allow", "Edit(a)", True),
        ("allow", "Bash(ls *)", False),
    ]
    assert "(about tool calls)" in paddock("policy", "list", cwd=project).stdout


def test_check_tries_the_examples(paddock, project, tmp_path):
    path = tmp_path / "s.json"
    path.write_text(
        '{"permissions": {"allow": [{"rule": "Edit(src/**)", "match": ["src/a"], "not_match": ["src/b"]}]}}'
    )
    done = paddock("policy", "check", str(path), cwd=project)
    assert (done.returncode, done.stderr) == (
        2,
        f"paddock: {path}:1: Edit(src/**) matches 'src/b', its own 'not_match' example\n",
    )
    path.write_text(
        '{"permissions": {"allow": [{"rule": "Edit(src/**)", "match": ["src/a"], "not_match": ["lib/b"]}]}}'
    )
    assert paddock("policy", "check", str(path), cwd=project).stdout == "no errors: 1 rule, 1 of them about changes\n"
