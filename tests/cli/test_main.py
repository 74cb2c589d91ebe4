"""The command line without an engine: help, versions, slips, and every error as one sentence with its exit code."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import exits, main, signals
from cli.version import version
from images.errors import BuildFailed, UnknownImage
from sandbox.errors import CheckoutRefused, EngineUnavailable, OutOfSpace, SandboxLost, SessionBusy, SessionNotFound

COMMANDS = (
    *("run", "exec", "shell", "status", "diff", "review", "apply", "discard", "doctor"),
    *("ps", "gc", "demo", "ports"),
)
NESTED = ("sessions list", "sessions show", "sessions rm", "images list", "images build")


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version_is_one_line(paddock, flag):
    done = paddock(flag)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"paddock {version()}\n", "")


def test_version_imports_none_of_our_packages_but_the_command_line():
    code = "import sys, cli.main; cli.main.main(['--version']); print(sorted(n for n in sys.modules if '.' not in n))"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert (
        loaded & {"typer", "rich", "anthropic", "docker", "pydantic", "anyio", "sandbox", "runtime", "images"} == set()
    )


@pytest.mark.parametrize("command", [*COMMANDS, *NESTED])
def test_every_help_has_an_example(paddock, command):
    done = paddock(*command.split(), "--help")
    assert done.returncode == 0
    assert f"paddock {command}" in done.stdout.partition("Example")[2]


def test_root_help_documents_the_exit_codes_in_80_columns(paddock):
    done = paddock("--help")
    assert "6 no engine" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["fix the test"], 'did you mean `paddock run "fix the test"`?'),
        (["run"], "Missing argument 'PROMPT'"),
        (["run", "--apply", "maybe", "x"], "'maybe' is not one of 'ask', 'auto', 'never'"),
        (["run", "--max-turns", "0", "x"], "--max-turns"),
        (["run", ""], "the prompt is empty"),
        (["run", "--script", "/nope", "x"], "there is no script /nope"),
        (["run", "-c", "-r", "abcd", "x"], "name two sessions"),
        (["run", "--include-partial-messages", "x"], "needs --output-format stream-json"),
        (["--model", "x", "run", "y"], "options go after the command"),
        (["run", "-C", "/", "x"], "the root of the whole machine"),
        (["run", "-C", "/nope", "x"], "/nope does not exist"),
        (["status"], "has no session yet"),
        (["review", "abcdef"], "'abcdef' is no session"),
        (["sessions", "show", "abcdef"], "no session 'abcdef'"),
        ([], "a conversation needs a terminal"),
        (["shell"], "needs a terminal"),
    ],
)
def test_a_slip_is_exit_code_2_and_one_sentence(paddock, arguments, said):
    done = paddock(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.startswith("paddock: ")
    assert "Traceback" not in done.stderr


def test_home_is_refused(paddock, variables):
    done = paddock("run", "x", cwd=Path(variables["HOME"]))
    assert done.returncode == 2
    assert "your home folder" in done.stderr


def test_a_folder_that_is_gone_is_refused(variables, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd "{gone}" && rmdir "{gone}" && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "cli.main", "status"],
        env=variables,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "the current folder is gone" in done.stderr) == (2, True)


def test_no_engine_is_exit_code_6_and_nothing_runs_on_the_host(paddock, project):
    done = paddock("exec", "--", "touch", "ran", cwd=project, DOCKER_HOST="unix:///nope/docker.sock")
    assert done.returncode == 6
    assert "paddock doctor" in done.stderr
    assert not (project / "ran").exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineUnavailable("x"), 6),
        (UnknownImage("x"), 7),
        (BuildFailed("x"), 7),
        (CheckoutRefused("x"), 2),
        (SessionNotFound("x"), 2),
        (SessionBusy("x"), 1),
        (SandboxLost("x"), 1),
        (OutOfSpace("x"), 1),
        (exits.ApprovalNeeded("x"), 4),
        (exits.Misuse("x"), 2),
        (ZeroDivisionError("x"), None),
    ],
)
def test_every_error_class_has_its_exit_code(error, code):
    assert exits.code_of(error) == code


def test_a_bug_is_said_to_be_one_and_debug_shows_where(capsys):
    assert main._explain(ZeroDivisionError("boom"), debug=False) == 1
    assert "this is a bug in paddock: ZeroDivisionError: boom; `paddock --debug" in capsys.readouterr().err
    try:
        int("boom")
    except ValueError as error:
        main._explain(error, debug=True)
    assert 'int("boom")' in capsys.readouterr().err


def test_an_error_text_cannot_reach_the_terminal_as_control_bytes(capsys):
    main._explain(CheckoutRefused("/x\x1b]0;owned\x07\x9b2Jy"), debug=False)
    assert capsys.readouterr().err == "paddock: /x\\x1b]0;owned\\x07\\u009b2Jy\n"


def test_a_reader_that_leaves_is_no_error_text(variables, elsewhere):
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "sessions", "list"],
        cwd=elsewhere,
        env=dict(variables),
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 141


def test_a_closed_stdout_is_fine(variables, elsewhere):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m cli.main sessions list >&-"],
        cwd=elsewhere,
        env=dict(variables),
        stderr=subprocess.PIPE,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_garbage_is_collected_from_when_a_commands_work_begins():
    async def work(_interrupts):
        return gc.isenabled()

    gc.disable()
    try:
        assert signals.run_async(work)
    finally:
        gc.enable()
        gc.unfreeze()
    assert main.main(["--help"]) == exits.DONE
    assert gc.isenabled()  # whoever calls it with a command line of its own keeps what it has
