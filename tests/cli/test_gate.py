"""Whole commands against a real engine: what becomes of the changes, the last line, and the exit code."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.engine

WRITE = '{tools: [{Write: {file_path: "{{cwd}}/new.txt", content: "new\\n"}}]}'
SAY = '{text: "All done."}'
SLOW = '{tools: [{Bash: {command: "touch slow.txt; trap \\"\\" TERM INT; sleep 60"}}]}'


def last_line(text):
    return text.rstrip("\n").splitlines()[-1]


def session_of(paddock, project):
    return json.loads(paddock("status", "--json", cwd=project).stdout)["session"]


def test_without_a_terminal_changes_wait_and_that_is_no_error(paddock, project, script):
    done = paddock("run", "--script", script(WRITE, SAY), "go", cwd=project)
    session = session_of(paddock, project)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["All done.", f"1 file pending: paddock review {session[:8]}"]
    assert not (project / "new.txt").exists()


def test_a_run_that_changes_nothing_says_so(paddock, project, script):
    done = paddock("run", "--script", script(SAY), "go", cwd=project)
    assert (done.returncode, done.stdout) == (0, "All done.\nhost unchanged\n")
    assert sorted(os.listdir(project)) == [".gitignore", "a.txt"]


@pytest.mark.parametrize("options", [["--apply", "auto"], ["--permission-mode", "acceptEdits"]])
def test_auto_applies(paddock, project, script, options):
    done = paddock("run", *options, "--script", script(WRITE, SAY), "go", cwd=project)
    assert (done.returncode, last_line(done.stdout)) == (0, "applied 1 file")
    assert (project / "new.txt").read_text() == "new\n"


def test_to_ask_with_nobody_there_is_exit_code_4_and_nothing_is_lost(paddock, project, script):
    done = paddock("run", "--apply", "ask", "--script", script(WRITE, SAY), "go", cwd=project)
    assert done.returncode == 4
    assert "1 file pending" in last_line(done.stdout)
    assert not (project / "new.txt").exists()


def test_a_limit_is_exit_code_3_and_what_was_cut_short_is_not_applied(paddock, project, script):
    done = paddock("run", "--apply", "auto", "--max-turns", "1", "--script", script(WRITE, SAY), "go", cwd=project)
    assert done.returncode == 3
    assert "1 file pending" in last_line(done.stdout)


def test_no_key_is_one_sentence_and_exit_code_1(paddock, project):
    done = paddock("run", "go", cwd=project)
    assert (done.returncode, last_line(done.stdout)) == (1, "host unchanged")
    assert "ANTHROPIC_API_KEY" in done.stderr


def test_a_prompt_comes_from_stdin(paddock, project, script):
    done = paddock("run", "--script", script('{text: "You said {{prompt}}."}'), "-", cwd=project, stdin="hello")
    assert done.stdout.splitlines()[0] == "You said hello."


def test_json_is_one_object_with_the_truth_about_the_host(paddock, project, script):
    done = paddock("run", "--output-format", "json", "--script", script(WRITE, SAY), "go", cwd=project)
    result = json.loads(done.stdout)
    assert (result["type"], result["subtype"], result["result"]) == ("result", "success", "All done.")
    assert result["host"]["state"] == "pending"
    assert "1 file pending" in last_line(done.stderr)


def test_stream_json_is_one_object_a_line(paddock, project, script):
    arguments = ("run", "--output-format", "stream-json", "--include-partial-messages", "--script", script(WRITE, SAY))
    rows = [json.loads(line) for line in paddock(*arguments, "go", cwd=project).stdout.splitlines()]
    assert (rows[0]["type"], rows[0]["subtype"]) == ("system", "init")
    assert rows[-1]["type"] == "result"
    assert {"assistant", "user", "stream_event"} <= {row["type"] for row in rows}
    assert {row["session_id"] for row in rows} == {rows[-1]["session_id"]}


def test_continue_brings_back_the_conversation_and_the_workspace(paddock, project, script):
    turns = script(WRITE, SAY, '{tools: [{Bash: {command: "cat new.txt"}}]}', '{expect: "new", text: "Still there."}')
    paddock("run", "--script", turns, "go", cwd=project)
    first = session_of(paddock, project)
    done = paddock("run", "--continue", "--script", turns, "again", cwd=project)
    assert done.stdout.splitlines()[0] == "Still there."
    assert session_of(paddock, project) == first


def test_nothing_applied_is_pending_again(paddock, project, script):
    turns = script(WRITE, SAY, SAY)
    paddock("run", "--apply", "auto", "--script", turns, "go", cwd=project)
    done = paddock("run", "--continue", "--script", turns, "again", cwd=project)
    assert last_line(done.stdout) == "host unchanged"


def test_a_conflict_is_exit_code_5_and_writes_nothing(paddock, project):
    paddock("exec", "--", "sh", "-c", "echo theirs > a.txt; echo b > b.txt", cwd=project)
    (project / "a.txt").write_text("mine\n")
    done = paddock("apply", "--yes", cwd=project)
    assert done.returncode == 5
    assert "a.txt  was changed in the checkout" in done.stdout
    assert (project / "a.txt").read_text() == "mine\n"
    assert not (project / "b.txt").exists()


def test_exec_returns_the_commands_own_code_and_output(paddock, project):
    done = paddock("exec", "--", "sh", "-c", "printf '\\033[1mraw'; echo oops >&2; exit 9", cwd=project)
    assert (done.returncode, done.stdout) == (9, "\x1b[1mraw")
    assert done.stderr.splitlines() == ["oops", "host unchanged"]


def test_exec_of_nothing_there_is_127(paddock, project):
    assert paddock("exec", "--", "no-such-program", cwd=project).returncode == 127


def test_exec_hands_on_stdin(paddock, project):
    assert paddock("exec", "--stdin", "--", "tr", "a-z", "A-Z", cwd=project, stdin="hello").stdout == "HELLO"


def test_exec_names_the_limit_that_was_reached(paddock, project):
    done = paddock("exec", "--", "dd", "if=/dev/zero", "of=/dev/shm/z", "status=none", cwd=project)
    assert done.returncode == 1
    assert "paddock: /dev/shm is full (256 MiB)" in done.stderr.splitlines()


def test_exec_that_fails_is_not_applied_by_itself(paddock, project):
    done = paddock("exec", "--apply", "auto", "--", "sh", "-c", "touch b; exit 1", cwd=project)
    assert (done.returncode, (project / "b").exists()) == (1, False)


def test_many_deletions_are_never_applied_unseen(paddock, project):
    for number in range(60):
        (project / f"{number}.txt").write_text("x")
    done = paddock("exec", "--apply", "auto", "--", "sh", "-c", "rm *.txt", cwd=project)
    assert done.returncode == 4
    assert "deletes 61 files" in done.stderr
    assert (project / "59.txt").exists()


def test_s34_what_auto_deletes_run_by_run_adds_up(paddock, project, script):
    for number in range(130):
        (project / f"{number}.txt").write_text("x")

    def rest(first, *more):
        delete = f'{{tools: [{{Bash: {{command: "seq -f %g.txt {first} {first + 29} | xargs rm"}}}}]}}'
        turns = [SAY, SAY, delete] if more else [delete]
        return paddock("run", "--apply", "auto", *more, "--script", script(*turns, SAY), "go", cwd=project)

    assert rest(0).returncode == 0
    assert not (project / "0.txt").exists()
    done = rest(30, "--continue")
    assert done.returncode == 4
    assert "deletes 60 files, more than 50" in done.stderr
    assert (project / "30.txt").exists()


def test_single_paths_are_applied_and_discarded(paddock, project):
    paddock("exec", "--", "sh", "-c", "mkdir d; touch d/1 d/2 x; rm a.txt", cwd=project)
    assert last_line(paddock("apply", "--yes", "d/1", cwd=project).stdout).startswith(
        "applied 1 file · 3 files pending"
    )
    assert "3 files" not in last_line(paddock("discard", "--yes", "a.txt", "d", cwd=project).stdout)
    assert last_line(paddock("apply", "--yes", cwd=project).stdout) == "applied 1 file"
    assert sorted(os.listdir(project)) == [".gitignore", "a.txt", "d", "x"]
    assert os.listdir(project / "d") == ["1"]


def test_a_whole_session_is_discarded(paddock, project):
    paddock("exec", "--", "sh", "-c", "rm -rf a.txt; mkdir -p x/y; touch x/y/z", cwd=project)
    assert paddock("discard", cwd=project).returncode == 4
    assert last_line(paddock("discard", "--yes", cwd=project).stdout) == "host unchanged"


def test_ignored_files_are_left_out_unless_named(paddock, project):
    done = paddock("exec", "--apply", "auto", "--", "sh", "-c", "echo x > run.log; echo y > b", cwd=project)
    assert last_line(done.stderr) == "applied 1 file"
    assert "run.log" in done.stderr
    assert last_line(paddock("apply", "--yes", "run.log", cwd=project).stdout) == "applied 1 file"


def test_an_unknown_path_is_a_slip(paddock, project):
    paddock("exec", "--", "touch", "b", cwd=project)
    done = paddock("apply", "--yes", "nothing.txt", cwd=project)
    assert done.returncode == 2
    assert "has no change at 'nothing.txt'" in done.stderr


def test_the_diff_in_a_pipe_is_a_patch_that_git_takes(paddock, project):
    paddock("exec", "--", "sh", "-c", "echo two >> a.txt; echo b > 'b c'", cwd=project)
    patch = paddock("diff", cwd=project).stdout
    done = subprocess.run(["git", "apply", "-"], cwd=project, input=patch, text=True, capture_output=True)
    assert (done.returncode, (project / "a.txt").read_text()) == (0, "one\ntwo\n")
    assert paddock("diff", "--patch", cwd=project).stdout == ""


def test_hostile_names_are_escaped_everywhere(paddock, project):
    paddock("exec", "--", "sh", "-c", "touch \"$(printf 'a\\033[2J\\nb')\"", cwd=project)
    for command in (["status"], ["apply"], ["discard"], ["sessions", "list"], ["sessions", "list", "--json"]):
        done = paddock(*command, cwd=project)
        assert "\x1b" not in done.stdout + done.stderr


def test_a_session_with_pending_changes_is_not_removed(paddock, project):
    paddock("exec", "--", "touch", "b", cwd=project)
    session = session_of(paddock, project)
    refused = paddock("sessions", "rm", "--yes", session, cwd=project)
    assert (refused.returncode, "1 pending" in refused.stderr) == (2, True)
    assert paddock("gc", "--yes", "--days", "0", cwd=project).returncode == 0
    assert len(json.loads(paddock("sessions", "list", "--json", cwd=project).stdout)) == 1
    assert paddock("sessions", "rm", "--yes", "--discard", session, cwd=project).returncode == 0
    assert json.loads(paddock("sessions", "list", "--json", cwd=project).stdout) == []


def test_gc_removes_old_sessions_that_hold_nothing(paddock, project):
    paddock("exec", "--", "true", cwd=project)
    assert "1 session" in paddock("gc", "--days", "0", cwd=project).stderr
    assert "1 session" in paddock("gc", "--yes", "--days", "0", cwd=project).stdout


@pytest.mark.parametrize(
    ("signals", "code"), [([signal.SIGINT], 130), ([signal.SIGINT, signal.SIGINT], 130), ([signal.SIGTERM], 143)]
)
def test_a_signal_ends_the_run_in_order(paddock, project, script, variables, signals, code):
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "run", "--script", script(SLOW, SAY, SAY), "go"],
        cwd=project,
        env=dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert any("sleep 60" in line for line in process.stderr)
    time.sleep(0.5)
    began = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.02)
    out = process.communicate(timeout=60)[0]
    assert time.monotonic() - began < 10
    assert process.returncode == code
    assert "1 file pending" in last_line(out)
    again = paddock("run", "--continue", "--script", script(SLOW, SAY, SAY), "again", cwd=project)
    assert again.stdout.splitlines()[0] == "All done."


def test_an_image_nobody_has_is_exit_code_7(paddock, project):
    assert paddock("exec", "--image", "no-such/image:1", "--", "true", cwd=project).returncode == 7


def test_doctor_finds_the_engine_and_the_image(paddock):
    checks = {check["name"]: check["verdict"] for check in json.loads(paddock("doctor", "--json").stdout)}
    assert (checks["engine"], checks["image"], checks["model"]) == ("ok", "ok", "note")


def test_the_demo_ends_with_passing_tests_on_the_host(paddock):
    done = paddock("demo")
    assert (done.returncode, last_line(done.stdout)) == (0, "applied 1 file")
    assert "FAILED (failures=1)" in done.stdout
    assert "byte for byte what it was" in done.stdout
    assert "OK   (here on the host, after)" in done.stdout


def test_auto_leaves_what_runs_later_and_says_so(paddock, project):
    script = "echo all: > Makefile; echo two >> a.txt; mkdir .claude; echo {} > .claude/settings.json"
    done = paddock("exec", "--apply", "auto", "--", "sh", "-c", script, cwd=project)
    assert done.returncode == 0
    assert "left for you: .claude/settings.json (agent configuration: " in done.stderr
    assert "Makefile (runs later: a build runs it)" in done.stderr
    assert last_line(done.stderr).startswith(
        "applied 1 file · 2 files pending (1 agent configuration, 1 runs later): paddock review"
    )
    assert ((project / "a.txt").read_text(), (project / "Makefile").exists()) == ("one\ntwo\n", False)


def test_a_mass_deletion_passes_a_run_only_with_its_number(paddock, project):
    for number in range(60):
        (project / f"{number}.txt").write_text("x")
    (project / "keep").mkdir()
    arguments = ("exec", "--apply", "auto", "--deletions", "61", "--", "sh", "-c", "rm *.txt; touch keep/a")
    done = paddock(*arguments, cwd=project)
    assert (done.returncode, last_line(done.stderr)) == (0, "applied 62 files")
    assert sorted(os.listdir(project)) == [".gitignore", "keep"]
