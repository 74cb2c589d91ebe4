"""I-19, I-20, A7.1, A15.1, A46.1: what holds secrets in the checkout is not there inside, by whatever program."""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from images.image import Image
from runtime.project import Project
from sandbox.base import Command
from sandbox.changes import File
from sandbox.choice import Choice
from sandbox.engine import Engine
from sandbox.gate.apply import Applied, Conflicts
from sandbox.hiding.hidden import hidden_of
from sandbox.opening import opened, prepare
from sandbox.sessions import Session, Sessions
from tests.attacks import mutating
from tests.attacks.scene import CANARY, Scene, listed, refused, unchanged

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

MARK = CANARY.decode()
SECRETS = {
    ".env": f"TOKEN={MARK}\n",
    "web/.env.production": f"TOKEN={MARK}\n",
    "web/.npmrc": f"//registry.example.org/:_authToken={MARK}\n",
    "certs/server.key": f"-----BEGIN PRIVATE KEY-----\n{MARK}\n",
    "certs/old.pem.bak": f"-----BEGIN PRIVATE KEY-----\n{MARK}\n",
    ".ssh/id_rsa": MARK,
    ".aws/credentials": MARK,
    ".docker/config.json": json.dumps({"auths": {"r": {"auth": MARK}}}),
    ".netrc": f"machine h login u password {MARK}\n",
    "infra/terraform.tfstate": MARK,
    "infra/prod.tfvars": f'db_password = "{MARK}"\n',
}
HARMLESS = {
    ".env.example": "TOKEN=\n",
    "web/.env.sample": "TOKEN=\n",
    "certs/ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "certs/id_rsa.pub": "ssh-rsa AAAA\n",
    ".npmrc": "save-exact=true\n",
    "web/app.js": "let x\n",
}


@pytest.fixture
def checkout(checkout: Path) -> Path:
    """A repository with secrets: in files of many names, and in git's own settings."""
    for name, text in {**SECRETS, **HARMLESS}.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    for argv in (
        ["init", "-q", "-b", "main"],
        ["remote", "add", "origin", f"https://user:{MARK}@example.org/r.git"],
        ["config", "http.https://example.org/.extraheader", f"AUTHORIZATION: basic {MARK}"],
        ["config", "credential.helper", f"!f() {{ echo password={MARK}; }}; f"],
        ["config", f"url.https://{MARK}@example.org/.insteadOf", "git@example.org:"],
        ["add", "hello.txt", *HARMLESS],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "begin"],
    ):
        subprocess.run(["git", *argv], cwd=checkout, check=True)
    return checkout


@pytest.fixture(params=["live", "frozen"])
def new_session(request: pytest.FixtureRequest, state: Path, checkout: Path, image: Image) -> Callable[[], Session]:
    """Makes a session on the checkout itself, and on a copy of it: hiding is the same."""
    choice = Choice(base=request.param)
    return lambda: prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)


@pytest.fixture
async def scene(session: Session, engine: Engine, checkout: Path, host: Path) -> AsyncIterator[Scene]:
    """A sandbox on it, with secrets in the environment and the home folder as well."""
    for name in (".aws/credentials", ".docker/config.json", ".netrc", ".git-credentials"):
        (host / name).parent.mkdir(exist_ok=True)
        (host / name).write_bytes(CANARY)
    with unchanged(host):
        async with opened(session, engine) as sandbox:
            yield Scene(Project(checkout, session, sandbox), host)


async def test_i19_nothing_inside_holds_a_secret_of_the_host(
    scene: Scene, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOO_TOKEN", MARK)
    looking = "grep -rsl --exclude-dir=proc --exclude-dir=sys CANARY-0b91 / ; cat /proc/*/environ | grep -c CANARY; env"
    found = (await scene.bash(f"{looking}; true")).stdout.all
    assert not [line for line in found.splitlines() if line.startswith(b"/")]
    assert CANARY not in found
    (container,) = [one for one in engine.containers() if one.owner.session == scene.project.session.id]
    assert MARK not in json.dumps(engine.inspect(container.id))


async def test_i20_git_has_no_password_and_works(scene: Scene) -> None:
    asked = "git remote -v; git config -l; cat .git/config; git config --list --show-origin"
    told = (await scene.bash(f"{asked}; git status --short; git log --oneline")).stdout.all
    assert CANARY not in told
    assert b"https://example.org/r.git" in told
    assert b"begin" in told
    assert (await scene.project.freeze()).changes == ()


READERS = {
    "cat": "cat {} || true",
    "python": "python3 -c 'print(open(\"{}\").read())' || true",
    "tar": "tar -cf - . | tar -xO --wildcards '*' 2>/dev/null || true",
    "cp": "cp {} /tmp/copy; cat /tmp/copy || true",
    "ls": "ls -la $(dirname {}) || true",
    "link": "ln -s $PWD/{} /tmp/link; cat /tmp/link || true",
    "hard link": "ln {} /tmp/hard; cat /tmp/hard || true",
    "move": "mv {} moved; cat moved || true",
    "chmod": "chmod 644 {}; chmod -R u+rwX .; cat {} || true",
    "git": "git add -Af . && git show :{} || true",
}


async def test_a7_1_no_program_reads_a_hidden_file(scene: Scene) -> None:
    for reader, command in READERS.items():
        for name in SECRETS:
            told = await scene.bash(command.format(*[name] * command.count("{}")))
            assert CANARY not in told.stdout.all + told.stderr.all, (reader, name)


async def test_a46_1_a_hidden_file_is_not_listed_and_what_is_like_it_is(scene: Scene) -> None:
    listing = (
        await scene.bash("find / -xdev -path /proc -prune -o -type f -print; find . -type f")
    ).stdout.all.decode()
    for name in SECRETS:
        assert f"/{name}\n" not in listing
    for name, text in HARMLESS.items():
        assert f"./{name}\n" in listing
        assert await scene.project.read(name) == text.encode()
    account = {secret.path for secret in hidden_of(scene.project.session).secrets}
    assert account == {name.encode() for name in SECRETS if not name.startswith(".ssh")} | {b".ssh"}


async def test_what_is_included_is_there(
    new_session: Callable[[], Session], engine: Engine, checkout: Path, host: Path
) -> None:
    session = new_session()
    meta = session.meta()
    session.save(meta.model_copy(update={"choice": meta.choice.model_copy(update={"include": ("/.env", "certs/")})}))
    async with opened(session, engine) as sandbox:
        scene = Scene(Project(checkout, session, sandbox), host)
        assert CANARY in (await scene.bash("cat .env")).stdout.all
        assert CANARY in (await scene.bash("cat certs/server.key")).stdout.all
        assert (await scene.bash("ls -a web")).stdout.all.split() == [b".", b"..", b".env.sample", b"app.js"]
        changes = await scene.after("echo more >> .env; rm certs/server.key")
        assert {(change.path, change.moved) for change in changes.changes} == {
            (b".env", False),
            (b"certs/server.key", False),
        }


async def test_whatever_is_done_inside_hidden_files_are_as_they_were(scene: Scene) -> None:
    changes = await scene.after("rm -rf web certs .ssh .docker; mkdir certs; echo x > web; mv infra moved")
    assert isinstance(await scene.project.apply(changes, only=changes.changes), Applied)
    for name, text in SECRETS.items():
        assert (scene.checkout / name).read_text() == text
    assert not (scene.checkout / "web/app.js").exists()
    assert set(refused(await scene.project.freeze())) >= {b"web", b"certs/server.key", b"infra/terraform.tfstate"}
    changes = await scene.after("find . -mindepth 1 -delete || true")
    assert isinstance(await scene.project.apply(changes, only=changes.changes), Applied)
    for name, text in SECRETS.items():
        assert (scene.checkout / name).read_text() == text
    assert not (scene.checkout / "hello.txt").exists()


async def test_what_is_made_at_a_hidden_path_never_overwrites_the_users_own_silently(scene: Scene) -> None:
    changes = await scene.after("echo mine > .env; echo mine > .env.local; echo mine > web/.npmrc")
    assert {(change.path, change.moved) for change in changes.changes} == {
        (b".env", True),
        (b".env.local", False),
        (b"web/.npmrc", True),
    }
    assert isinstance(await scene.apply_all(changes), Conflicts)
    assert (scene.checkout / ".env").read_text() == SECRETS[".env"]
    outcome = await scene.project.apply(changes, only=changes.only([b".env.local"]))
    assert isinstance(outcome, Applied)
    assert {path for _, path in listed(await scene.project.freeze())} == {b".env", b"web/.npmrc"}


async def test_a_secret_that_comes_meanwhile_is_hidden_where_it_was_to_be_expected(scene: Scene) -> None:
    await scene.bash("true")  # it has started
    (scene.checkout / ".env.local").write_text(MARK)
    (scene.checkout / "web/.env").write_text(MARK)
    assert CANARY not in (await scene.bash("cat .env.local web/.env; ls -a . web; true")).stdout.all
    assert (await scene.project.freeze()).changes == ()


async def test_a_secret_that_came_between_two_starts_is_hidden_at_the_second(
    session: Session, engine: Engine, checkout: Path, host: Path
) -> None:
    async with opened(session, engine) as sandbox:
        await Scene(Project(checkout, session, sandbox), host).bash("echo x > web/new; rm certs/ca.pem")
    (checkout / "web/staging.env").write_text(MARK)
    (checkout / "web/.npmrc").unlink()
    async with opened(session, engine) as sandbox:
        scene = Scene(Project(checkout, session, sandbox), host)
        assert CANARY not in (await scene.bash("cat web/staging.env; grep -r CANARY-0 . ; true")).stdout.all
        changes = await scene.after("rm -rf web; mkdir web")
        assert b"web/staging.env" in refused(changes)
        assert listed(changes) == {
            ("deleted", b"certs/ca.pem"),
            ("deleted", b"web/.env.sample"),
            ("deleted", b"web/app.js"),
        }
        assert not isinstance(changes.changes[0].after, File)


async def test_git_inside_does_not_take_a_hidden_file_for_deleted(
    new_session: Callable[[], Session], engine: Engine, checkout: Path, host: Path
) -> None:
    subprocess.run(["git", "add", "-f", ".env", "certs/server.key"], cwd=checkout, check=True)
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "two"], cwd=checkout, check=True
    )
    session = new_session()
    async with opened(session, engine) as sandbox:
        scene = Scene(Project(checkout, session, sandbox), host)
        assert (await scene.bash("git status --porcelain -uno")).stdout.all == b""
        await scene.bash("echo more >> hello.txt; git commit -qam all; git add -A")
        shown = (await scene.bash("git show --format= --name-status; git ls-files .env certs/server.key")).stdout.all
        assert shown.decode().split() == ["M", "hello.txt", ".env", "certs/server.key"]
        assert {change.path for change in (await scene.project.freeze()).changes} == {b"hello.txt"}
    marked = {secret.path for secret in hidden_of(scene.project.session).secrets if secret.is_tracked}
    assert marked == {b".env", b"certs/server.key"}


@pytest.fixture
def worlds(checkout: Path, host: Path) -> list[str]:
    """Random trees in the checkout, with a secret in every folder of them."""
    names = [f"w{number}" for number in range(60)]
    for name in names:
        (checkout / name).mkdir()
        mutating.lay_out(os.fsencode(checkout / name), f"secrets{name}")
        for folder in [checkout / name, *(one for one in (checkout / name).rglob("*") if is_plain_folder(one))]:
            (folder / "planted.env").write_bytes(CANARY)
    return names


def is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and ".git" not in path.parts


async def test_whatever_is_done_to_random_trees_no_hidden_file_is_touched(worlds: list[str], scene: Scene) -> None:
    planted = {path: path.lstat() for path in scene.checkout.rglob("planted.env")}
    assert len(planted) > 100
    result = await scene.project.sandbox.run(
        Command(["python3", "-c", mutating.MUTATE, "secrets", *worlds], scene.project.sandbox.root, timeout=100)
    )
    assert result.exit_code == 0, result.stderr.all
    assert not (await scene.bash("grep -rl CANARY-0 . || true")).stdout.all
    changes = await scene.project.freeze()
    hidden = {os.fsencode(path.relative_to(scene.checkout)) for path in planted}
    assert {change.kind for change in changes.changes} == {"added", "modified", "deleted", "mode", "type"}
    assert not hidden & {change.path for change in changes.changes if not change.unseen}
    assert hidden & set(refused(changes))
    outcome = await scene.project.apply(changes, only=[change for change in changes.changes if not change.unseen])
    assert isinstance(outcome, Applied), outcome
    assert {path: path.lstat() for path in scene.checkout.rglob("planted.env")} == planted
    assert all(path.read_bytes() == CANARY for path in planted)
    assert not [change for change in (await scene.project.freeze()).changes if not change.unseen]
