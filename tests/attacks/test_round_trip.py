"""S-41 and A26: whatever was done in the sandbox, approving all of it makes the checkout the sandbox's own view.

Byte for byte, but for what was refused; and refused is what is unsafe, and nothing else.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sandbox.base import Command
from sandbox.changes import ChangeSet
from sandbox.gate.apply import Applied
from tests.attacks import mutating
from tests.attacks.scene import Scene, listed, refused, unchanged

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

View = Mapping[bytes, str]


async def inside(scene: Scene, program: str, *argv: str) -> bytes:
    command = Command(["python3", "-c", program, *argv], scene.project.sandbox.root, keep=1 << 28, timeout=100)
    result = await scene.project.sandbox.run(command)
    assert result.exit_code == 0, result.stderr.all[-2000:]
    assert result.stdout.omitted == 0
    return result.stdout.all


def outside(scene: Scene) -> bytes:
    done = subprocess.run([sys.executable, "-c", mutating.VIEW], cwd=scene.checkout, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def view(listing: bytes) -> View:
    rows = (line.split(b" ", 1) for line in listing.splitlines())
    return {bytes.fromhex(path.decode()): what.decode() for path, what in rows}


def above(path: bytes) -> Iterator[bytes]:
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def is_gits(path: bytes) -> bool:
    return any(part in mutating.GIT for part in path.split(b"/"))


def leaves(path: bytes, target: bytes) -> bool:
    """Whether a link must stay, said once more in other words than the gate's."""
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    ups = 0
    while parts[ups : ups + 1] == [b".."]:
        ups += 1
    return target.startswith(b"/") or b".." in parts[ups:] or ups > path.count(b"/") or is_gits(b"/".join(parts))


def is_unsafe(path: bytes, before: str | None, now: str | None) -> bool:
    """Whether what the sandbox made of a path must not leave it."""
    if now == before:
        return False
    if is_gits(path):
        return True
    if now is None:
        return before == "special"
    kind, _, rest = now.partition(":")
    match kind:
        case "special":
            return True
        case "link":
            return leaves(path, bytes.fromhex(rest))
        case "file":
            return rest.split(":")[1] != "0" or before == "special"
        case _:
            return False


def judge(changes: ChangeSet, before: View, now: View, after: View) -> list[str]:
    """What is wrong with a freeze and an apply of everything, in words; nothing, if all is well."""
    stay, done = set(refused(changes)), {change.path for change in changes.changes}
    wrong = []
    for path in sorted({*before, *now, *after}):
        covered = not stay.isdisjoint(above(path))
        if is_unsafe(path, before.get(path), now.get(path)) and not covered:
            wrong.append(f"{path!r} is unsafe, and not refused: {now.get(path)}")
        expected = before.get(path) if covered and path not in done else now.get(path)
        if expected is None and before.get(path) == "folder":
            leads_to = any(one.startswith(path + b"/") for one in stay if one in before)
            expected = "folder" if leads_to else None
        if after.get(path) != expected:
            wrong.append(f"{path!r} is {after.get(path)}, and should be {expected}")
    for path in stay:
        kept_below = before.get(path) == "folder" and any(one.startswith(path + b"/") for one in stay)
        if not is_unsafe(path, before.get(path), now.get(path)) and not is_gits(path) and not kept_below:
            wrong.append(f"{path!r} is refused, and is not unsafe: {refused(changes)[path]}")
    return wrong


@pytest.fixture
def worlds(request: pytest.FixtureRequest, checkout: Path, host: Path) -> list[str]:
    """As many small trees in the checkout as the test asks for, by their folders' names."""
    seed, count = request.param
    names = [f"w{number}" for number in range(count)]
    for name in names:
        (checkout / name).mkdir()
        mutating.lay_out(os.fsencode(checkout / name), f"{seed}{name}")
    return names


async def round_trip(scene: Scene, worlds: list[str], seed: str) -> None:
    """Change all worlds, take everything over, and hold the two sides against each other."""
    before = view(outside(scene))
    await inside(scene, mutating.MUTATE, seed, *worlds)
    now = view(await inside(scene, mutating.VIEW))
    changes = await scene.project.freeze()
    assert {change.kind for change in changes.changes} == {"added", "modified", "deleted", "mode", "type"}
    assert len({reason.partition(":")[0] for reason in refused(changes).values()}) > 6  # something of everything
    outcome = await scene.project.apply(changes, only=changes.changes)
    assert isinstance(outcome, Applied), outcome
    assert outcome.kept == ()
    assert judge(changes, before, now, view(outside(scene))) == []
    again = await scene.project.freeze()
    assert again.changes == ()
    assert again.refused == changes.refused


@pytest.mark.parametrize("worlds", [("one", 200)], indirect=True)
@pytest.mark.parametrize("base", ["live", "frozen"])
async def test_s41_what_is_approved_makes_the_checkout_the_sandboxs_view(worlds: list[str], scene: Scene) -> None:
    await round_trip(scene, worlds, "fast")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("worlds", [(f"seed {number}", 1000) for number in range(5)], indirect=True)
async def test_s41_for_thousands_of_sequences(worlds: list[str], scene: Scene, request) -> None:
    await round_trip(scene, worlds, request.node.name)


@pytest.fixture
def odd(checkout: Path, host: Path) -> Path:
    """The checkout with one of everything."""
    mutating.nasty(os.fsencode(checkout))
    return checkout


@pytest.mark.parametrize("base", ["live", "frozen"])
async def test_a26_1_to_touch_everything_proposes_nothing_and_writes_nothing(odd: Path, scene: Scene) -> None:
    with unchanged(odd):
        changes = await scene.after(r"""
find . -type f -exec touch -d 2001-02-03 {} + -exec chmod u+rw {} +
find . -type f -print0 | while IFS= read -r -d '' f; do : >> "$f"; mv -- "$f" ./aside; mv ./aside "$f"; done
find . -type l -print0 | while IFS= read -r -d '' f; do mv -- "$f" ./aside; mv ./aside "$f"; done
find . -type d -not -path '*.git*' -exec chmod u+rwx {} + -exec mkdir {}/new \; -exec rmdir {}/new \;
""")
        assert (changes.changes, changes.refused) == ((), ())
        assert isinstance(await scene.apply_all(changes), Applied)
        outcome = await scene.after("cp -a folder copy && rm -r folder && mv copy folder")
        assert (outcome.changes, outcome.refused) == ((), ())


MUTATIONS = {
    "chmod +x private": {("mode", b"private")},
    "chmod 644 private; chmod 755 empty": set(),
    "ln -sfn b to-file": {("modified", b"to-file")},
    "rm dangling": {("deleted", b"dangling")},
    "rm a; mkdir a": {("type", b"a")},
    "rm a; ln -s b a": {("type", b"a")},
    "rmdir empty; echo x > empty": {("type", b"empty")},
    "rm to-folder; mkdir to-folder": {("type", b"to-folder")},
    "mv a moved": {("deleted", b"a"), ("added", b"moved")},
    "mv Makefile makefile": {("deleted", b"Makefile"), ("added", b"makefile")},
    ": > private": {("modified", b"private")},
    "echo x >> $'new\\nline'": {("modified", b"new\nline")},
    "echo x >> $'caf\\xc3\\xa9'": {("modified", b"caf\xc3\xa9")},
    "echo x >> $'\\xff\\xfe'": {("modified", b"\xff\xfe")},
    "mkdir hollow": {("added", b"hollow")},
    "rmdir empty": {("deleted", b"empty")},
    "chmod 700 closed; touch closed/x; chmod 555 closed": {("added", b"closed/x")},
    "echo x >> folder/twin": {("modified", b"folder/twin")},
    "rm -r folder": {("deleted", b"folder" + rest) for rest in (b"", b"/twin", b"/deep", b"/deep/file")},
}


@pytest.fixture
def one_each(checkout: Path, host: Path) -> list[str]:
    """As many copies of that in the checkout as there are mutations."""
    for number in range(len(MUTATIONS)):
        (checkout / f"m{number}").mkdir()
        mutating.nasty(os.fsencode(checkout / f"m{number}"))
    return [f"m{number}" for number in range(len(MUTATIONS))]


@pytest.mark.parametrize("base", ["live", "frozen"])
async def test_a26_2_one_mutation_proposes_exactly_that(one_each: list[str], scene: Scene) -> None:
    changes = await scene.after(
        "".join(f"(cd {folder}; {script})\n" for folder, script in zip(one_each, MUTATIONS, strict=True))
    )
    expected = {
        (kind, os.fsencode(folder) + b"/" + path)
        for folder, mutated in zip(one_each, MUTATIONS.values(), strict=True)
        for kind, path in mutated
    }
    assert listed(changes) == expected
    assert changes.refused == ()
    assert isinstance(await scene.apply_all(changes), Applied)
    assert (await scene.project.freeze()).changes == ()
