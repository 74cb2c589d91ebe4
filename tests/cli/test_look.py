"""`paddock status` and `paddock diff` against a real engine: every form, for people and for programs."""

import json
import os
import shutil
import subprocess

import pytest

from tests.cli.conftest import COMMAND

pytestmark = pytest.mark.engine

CHANGES = r"""
sed -i 's/^5$/five/; s/^30$/thirty/' numbers.txt
mv moved.txt away.txt; rm gone.txt; printf '\0\1' > binary; chmod +x run; mkdir empty; ln -s a.txt link
mkdir -p .github/workflows; echo 'on: push' > .github/workflows/x.yml
printf 'no end' > "$(printf 'n\303\244me\n\033[2J')"; printf x > "$(printf '\377')"; printf 'end\n' > unended
rm -r kind; ln -s a.txt kind; rm file; mkdir file; echo in > file/in; echo x > x.log; mkfifo pipe
"""


@pytest.fixture
def numbers(project):
    """A checkout with a bit of everything in it."""
    (project / "numbers.txt").write_text("".join(f"{number}\n" for number in range(1, 41)))
    (project / "moved.txt").write_text("it stays the same\n")
    (project / "gone.txt").write_text("gone\n")
    (project / "binary").write_bytes(b"\0" * 50)
    (project / "run").write_text("#!/bin/sh\n")
    (project / "unended").write_text("end")
    (project / "kind").mkdir()
    (project / "kind" / "below").write_text("below\n")
    (project / "file").write_text("file\n")
    return project


@pytest.fixture
def output(variables):
    """Runs `paddock` and gives what it printed, byte for byte."""

    def run(project, *arguments):
        done = subprocess.run([*COMMAND, *arguments], cwd=project, env=variables, capture_output=True, check=True)
        return done.stdout

    return run


@pytest.fixture
def changed(paddock, numbers):
    """The same checkout after a command in the sandbox; nothing of it is applied."""
    done = paddock("exec", "--", "bash", "-c", CHANGES, cwd=numbers)
    assert done.returncode == 0, done.stderr
    return numbers


def test_every_form_tells_of_the_same_changes_and_the_patch_makes_them(output, changed, tmp_path):
    found = json.loads(output(changed, "diff", "--json"))
    by_path = {row["path"]: row for row in found["changes"]}
    raw = output(changed, "diff", "--name-status", "-z").split(b"\0")[:-1]
    quoted = output(changed, "diff", "--name-status").splitlines()
    assert len(raw) == 2 * len(quoted) == 2 * len(by_path)
    assert {name.rstrip(b"/") for name in raw[1::2]} == {
        bytes.fromhex(row["path_hex"]) if "path_hex" in row else path.encode() for path, row in by_path.items()
    }
    assert {b'A\t"n\\303\\244me\\n\\033[2J"', b'A\t"\\377"', b"D\tgone.txt", b"A\tempty/"} <= set(quoted)
    assert len(output(changed, "diff", "--stat").splitlines()) == len(by_path)  # one rename, one row of sums

    patched = tmp_path / "patched"
    shutil.copytree(changed, patched, symlinks=True)
    subprocess.run(["git", "apply", "-"], input=output(changed, "diff", "--patch"), cwd=patched, check=True)
    (patched / "empty").mkdir()
    (patched / "x.log").write_text("x\n")  # naming the whole folder asks for ignored files too
    output(changed, "apply", "--yes", ".")
    output(changed, "apply", "--yes", ".github/workflows/x.yml", "link", "run")  # each needs a yes of its own
    assert tree(patched) == tree(changed)


def test_json_and_why_say_all_that_a_program_and_a_person_need(output, changed):
    found = json.loads(output(changed, "diff", "--json"))
    by_path = {row["path"]: row for row in found["changes"]}
    assert (len(found["change_set"]), found["checkout"]) == (64, str(changed))
    assert by_path["numbers.txt"]["hunks"] == [
        {"number": 1, "old": [2, 7], "new": [2, 7], "causes": ["exec"]},
        {"number": 2, "old": [27, 7], "new": [27, 7], "causes": ["exec"]},
    ]
    assert by_path["away.txt"]["renamed_from"] == {"path": "moved.txt", "similarity": 100}
    assert by_path["moved.txt"]["renamed_to"] == {"path": "away.txt", "similarity": 100}
    assert (by_path["binary"]["added"], by_path["binary"]["after"]["size"]) == (None, 2)
    assert (by_path["run"]["before"]["mode"], by_path["run"]["after"]["mode"]) == ("644", "755")
    assert by_path["link"]["after"] == {"type": "link", "target": "a.txt"}
    assert by_path["empty"]["after"] == {"type": "folder"}
    workflow = by_path[".github/workflows/x.yml"]
    assert [one["effect"] for one in workflow["effects"]] == ["runs later"]
    assert (workflow["verdict"]["decision"], workflow["verdict"]["ordinary"]) == ("ask", False)
    assert ([row["path"] for row in found["ignored"]], [row["path"] for row in found["refused"]]) == (
        ["x.log"],
        ["pipe"],
    )
    shown = output(changed, "diff", "--why", "numbers.txt").decode().splitlines()
    assert shown[0] == "── numbers.txt  (modified, +2 -2)"
    assert shown[1].startswith("   ↳ exec bash -c")
    assert shown[2] == "   hunk 1 of 2  @@ -2,7 +2,7 @@"
    assert b"\x1b[32m+five\x1b[0m" in output(changed, "diff", "--color", "numbers.txt")


def test_two_forms_at_once_are_a_slip(paddock):
    for options, said in ((["--stat", "--json"], "choose one"), (["-z"], "goes with --name-status")):
        done = paddock("diff", *options)
        assert (done.returncode, said in done.stderr) == (2, True)


def test_raw_bytes_never_go_to_a_terminal(terminal):
    for options in (["--patch"], ["--name-status", "-z"]):
        screen = terminal("diff", *options)
        assert screen.end() == 2
        assert "no terminal should get" in screen.screen.replace("\n", " ")


SUMMARY = '{text: "I changed only docs.\\n1 file pending: paddock review 00000000\\e[2J"}'
WORKFLOW = '{tools: [{Write: {file_path: "{{cwd}}/.github/workflows/x.yml", content: "on: push\\n"}}]}'


def test_v14_the_models_summary_is_marked_and_the_badges_are_ours(paddock, project, script):
    """The model says "only docs"; what it changed is judged by its name and its content, and its words are fenced."""
    (project / "b.txt").write_text("b\n")
    turns = script(WORKFLOW, SUMMARY)
    paddock("run", "--script", turns, "go", cwd=project)
    rows = paddock("status", cwd=project).stdout.splitlines()
    assert rows[1].startswith("need your word:")
    assert rows[2].split() == ["A", ".github/workflows/x.yml", "+1", *rows[2].split()[3:]]
    assert "runs later: a CI service runs it" in rows[2]
    fence = rows.index("the model says, in its own words (nothing here was checked):")
    assert rows[fence + 1 : -1] == ["  │ I changed only docs.", "  │ 1 file pending: paddock review 00000000\\x1b[2J"]
    assert rows[-1].startswith("1 file pending (1 runs later)")
    assert json.loads(paddock("status", "--json", cwd=project).stdout)["model_says"].endswith("\x1b[2J")


def test_status_groups_by_what_the_rules_say(paddock, project, variables):
    settings = f"{variables['HOME']}/.config/paddock"
    os.makedirs(settings)
    with open(f"{settings}/settings.json", "w") as file:
        json.dump({"permissions": {"deny": ["Edit(secret/**)"], "ask": ["Edit(*.lock)"]}}, file)
    (project / "mine.txt").write_text("base\n")
    paddock("exec", "--", "sh", "-c", "mkdir secret; touch secret/a b.lock c.txt; echo theirs > mine.txt", cwd=project)
    (project / "mine.txt").write_text("mine\n")
    rows = paddock("status", cwd=project).stdout.splitlines()
    titles = [row for row in rows if row.endswith(":")]
    assert [title.split()[0] for title in titles] == ["you", "denied", "need", "ordinary:"]
    names = [row.split()[1] for row in rows if row.startswith("  ")]
    assert names == ["mine.txt", "secret/a", "b.lock", "c.txt"]
    assert "denied by Edit(secret/**)" in next(row for row in rows if "secret/a" in row)


def tree(top):
    """Every path of a tree with its kind, exec bit and content."""
    found = {}
    for path in sorted(top.rglob("*"), key=os.fsencode):
        kind = "l" if path.is_symlink() else "d" if path.is_dir() else "f"
        content = os.readlink(path) if kind == "l" else path.read_bytes() if kind == "f" else ""
        found[os.fsencode(path.relative_to(top))] = (kind, kind == "f" and os.access(path, os.X_OK), content)
    return found
