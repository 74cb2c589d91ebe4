"""Group IV of the attack list, end to end: whatever a command of ours prints about a hostile change is the truth.

What the commands print goes through a terminal here. The parts by themselves are tested where they are: escaping in
`tests/sandbox/test_escape.py`, the patch in `tests/sandbox/gate/test_diff.py`, rows in `tests/cli/test_diffs.py`.
"""

import json
import subprocess

import pyte
import pytest

from tests.cli.conftest import COMMAND

pytestmark = pytest.mark.engine

BREAKOUTS = [
    b"\x1b[1A\x1b[2Kevil()",
    b"\x1b[8mhidden",
    b"\xc2\x9b31mred",
    b"\x1bP$q\x1b\\",
    b"\x1b]52;c;ZXZpbA==\x07",
    b"\x1b]8;;http://x\x07link",
    b"\x1b]0;title\x07",
    b"\x1b[6n",
    b"\x1b[?1049h",
    b"\rhidden",
    b"\x08\x08\x08",
    b"\xe2\x80\xae reversed",
    b"\xe2\x80\x8bzero",
    b"\xf3\xa0\x81\x81tag",
    b"[link=file:///etc]x[reset] {0} %s <script>",
]
WRITER = """
import os
for number, text in enumerate({breakouts!r}):
    name = b"n%02d-" % number + text.replace(b"/", b"|")
    open(name, "wb").write(b"start\\n" + text + b"\\n" + b"--- a/x\\n+++ b/x\\n@@ -1 +1 @@\\ndiff --git a/x b/x\\n")
os.symlink(os.fsencode("n00") + {breakouts!r}[0], b"link")
os.mkfifo(b"fifo-" + {breakouts!r}[0])
open("evil.py", "w").write("def sc\\u043epe(): ...\\n")
open(".gitattributes", "w").write("* -diff linguist-generated diff=evil filter=evil\\n")
open("shown.py", "w").write("shown_in_full()\\n")
open("nul.py", "wb").write(b"import os\\n\\0evil()\\n")
open("wide.txt", "wb").write("import os".encode("utf-16"))
open("reserved.log", "wb").write({breakouts!r}[0])
"""
COMMANDS = [
    ["status"],
    ["diff", "--color"],
    ["diff", "--why"],
    ["diff", "--stat"],
    ["diff", "--name-status"],
    ["diff", "--json"],
    ["status", "--json"],
    ["apply"],
    ["discard"],
    ["sessions", "list"],
    ["sessions", "show"],
]


@pytest.fixture
def hostile(paddock, project):
    """A checkout with a change set of everything that ever fooled a reviewer; its session's title does it, too."""
    title = "\x1b]0;owned\x07\x1b[2J\u202e"
    program = WRITER.format(breakouts=BREAKOUTS) + f"# {title}"
    done = paddock("exec", "--", "python3", "-c", program, cwd=project)
    assert done.returncode == 0, done.stderr
    return project


def test_v03_v04_v06_v15_no_command_hands_a_byte_of_theirs_to_the_terminal(terminal, paddock, hostile):
    session = json.loads(paddock("status", "--json", cwd=hostile).stdout)["session"]
    for command in COMMANDS:
        words = [*command, session] if command[:2] == ["sessions", "show"] else command
        seen = terminal(*words, cwd=hostile, FORCE_COLOR="1")
        if command[0] in ("apply", "discard"):
            seen.wait_for("[y]es")
            seen.send("\x03")
        seen.end()
        ours = pyte.Screen(80, 40)
        raw = strip_ours(seen.raw)
        assert [letter for letter in raw if not letter.isprintable() and letter not in "\r\n\t"] == [], words
        pyte.ByteStream(ours).feed(seen.raw)
        assert (ours.title, ours.icon_name) == ("", ""), words


def strip_ours(raw):
    """What a terminal got, without the colours, the line erased and the bracketed pastes that are our own."""
    text = raw.decode()
    for code in ("\x1b[2K", "\x1b[?2004h", "\x1b[?2004l", *(f"\x1b[{n}m" for n in range(50))):
        text = text.replace(code, "")
    return text


def test_v07_v10_v12_nothing_is_hidden_from_the_reader(paddock, hostile):
    shown = paddock("diff", "--color", cwd=hostile, NO_COLOR="1").stdout
    assert "holds letters that look like Latin ones and are not: sc\\u043epe" in shown
    assert "+shown_in_full()" in shown, "attributes that hide a file are not obeyed"
    assert "+\\x00evil()" in shown, "one NUL does not make a source unreadable"
    assert "after: binary, 20 bytes" in shown


def test_v09_the_patch_has_no_header_but_ours(variables, hostile):
    patch, rows = (
        subprocess.run([*COMMAND, "diff", form], cwd=hostile, env=variables, capture_output=True, check=True).stdout
        for form in ("--patch", "--json")
    )
    counted = subprocess.run(
        ["git", "apply", "--numstat", "-z", "-"], cwd=hostile, input=patch, capture_output=True, check=True
    )
    names = [row.split(b"\t", 2)[-1] for row in counted.stdout.split(b"\0")[:-1]]
    assert sorted(names) == sorted(row["path"].encode() for row in json.loads(rows)["changes"])


def test_v16_v17_only_the_real_prompt_takes_an_answer(terminal, project):
    """A command prints a copy of our question; what is typed before the real one appears, or pasted, is no answer."""
    seen = terminal("exec", "--", "sh", "-c", "touch b; echo '1 file pending: [a]pply [n]o'; sleep 1", cwd=project)
    seen.wait_for("[a]pply [n]o")
    seen.send("a\ry\r")
    seen.wait_for("[l]ater")
    seen.send("\x1b[200~a\ry\r\x1b[201~\r")
    assert seen.end() == 0
    assert seen.screen.splitlines()[-1].startswith("1 file pending")
    assert not (project / "b").exists()
