"""Which sandbox a command gets: flags, settings, a person's word, and what the first line says of it."""

import json

import pytest

from sandbox.advisories import holes
from sandbox.engine import Engine

pytestmark = pytest.mark.engine

WHO = ("sh", "-c", "id -u; grep NoNewPrivs /proc/self/status; cat /proc/self/status | grep CapEff")


def say(folder, **sandbox):
    path = folder / ".claude" / "settings.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"sandbox": sandbox}))


def test_the_first_line_says_the_profile_and_the_runtime(paddock, project):
    default = Engine.connect().facts()["DefaultRuntime"]
    done = paddock("exec", "--profile", "egress", "--", "true", cwd=project)
    assert f"image base · profile egress · network: no host is listed · {default}\n" in done.stderr
    assert done.returncode == 0


def test_a_repository_makes_its_own_sandbox_strict_and_a_flag_of_the_user_does_not_follow(paddock, project):
    say(project, profile="strict", runtime="weak")
    strict = paddock("exec", "--", "touch", "x", cwd=project)
    assert "Read-only file system" in strict.stderr
    assert "profile strict" in strict.stderr
    assert ".claude/settings.json:1: sandbox.runtime is not for a repository to say: it is ignored" in strict.stderr
    assert paddock("exec", "--profile", "default", "--", "touch", "x", cwd=project).returncode == 0


def test_root_inside_takes_a_word_and_where_nobody_can_be_asked_the_flag(paddock, project, variables):
    say(project.parent / "home", profile="build")
    refused = paddock("exec", "--", *WHO, cwd=project)
    assert refused.returncode == 4
    assert "name it with --profile build" in refused.stderr
    done = paddock("exec", "--profile", "build", "--", *WHO, cwd=project)
    assert done.stdout.split() == ["0", "NoNewPrivs:", "1", "CapEff:", "00000000000000cb"]


@pytest.mark.parametrize(
    ("profile", "answer", "code"), [("build", "n", 1), ("build", "y", 0), ("compat", "y", 1), ("compat", "compat", 0)]
)
def test_on_a_terminal_a_person_is_asked_each_time(terminal, project, profile, answer, code):
    seen = terminal("exec", "--profile", profile, "--apply", "never", "--", "echo", "ran it", cwd=project)
    seen.wait_for("go on")
    seen.send(f"{answer}\r")
    assert seen.end() == code
    assert ("ran it" in seen.screen) == (code == 0)
    assert ("nothing was started" in seen.screen) == (code == 1)


def test_a_runtime_the_engine_does_not_have_is_named_with_those_it_has(paddock, project):
    done = paddock("exec", "--runtime", "nope", "--", "true", cwd=project)
    assert done.returncode == 2
    assert "the engine has no runtime 'nope', only " in done.stderr
    assert "daemon.json" in done.stderr


def test_a_mistake_in_the_users_settings_stops_everything_with_its_line(paddock, project):
    say(project.parent / "home", profil="strict")
    done = paddock("exec", "--", "true", cwd=project)
    assert done.returncode == 2
    assert "settings.json:1: sandbox.profil is not known: did you mean profile?" in done.stderr


def test_a_named_variable_goes_in_and_no_other(paddock, project):
    say(project.parent / "home", environment=["WANTED", "NOT_SET"])
    done = paddock("exec", "--", "env", cwd=project, WANTED="yes-please", SECRET="CANARY", ANTHROPIC_API_KEY="CANARY")
    lines = done.stdout.splitlines()
    assert "WANTED=yes-please" in lines
    assert "CANARY" not in done.stdout
    assert not [line for line in lines if line.startswith("NOT_SET")]


def test_a_repository_cannot_ask_for_a_variable(paddock, project):
    say(project, environment=["SECRET"])
    done = paddock("exec", "--", "env", cwd=project, SECRET="CANARY")
    assert "CANARY" not in done.stdout + done.stderr
    assert "sandbox.environment is not for a repository to say" in done.stderr


def test_a_session_goes_on_as_it_was_chosen_unless_a_flag_says_otherwise(paddock, project, script):
    turns = ('{tools: [{Bash: {command: "touch x"}}]}', '{text: "done"}')
    steps = script(*turns * 4)
    run = ("run", "--script", steps, "--output-format", "stream-json", "--verbose", "--apply", "never")

    def told(*arguments):
        done = paddock(*run, *arguments, "go", cwd=project)
        first = json.loads(done.stdout.splitlines()[0])
        assert (first["type"], first["subtype"]) == ("system", "init")
        return first["sandbox"]["profile"], "Read-only file system" in done.stdout

    assert told("--profile", "strict") == ("strict", True)
    assert told("--continue") == ("strict", True)
    assert told("--continue", "--profile", "default") == ("default", False)
    assert told("--continue") == ("default", False)
    session = json.loads(paddock("sessions", "list", "--json", cwd=project).stdout)[0]
    assert session["profile"] == "default"
    refused = paddock(*run, "--continue", "--base", "copy", "go", cwd=project)
    assert (refused.returncode, "decided when it begins" in refused.stderr) == (2, True)


def test_settings_can_refuse_an_engine_with_known_holes(paddock, project):
    say(project.parent / "home", requirePatched=True)
    done = paddock("exec", "--", "true", cwd=project)
    found = holes(Engine.connect().facts())
    assert done.returncode == (1 if found else 0)
    assert all(one in done.stderr for one in found[0].ids) if found else True


def test_policy_check_reads_what_is_said_of_the_sandbox_too(paddock, project):
    say(project.parent / "home", enabled=True, profile="strict")
    done = paddock("policy", "check", cwd=project)
    assert "sandbox.enabled: a setting of Claude Code, which changes nothing here" in done.stdout
    say(project.parent / "home", memory="much")
    for arguments in (("policy", "check"), ("policy", "check", str(project.parent / "home/.claude/settings.json"))):
        done = paddock(*arguments, cwd=project)
        assert done.returncode == 2
        assert "sandbox.memory has to be a number with a unit" in done.stderr
