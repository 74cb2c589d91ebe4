"""What a change would do beyond its own bytes: known by names and facts, however they are spelled."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.changes import Change, Directory, File, Link
from sandbox.gate.effects import (
    Effect,
    Host,
    effects,
    mass_deletion,
    remarks,
    warnings,
)

OLD = File("0" * 64, 1)
NEW = File("1" * 64, 1)


def words(text):
    return text.split()


RUNS_LATER = words(
    """
.gitmodules .gitattributes .githooks/pre-commit .husky/x .pre-commit-config.yaml lefthook.yml .vscode/tasks.json
.vscode/launch.json .vscode/settings.json .vscode/extensions.json a.code-workspace .idea/x .fleet/run.json
.devcontainer/devcontainer.json .envrc .env .env.local .tool-versions mise.toml .mise/tasks/x .nvmrc Makefile
GNUmakefile justfile Taskfile.yml Taskfile.yaml CMakeLists.txt rules.mk build.rs build.gradle build.gradle.kts
settings.gradle gradlew gradlew.bat mvnw .mvn/wrapper/x pom.xml package.json .npmrc .yarnrc .yarnrc.yml .pnpmfile.cjs
.yarn/releases/x.cjs webpack.config.js vite.config.ts a.config.cjs a.config.mjs .eslintrc.json .babelrc .babelrc.json
conftest.py pytest.ini tox.ini noxfile.py setup.py setup.cfg pyproject.toml sitecustomize.py usercustomize.py x.pth
pyvenv.cfg .venv/bin/python bin/python3 bin/activate .pythonrc.py .pdbrc ipython_config.py .cargo/config.toml
rust-toolchain.toml Gemfile Rakefile .irbrc .gdbinit .lldbinit .vimrc .exrc .nvim.lua .dir-locals.el .editorconfig
.ripgreprc .bashrc .bash_profile .profile .zshrc .zshenv .zprofile .inputrc .gitconfig .ssh/config Dockerfile
Dockerfile.dev compose.yaml compose.override.yml .github/workflows/ci.yml .gitlab-ci.yml Jenkinsfile
.circleci/config.yml .config/git/config .bazelrc .devcontainer.json pyrightconfig.json bunfig.toml .pnp.cjs
gradle/wrapper/gradle-wrapper.properties node_modules/.bin/tsc .venv/lib/python3.11/site-packages/x.py
"""
)
AGENT_CONFIG = words(
    """
.claude/settings.json .claude/agents/x.md CLAUDE.md CLAUDE.local.md AGENTS.md GEMINI.md .mcp.json .claude.json
.cursor/mcp.json .cursorrules .codex/config.toml .agents/x .gemini/settings.json .windsurfrules .aider.conf.yml
.github/copilot-instructions.md .paddock/settings.json
"""
)
SECRETS = words(
    """
.env .env.production server.pem tls.key store.p12 id_rsa id_ed25519 id_ed25519.pub credentials credentials.json .npmrc
.netrc .pypirc .git-credentials .ssh/id_work .aws/credentials .kube/config .docker/config.json secrets.yaml
"""
)
ORDINARY = words(
    """
src/app.py README.md makefile.txt docs/env.md .github/ISSUE_TEMPLATE/bug.md src/config.py src/identity.py bin/run.py
docs/python.md .gitignore LICENSE vscode/tasks.json a.lock my.package.json.txt keys.py
"""
)


def kinds(change, **more):
    return [mark.effect for mark in effects(change, **more)]


def added(path):
    return Change(path if isinstance(path, bytes) else path.encode(), None, NEW)


def reading(text):
    return lambda file, limit: (text if file == NEW else b"")[:limit]


@pytest.mark.parametrize("prefix", ["", "deep/er/"])
@pytest.mark.parametrize(
    ("path", "effect"),
    [(path, Effect.RUNS_LATER) for path in RUNS_LATER]
    + [(path, Effect.AGENT_CONFIG) for path in AGENT_CONFIG]
    + [(path, Effect.SECRETS) for path in SECRETS],
)
def test_the_whole_list_is_known_at_any_depth(path, effect, prefix):
    marks = {mark.effect: mark.reason for mark in effects(added(prefix + path))}
    assert effect in marks
    assert marks[effect]


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_files_have_no_effect_and_no_remark(path):
    assert warnings(added(path)) == ()


@pytest.mark.parametrize("path", [b"\xff\xfe", b"\xff/\n", b"a\\b", b"...", b" "])
def test_names_that_are_no_text_are_judged_too(path):
    assert kinds(added(path)) == []


def spelled(draw, name):
    """Another spelling of a name that some file system, or some eye, takes for the same."""
    wide = {letter: chr(ord(letter) + 0xFEE0) for letter in name if "!" <= letter <= "~" and letter not in "/\\:"}
    unseen = st.sampled_from(["", "", "", "\u200b", "\u200d", "\u00ad", "\ufeff", "\ufe0f", "\u2060"])
    letters = [
        draw(st.sampled_from([letter, letter.upper(), letter.lower(), wide.get(letter, letter)])) + draw(unseen)
        for letter in name
    ]
    tail = draw(st.sampled_from(["", ".", " ", ". ", "::$DATA"]))
    return unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), "".join(letters)) + tail


@st.composite
def spellings(draw):
    path = draw(st.sampled_from(RUNS_LATER + AGENT_CONFIG + SECRETS))
    return path, "/".join(spelled(draw, part) for part in path.split("/"))


@given(spellings())
def test_s20_s21_a_known_name_is_known_in_every_spelling(pair):
    path, other = pair
    assert kinds(added(path))[0] in kinds(added(other))


@pytest.mark.parametrize(
    "change",
    [
        Change(b"Makefile", None, NEW),
        Change(b"Makefile", OLD, NEW),
        Change(b"Makefile", OLD, None),
        Change(b"Makefile", OLD, Link(b"other")),
        Change(b".vscode", None, Directory()),
        Change(b".vscode", Link(b"x"), None),
        Change(b"a/link", None, Link(b"../Makefile")),
        Change(b"link", None, Link(b".vscode/tasks.json")),
    ],
)
def test_making_changing_deleting_and_linking_to_such_a_file_all_count(change):
    assert kinds(change) == [Effect.RUNS_LATER]


def test_p05_settings_of_an_agent_count_before_they_exist_and_through_a_link():
    for path in (".claude/settings.json", ".CLAUDE/settings.local.json", "sub/.claude/hooks/x.sh"):
        assert Effect.AGENT_CONFIG in kinds(added(path))
    assert kinds(Change(b"notes", None, Link(b".claude/settings.json"))) == [Effect.AGENT_CONFIG]


@pytest.mark.parametrize("name", [b".github", b"deep/.github", b"node_modules", b".GitHub"])
def test_p05_a_link_in_place_of_a_folder_that_holds_such_files_counts(name):
    assert Effect.RUNS_LATER in kinds(Change(name, None, Link(b"ci")))
    assert kinds(Change(name + b"x", None, Link(b"ci"))) == []


def test_s29_what_replaces_an_interpreter_or_its_start_counts():
    for path in (".venv/bin/python", ".venv/pyvenv.cfg", ".venv/lib/python3.11/x.pth", "node_modules/.bin/tsc"):
        assert Effect.RUNS_LATER in kinds(added(path))


def test_s30_a_new_program_counts_by_its_bit_its_first_bytes_or_its_name():
    program = File("1" * 64, 1, executable=True)
    assert kinds(Change(b"src/run", None, program)) == [Effect.NEW_EXECUTABLE]
    assert kinds(Change(b"src/run", OLD, program)) == [Effect.NEW_EXECUTABLE]
    assert kinds(added("src/run"), read=reading(b"#!/tmp/x\n")) == [Effect.NEW_EXECUTABLE]
    assert kinds(added("ls"), host=Host(commands={b"ls"})) == [Effect.NEW_EXECUTABLE]
    assert kinds(Change(b"git", None, Link(b"src/x")), host=Host(commands={b"git"})) == [Effect.NEW_EXECUTABLE]


def test_what_was_a_program_before_or_lies_deeper_is_no_new_one():
    program, other = File("1" * 64, 1, executable=True), File("2" * 64, 1, executable=True)
    assert kinds(Change(b"src/run", program, other)) == []
    assert kinds(Change(b"src/run", program, None)) == []
    assert kinds(Change(b"src/run", OLD, NEW), read=reading(b"#!/bin/sh\n")) == []
    assert kinds(added("src/ls"), host=Host(commands={b"ls"})) == []
    assert kinds(Change(b"ls", OLD, None), host=Host(commands={b"ls"})) == []


@pytest.mark.parametrize(
    "text",
    [
        b"-----BEGIN OPENSSH " + b"PRIVATE KEY-----\nb3Bl",
        b"-----BEGIN " + b"PRIVATE KEY-----",
        b"key = AKIA" + b"IOSFODNN7EXAMPLE",
        b"token: ghp_" + b"a" * 36,
        b"github_pat_" + b"1" * 40,
        b"glpat-" + b"x" * 20,
        b"xoxb-" + b"1234567890-abc",
        b"sk-ant-" + b"api03-" + b"x" * 40,
        b"AIza" + b"x" * 35,
        b"sk_live_" + b"1" * 24,
        b"//registry/:_authToken=npm_" + b"z" * 36,
        b"pypi-AgEIcHlwaS5vcmc" + b"x" * 60,
    ],
)
def test_a_key_in_an_added_line_is_a_secret_and_one_that_was_there_is_not(text):
    mark = effects(added("notes.txt"), reading(b"first\n" + text + b"\nlast\n"))[0]
    assert (mark.effect, "looks like" in mark.reason) == (Effect.SECRETS, True)
    moved = {OLD: b"a\n" + text + b"\n", NEW: text + b"\nb\n"}
    assert effects(Change(b"notes.txt", OLD, NEW), lambda file, limit: moved[file][:limit]) == ()


@pytest.mark.parametrize(
    "text",
    [b"the private key", b"AKIA", b"sk-learn is a library for everyone who likes it", b"ghp_short", b"npm_config_x"],
)
def test_text_about_keys_is_no_secret(text):
    assert effects(added("notes.txt"), reading(text)) == ()


def test_a_deletion_of_what_git_does_not_have_needs_its_own_yes():
    host = Host(tracked={b"tracked"})
    assert kinds(Change(b"mine", OLD, None), host=host) == [Effect.NOT_IN_GIT]
    assert kinds(Change(b"tracked", OLD, None), host=host) == []
    assert kinds(Change(b"mine", OLD, NEW), host=host) == []
    assert kinds(Change(b"mine", OLD, None, ignored=True), host=host) == []
    assert kinds(Change(b"mine", OLD, None)) == []


def gone(number):
    return [Change(b"%d" % index, OLD, None) for index in range(number)]


@pytest.mark.parametrize(
    ("files", "tree", "is_mass"),
    [
        (0, 0, False),
        (10, 10, False),
        (11, 43, True),
        (11, 44, False),
        (11, 0, False),
        (50, 10_000, False),
        (51, 0, True),
    ],
)
def test_s34_many_deletions_are_one_thing_to_confirm(files, tree, is_mass):
    found = mass_deletion(gone(files), tree)
    assert (found is not None) == is_mass
    assert found is None or (found.files == files and f"{files}" in found.reason)


def test_s34_small_deletions_add_up_to_a_mass_deletion():
    assert mass_deletion(gone(10), already=41) is not None
    assert mass_deletion(gone(10), already=40) is None
    assert mass_deletion([], already=100) is None


def test_folders_and_edits_are_no_deletions():
    folders = [Change(b"%d" % index, Directory(), None) for index in range(200)]
    edits = [Change(b"%d" % index, OLD, NEW) for index in range(200)]
    assert mass_deletion(folders + edits, 10) is None


def test_remarks_come_from_the_change_itself():
    assert remarks(Change(b"a", OLD, None)) == ("deletes",)
    assert remarks(Change(b"a", None, Link(b"b"))) == ("link",)
    assert remarks(Change(b"a", OLD, Link(b"b"))) == ("link", "changes its type")
    assert remarks(Change(b"a", OLD, File("1" * 64, 2**21), moved=True)) == ("you changed this file too", "big")


def test_reasons_hold_nothing_of_the_change():
    evil = b"\x1b[2J/Makefile"
    marks = effects(Change(evil, None, Link(b"x\x1b/.claude/x")))
    assert len(marks) == 2
    assert all(mark.reason.isprintable() for mark in marks)


def test_a12_1_emptied_and_replaced_files_count_as_deleted():
    emptied = [Change(b"%d" % number, OLD, File("2" * 64, 0)) for number in range(30)]
    replaced = [Change(b"l%d" % number, OLD, Link(b"x")) for number in range(30)]
    found = mass_deletion([*emptied, *replaced])
    assert found is not None
    assert found.reason == "deletes or empties 60 files, more than 50"
    assert mass_deletion([Change(b"%d" % number, File("2" * 64, 0), NEW) for number in range(60)]) is None
    host = Host(tracked=frozenset())
    assert kinds(emptied[0], host=host) == [Effect.NOT_IN_GIT]
    assert kinds(Change(b"a", File("2" * 64, 0), File("3" * 64, 0)), host=host) == []
