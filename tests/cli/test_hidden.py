"""What is hidden from the sandbox is said where a person or a program looks for it."""

import json
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def project(project: Path) -> Path:
    """The checkout with secrets, one of them in git."""
    for name in (".env", "b/.env.local", "id_rsa", "z.p12"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("TOKEN=1")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    subprocess.run(["git", "remote", "add", "origin", "https://u:p4ssw0rd@h/r"], cwd=project, check=True)
    subprocess.run(["git", "add", "id_rsa"], cwd=project, check=True)
    return project


def test_what_would_be_hidden_is_listed_with_the_reason_without_an_engine(paddock, project):
    done = paddock("hidden", cwd=project, DOCKER_HOST="unix:///nowhere")
    assert done.returncode == 0
    assert done.stdout == (
        ".env\n    programs keep passwords and tokens under this name\n"
        "b/.env.local\n    programs keep passwords and tokens under this name\n"
        "id_rsa\n    private keys are kept under this name; but git has it, and its history shows inside what was "
        "committed\n"
        "z.p12\n    it is a store of keys or passwords\n"
        ".git/config\n    is there without the passwords and tokens in it: git needs it\n"
    )
    assert "p4ssw0rd" not in done.stdout + done.stderr


def test_a_pattern_can_be_tried(paddock, project):
    done = paddock("hidden", "--json", "--include", "/.env", "--include", "id_*", "--include", ".git/", cwd=project)
    found = json.loads(done.stdout)
    assert [row["path"] for row in found["hidden"]] == ["b/.env.local", "z.p12"]
    assert found["redacted"] == []
    by_settings = paddock("hidden", "--json", "--settings", '{"sandbox": {"include": ["b/"]}}', cwd=project)
    assert [row["path"] for row in json.loads(by_settings.stdout)["hidden"]] == [".env", "id_rsa", "z.p12"]
    (project / ".claude").mkdir()
    (project / ".claude/settings.json").write_text('{"sandbox": {"include": ["**"]}}')
    by_repository = paddock("hidden", "--json", cwd=project)
    assert len(json.loads(by_repository.stdout)["hidden"]) == 4
    wrong = paddock("hidden", "--include", "!x", cwd=project)
    assert wrong.returncode != 0
    assert "the include pattern '!x' begins with !" in wrong.stderr


def test_a_checkout_without_secrets_says_so(paddock, elsewhere):
    assert paddock("hidden").stdout == "nothing is hidden: no file here has a name under which secrets are kept\n"


@pytest.mark.engine
def test_a_command_and_the_status_say_what_is_hidden(paddock, project):
    line = "hidden from the sandbox: .env, b/.env.local, id_rsa and 1 more (paddock hidden)"
    done = paddock("exec", "--", "sh", "-c", "ls -A; echo mine > id_rsa; rm -r b", cwd=project)
    assert done.returncode == 0
    assert f"paddock: {line}\n" in done.stderr
    assert "id_rsa" not in done.stdout
    status = paddock("status", cwd=project).stdout
    assert line in status
    assert "yours is hidden from the sandbox" in status
    assert "b/.env.local  stays: it is hidden from the sandbox" in status
    found = json.loads(paddock("status", "--json", cwd=project).stdout)
    assert [(row["path"], row["in_git"]) for row in found["hidden"]] == [
        (".env", False), ("b/.env.local", False), ("id_rsa", True), ("z.p12", False)
    ]  # fmt: skip
    assert found["redacted"] == [{"path": ".git/config"}]
    applied = paddock("apply", "--yes", "id_rsa", cwd=project)
    assert applied.returncode == 5
    assert (
        "id_rsa  is hidden from the sandbox, which made its own without knowing yours"
        in applied.stderr + applied.stdout
    )
    assert (project / "id_rsa").read_text() == "TOKEN=1"
    taken = paddock("apply", "--yes", "id_rsa", "--on-conflict", "theirs", cwd=project)
    assert taken.returncode == 0, taken.stderr
    assert (project / "id_rsa").read_text() == "mine\n"
    assert paddock("undo", "--yes", cwd=project).returncode == 0
    assert (project / "id_rsa").read_text() == "TOKEN=1"


@pytest.mark.engine
def test_the_model_and_its_user_are_told_once(paddock, project, script):
    file = script('{tools: [{Read: {file_path: "{{cwd}}/.env"}}]}', "{text: done}")
    done = paddock("run", "--script", file, "--output-format", "stream-json", "--verbose", "look", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "hidden from the sandbox: .env, b/.env.local, id_rsa and 1 more (paddock hidden)" in done.stdout
    assert "because programs keep passwords and tokens under this name" in done.stdout
    assert "TOKEN=1" not in done.stdout
    again = paddock("run", "--continue", "--script", file, "look", cwd=project)
    assert "hidden from the sandbox" not in again.stdout + again.stderr


@pytest.mark.engine
def test_a_hidden_value_that_turns_up_in_a_change_is_pointed_out_and_not_printed(paddock, project):
    (project / ".env").write_text("API_TOKEN=s3cr3t-of-the-user\n")
    paddock("exec", "--", "sh", "-c", "echo t=s3cr3t-of-the-user > conf.py", cwd=project)
    status = paddock("status", cwd=project).stdout
    assert "secrets: it adds a secret that .env holds" in status
    assert "s3cr3t" not in status
    assert paddock("apply", "--yes", cwd=project).returncode == 4
    assert not (project / "conf.py").exists()
