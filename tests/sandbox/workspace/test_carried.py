"""A workspace that is carried into a volume behaves as one that is mounted, and is chosen where nothing else goes."""

import os
import struct
from pathlib import Path

import anyio
import pytest

from images.image import Image
from sandbox import toolbox
from sandbox.base import Call, Command
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import FileError, OutOfSpace, SandboxLost
from sandbox.gate.freeze import frozen
from sandbox.opening import opened, prepare
from sandbox.profile import NOBODYS
from sandbox.sessions import Session, Sessions
from sandbox.workspace import mirror, sending
from sandbox.workspace.mirror import Row, difference, parsed
from sandbox.workspace.placement import placement_of
from tests.secondengine import second_engine

pytestmark = [pytest.mark.anyio]
CARRIED = pytest.mark.parametrize("base", ["copy"])


async def said(sandbox: DockerSandbox, script: str) -> str:
    result = await sandbox.run(Command([await sandbox.shell(), "-c", script], sandbox.root, timeout=60))
    assert result.exit_code == 0, result
    return result.stdout.all.decode()


@CARRIED
@pytest.mark.engine
async def test_it_holds_what_the_checkout_held_at_the_start(sandbox: DockerSandbox, checkout: Path) -> None:
    await sandbox.ready()
    (checkout / "later").write_text("not seen")
    assert await said(sandbox, "find . -type f | sort; cat hello.txt") == "./hello.txt\n./src/main.py\nhello\n"
    assert "overlay" not in await said(sandbox, f"grep -F ' {sandbox.root} ' /proc/self/mountinfo")
    assert (await sandbox.freeze()).changes == ()


@CARRIED
@pytest.mark.engine
async def test_modes_times_and_links_arrive(sandbox: DockerSandbox, checkout: Path) -> None:
    program = checkout / "src" / "main.py"
    program.chmod(0o750)
    (checkout / "link").symlink_to("src/main.py")
    os.utime(program, ns=(0, 1_234_567_890_123_456_789))
    os.utime(checkout / "src", ns=(0, 1_111_111_111_000_000_000))
    assert await said(sandbox, "stat -c '%a %Y %N' src src/main.py link") == (
        f"755 1111111111 'src'\n750 1234567890 'src/main.py'\n777 {int((checkout / 'link').lstat().st_mtime)} "
        "'link' -> 'src/main.py'\n"
    )


@CARRIED
@pytest.mark.engine
async def test_what_a_call_changed_is_home_when_it_has_been_noted(sandbox: DockerSandbox, session: Session) -> None:
    await said(sandbox, "echo new > src/new; rm hello.txt; mkdir d; ln -s ../hello.txt d/l; chmod +x src/main.py")
    paths = await sandbox.note(Call("1", "Bash", "a script"))
    assert set(paths) >= {b"src/new", b"hello.txt", b"d/l", b"src/main.py"}
    await (await sandbox.ready()).remove()  # whatever becomes of it now
    expected = {b"src/new", b"hello.txt", b"d/l", b"src/main.py"}
    assert {change.path for change in (await sandbox.freeze()).changes} == expected


@CARRIED
@pytest.mark.engine
async def test_nothing_writes_while_it_is_looked_at(sandbox: DockerSandbox) -> None:
    beat = "while :; do echo x >> beat; done"
    stopped = "sh -c 'kill -STOP $$; echo went on > stopped' &"
    await sandbox.start(Command(["sh", "-c", f"{stopped} {beat}"], sandbox.root))
    await said(sandbox, "until [ -s beat ]; do sleep 0.01; done")
    ended = anyio.Event()

    async def begin() -> None:
        await said(sandbox, "true")
        ended.set()

    async with anyio.create_task_group() as tasks, sandbox._life.still():
        tasks.start_soon(begin)
        first = await sandbox.read(sandbox.root / "beat")
        await anyio.sleep(0.3)
        assert await sandbox.read(sandbox.root / "beat") == first
        assert not ended.is_set()  # no command begins meanwhile
    await anyio.sleep(0.1)
    assert await sandbox.read(sandbox.root / "beat") != first
    assert "stopped" not in {entry.name for entry in await sandbox.list(sandbox.root)}  # it had stopped by itself


WAKES = """
import os, signal
for _ in range(40):
    if os.fork() == 0:
        break
while True:
    os.killpg(0, signal.SIGCONT)
    open("beat", "a").write("x")
"""
LEADERLESS = """
import ctypes, threading
def beat():
    while True:
        open("beat", "a").write("x")
threading.Thread(target=beat).start()
ctypes.CDLL(None).syscall(60, 0)
"""


@CARRIED
@pytest.mark.engine
@pytest.mark.parametrize("program", [WAKES, LEADERLESS], ids=["wakes its like", "without a first thread"])
async def test_what_will_not_be_held_writes_nothing_either_while_it_is_looked_at(
    sandbox: DockerSandbox, program: str
) -> None:
    process = await sandbox.start(Command(["python3", "-c", program], sandbox.root))
    await said(sandbox, "until [ -s beat ]; do sleep 0.01; done")
    for _ in range(3):
        async with sandbox._life.still():
            first = await sandbox.read(sandbox.root / "beat")
            await anyio.sleep(0.3)
            assert await sandbox.read(sandbox.root / "beat") == first
    await process.kill()


SPARSE = """
with open("sparse", "wb") as file:
    for start in range(0, 32 * 2**20, 2**16):
        file.seek(start)
        file.write(b"x")
"""


@CARRIED
@pytest.mark.engine
async def test_what_takes_little_room_inside_takes_little_at_home(sandbox: DockerSandbox, session: Session) -> None:
    await sandbox.run(Command(["python3", "-c", SPARSE], sandbox.root))
    await sandbox.note(None)
    assert (session.upper / "sparse").stat().st_blocks * 512 < 4 * 2**20


@pytest.mark.engine
@pytest.mark.parametrize("choice", [Choice(base="copy", disk=16 * 2**20)])
async def test_no_more_comes_home_than_the_disk_limit_and_deleting_helps(
    sandbox: DockerSandbox, session: Session
) -> None:
    await said(sandbox, "for i in 1 2 3 4 5 6; do head -c 60000000 /dev/urandom > f$i; done")
    with pytest.raises(OutOfSpace, match="delete some of it there"):
        await sandbox.note(None)
    with pytest.raises(OutOfSpace):
        await sandbox.freeze()
    assert sum(path.stat().st_blocks * 512 for path in session.upper.iterdir()) < 250_000_000
    await said(sandbox, "rm f[1-5]")
    await sandbox.note(None)
    assert {path.name for path in session.upper.iterdir()} == {"f6"}


@CARRIED
@pytest.mark.engine
async def test_another_container_has_the_same_files(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        await said(sandbox, "echo new > src/new; rm hello.txt; mkdir -p a/b; echo x > a/b/c; rm -r src/main.py")
        await sandbox.note(Call("1", "Bash", ""))
        await said(sandbox, "rm -rf src; mkdir src; echo only > src/only; mkfifo pipe; truncate -s 20M hole")
        before = await said(sandbox, "find . | sort; cat src/only a/b/c; wc -c hole")
    async with opened(session, engine) as sandbox:
        assert await said(sandbox, "find . | sort; cat src/only a/b/c; wc -c hole") == before
        await said(sandbox, "rm -r src; mkdir src")
    assert b"src/main.py" in {change.path for change in frozen(session).changes}


@CARRIED
@pytest.mark.engine
async def test_what_processes_did_after_their_call_is_home_at_the_end(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        await said(sandbox, "(sleep 0.3; echo late > late) > /dev/null 2>&1 &")
        await sandbox.note(Call("1", "Bash", ""))
        await anyio.sleep(0.6)
    assert {change.path for change in frozen(session).changes} == {b"late"}


@pytest.mark.engine
async def test_in_strict_it_can_be_read_as_by_a_stranger_and_written_by_nobody(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    (checkout / "open").mkdir()
    (checkout / "open/to-all.txt").write_text("open\n")
    (checkout / "mine").write_text("mine\n")
    for name, mode in (("open", 0o777), ("open/to-all.txt", 0o666), ("mine", 0o600)):
        (checkout / name).chmod(mode)
    choice = Choice(base="copy", profile="strict")
    session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)
    writing = (
        *("touch new", "touch open/new", "echo more >> open/to-all.txt", "rm open/to-all.txt", "mv src open/"),
        *("chmod 777 open", "chown $(id -u) hello.txt", "rm -r ../$(basename $PWD)"),
    )
    async with opened(session, engine) as sandbox:
        assert await said(sandbox, "cat hello.txt open/to-all.txt; stat -c %a open open/to-all.txt mine") == (
            "hello\nopen\n775\n664\n600\n"
        )
        for script in ("cat mine", *writing):
            result = await sandbox.run(Command(["bash", "-c", script], sandbox.root))
            assert result.exit_code == 1, (script, result)
            assert b"denied" in result.stderr.all or b"not permitted" in result.stderr.all
        with pytest.raises(FileError):
            await sandbox.write(sandbox.root / "open/to-all.txt", b"")
        assert (await sandbox.freeze()).changes == ()
        assert await said(sandbox, "cat hello.txt open/to-all.txt") == "hello\nopen\n"


@pytest.mark.engine
@pytest.mark.parametrize("ids", [{"uid": NOBODYS.uid}, {"gid": NOBODYS.gid}])
async def test_in_strict_nobody_writes_also_where_those_who_own_it_have_the_ids_of_nobody(
    state: Path, checkout: Path, image: Image, engine: Engine, ids: dict[str, int]
) -> None:
    (checkout / "hello.txt").chmod(0o664)
    choice = Choice(base="copy", profile="strict")
    session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)
    session.save(session.meta().model_copy(update=ids))
    async with opened(session, engine) as sandbox:
        assert await said(sandbox, "echo more >> hello.txt || echo denied") == "denied\n"


@pytest.mark.engine
@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_engine_that_cannot_see_the_checkout_gets_it_carried_by_itself(
    state: Path, checkout: Path, engine: Engine
) -> None:
    image = toolbox.image_on(engine, lambda _: None)
    with second_engine(hides=[checkout.parent]) as second:
        second.take(toolbox.toolbox().tag)
        with second.connection() as far:
            bare = Image("toolbox", image)
            session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=bare)
            async with opened(session, far) as sandbox:
                assert await said(sandbox, "rg --files | sort; echo new > new; rm hello.txt; id -u") == (
                    f"hello.txt\nsrc/main.py\n{os.getuid()}\n"
                )
                assert "does not see this machine's folders" in sandbox.take_news()
                assert {change.path for change in (await sandbox.freeze()).changes} == {b"new", b"hello.txt"}
            assert placement_of(session).kind == "carried"
            async with opened(session, far) as sandbox:
                assert await said(sandbox, "rg --files | sort") == "new\nsrc/main.py\n"
            assert far.containers() == [] == far.volumes()


def row(mode: int = 0o100644, inode: int = 1, target: bytes = b"") -> Row:
    return Row(mode, inode, 0, 0, target)


def encoded(path: bytes, one: Row) -> bytes:
    head = mirror.ROW.pack(len(path), len(one.target), one.mode, one.inode, one.size, one.changed)
    return head + path + one.target


def test_the_guest_has_the_same_numbers() -> None:
    guest = (Path(mirror.__file__).parent.parent / "guest").resolve()
    assert f'ROW = struct.Struct("{mirror.ROW.format}")' in (guest / "tree.py").read_text()
    assert f'HEAD = struct.Struct("{sending.HEAD.format}")' in (guest / "fill.py").read_text()
    assert struct.calcsize(mirror.ROW.format) == mirror.ROW.size


@pytest.mark.parametrize(
    "path", [b"", b"/etc/passwd", b"../x", b"a/../../x", b"a//b", b"a/./b", b"a/", b"nul\0", b".", b".."]
)
def test_a_path_that_leads_anywhere_else_ends_the_sandbox(path: bytes) -> None:
    with pytest.raises(SandboxLost):
        parsed(encoded(path, row()))


def test_rows_that_are_cut_short_end_the_sandbox() -> None:
    whole = encoded(b"a/b", row(target=b"there"))
    assert parsed(whole) == {b"a/b": row(target=b"there")}
    for length in range(1, len(whole)):
        with pytest.raises(SandboxLost):
            parsed(whole[:length])


def test_what_a_closed_folder_hides_is_as_it_was() -> None:
    before = {b"d": row(0o40755), b"d/f": row(), b"e": row()}
    now = {b"d": row(mirror.CLOSED)}
    assert difference(before, now) == mirror.Difference([b"e"], [])
