"""Group III of the attack list, end to end: written in a real sandbox, frozen, all of it approved, applied.

What stays is refused and shown; what is applied is what the sandbox shows; nothing around the checkout changes.
"""

import os
import stat
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from sandbox.changes import Directory, File, Link
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.freeze import frozen
from tests.attacks.scene import CANARY, Scene, listed, refused, unchanged

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def repository(checkout: Path, host: Path) -> Path:
    """The checkout as a git repository with one commit."""
    assert host.exists()  # git's settings are looked for there
    script = "git init -q . && git add . && git -c user.name=u -c user.email=u@x commit -qm first"
    subprocess.run(["sh", "-c", script], cwd=checkout, check=True)
    return checkout


async def test_s01_links_to_absolute_paths_stay(scene: Scene) -> None:
    keys = scene.host / ".ssh" / "authorized_keys"
    changes = await scene.after(f"ln -s /etc/passwd a; ln -s {keys} k; echo evil > k || echo fine > f; true")
    assert refused(changes) == {
        b"a": "is a link to an absolute path: /etc/passwd",
        b"k": f"is a link to an absolute path: {keys}",
    }
    assert isinstance(await scene.apply_all(changes), Applied)
    assert sorted(os.listdir(scene.checkout)) == ["f", "hello.txt", "src"]


async def test_s02_links_that_leave_the_tree_stay_and_those_that_do_not_come(scene: Scene) -> None:
    changes = await scene.after(
        "ln -s ../home d; echo x > d/.bashrc; ln -s src/../../home e; ln -s src/main.py m; true"
    )
    assert set(refused(changes)) == {b"d", b"e"}
    await scene.apply_all(changes)
    assert os.readlink(scene.checkout / "m") == "src/main.py"
    assert not (scene.checkout / "d").is_symlink()


async def test_s04_a_renaming_attacker_leads_no_reader_out(scene: Scene) -> None:
    await scene.bash(f"mkdir d && echo mine > d/f && ln -s {scene.host} evil")
    attacker = """
import ctypes, os
if os.fork():
    os._exit(0)
os.close(1); os.close(2)
swap = ctypes.CDLL(None).renameat2
while True:
    for _ in range(1000):
        swap(-100, b"d", -100, b"evil", 2)
"""
    await scene.python(attacker)
    seen: set[frozenset[bytes]] = set()
    with anyio.move_on_after(4):
        while True:  # not paused: the attacker spins while we read
            changes = await anyio.to_thread.run_sync(frozen, scene.project.session)
            seen.add(frozenset(refused(changes)))
            for change in changes.changes:
                assert not isinstance(change.after, Link)
                assert isinstance(change.after, File | Directory)
    assert len(seen) > 1, "the attacker was never seen at work"
    changes = await scene.project.freeze()
    assert isinstance(await scene.apply_all(changes), Applied)
    assert CANARY not in b"".join(path.read_bytes() for path in scene.checkout.rglob("*") if path.is_file())


@pytest.fixture
def links(checkout: Path, host: Path) -> Path:
    """The checkout with the user's own links: one that leads out, and one to a folder."""
    (checkout / "out").symlink_to(host)
    (checkout / "inner").symlink_to("src")
    return checkout


async def test_s06_nothing_is_written_through_a_link_of_the_users(links: Path, scene: Scene) -> None:
    changes = await scene.after("rm out; mkdir out new; echo evil > out/.bashrc; echo evil > new/.bashrc")
    await scene.apply_all(changes)
    assert (links / "out" / ".bashrc").read_text() == "evil\n"  # in the folder that took the link's place
    assert not (links / "out").is_symlink()


async def test_s06_a_link_the_user_makes_meanwhile_is_not_followed(scene: Scene, checkout: Path) -> None:
    changes = await scene.after("mkdir new; echo evil > new/.bashrc")
    (checkout / "new").symlink_to(scene.host)
    again = await scene.project.freeze()
    assert refused(again) == {b"new": "the checkout has a link here now: nothing is written through it"}
    outcome = await scene.apply_all(changes)
    assert isinstance(outcome, Conflicts)
    assert [conflict.path for conflict in outcome.conflicts] == [b"new/.bashrc"]


async def test_s10_fifos_and_sockets_stay_and_block_nobody(scene: Scene) -> None:
    await scene.python("import os, socket; os.mkfifo('f'); socket.socket(1).bind('s'); open('ok', 'w').close()")
    with anyio.fail_after(5):
        changes = await scene.project.freeze()
        await scene.apply_all(changes)
    words = {path: reason.split(":")[0] for path, reason in refused(changes).items()}
    assert words == {b"f": "is a fifo", b"s": "is a socket"}
    assert listed(changes) == {("added", b"ok")}


async def test_s11_no_device_is_taken_for_a_deletion(scene: Scene) -> None:
    await scene.python("""
import ctypes, os, stat
def refused(attempt):
    try:
        attempt()
    except OSError:
        return True
assert refused(lambda: os.mknod("w", stat.S_IFCHR | 0o666, 0))
assert refused(lambda: os.mknod("src/main.py.new", stat.S_IFCHR | 0o666, 0))
open("x", "w").close()
assert ctypes.CDLL(None).renameat2(-100, b"x", -100, b"hello.txt", 4) == -1
os.remove("x")
""")
    changes = await scene.project.freeze()
    assert (changes.changes, changes.refused) == ((), ())


async def test_s12_of_a_mode_only_the_execute_bit_travels(scene: Scene) -> None:
    script = "for f in x y w v; do echo $f > $f; done; mkdir z; echo z > z/in; chmod +x src/main.py; "
    changes = await scene.after(script + "chmod 4755 x; chmod 2755 y; chmod 1777 z; chmod 777 w; chmod 4 v")
    expected = {b"x", b"y"} if os.geteuid() == 0 else {b"x", b"y", b"v"}
    assert set(refused(changes)) == expected
    assert ("mode", b"src/main.py") in listed(changes)
    await scene.apply_all(changes)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in scene.checkout.rglob("*")}
    assert modes.items() >= {"w": 0o755, "z": 0o755, "main.py": 0o755}.items()
    assert {mode & 0o7022 for mode in modes.values()} == {0}


async def test_s14_s15_forged_marks_of_the_overlay_mean_nothing(scene: Scene) -> None:
    await scene.python("""
import os
for name in ("opaque", "whiteout", "redirect", "metacopy", "overlay.opaque", "overlay.whiteout", "origin", "impure"):
    for path in (".", "src", "src/main.py", "hello.txt"):
        for value in (b"y", b"/hello.txt"):
            try:
                os.setxattr(path, "user.overlay." + name, value)
            except OSError:
                pass
""")
    changes = await scene.project.freeze()
    assert (changes.changes, changes.refused) == ((), ())
    assert await scene.inside() == scene.outside()


@pytest.fixture
def deep(checkout: Path) -> Path:
    """The checkout with files at several depths."""
    (checkout / "d" / "sub" / "deep").mkdir(parents=True)
    for name in ("d/top", "d/sub/old", "d/sub/deep/old"):
        (checkout / name).write_text("old")
    return checkout


async def test_s16_a_folder_made_anew_hides_all_the_old_at_any_depth(deep: Path, scene: Scene) -> None:
    assert deep.exists()
    changes = await scene.after("rm -r d; mkdir -p d/sub; echo z > d/z; echo z > d/sub/z")
    gone = (b"d/top", b"d/sub/old", b"d/sub/deep", b"d/sub/deep/old")
    assert listed(changes) == {("deleted", path) for path in gone} | {("added", b"d/z"), ("added", b"d/sub/z")}
    await scene.apply_all(changes)
    assert await scene.inside() == scene.outside()


async def test_s17_moves_are_whole_and_touches_are_no_changes(scene: Scene) -> None:
    touched = await scene.after("touch -d 2020-01-01 hello.txt; chmod 600 src/main.py; chmod 700 src")
    assert touched.changes == ()
    changes = await scene.after("mv src moved; mkdir src; mv moved src/inner; mv hello.txt src/")
    assert listed(changes) >= {
        ("deleted", b"src/main.py"),
        ("added", b"src/inner/main.py"),
        ("added", b"src/hello.txt"),
    }
    await scene.apply_all(changes)
    assert (scene.checkout / "src" / "inner" / "main.py").read_text() == "print('hi')\n"
    assert await scene.inside() == scene.outside()


@pytest.mark.parametrize("script", ["rm -rf .git; echo 'gitdir: /tmp/evil' > .git", "mv .git g; ln -s g .git"])
async def test_s24_the_repository_itself_is_never_touched(repository: Path, scene: Scene, script: str) -> None:
    with unchanged(repository / ".git"):
        changes = await scene.after(script)
        assert b".git" in refused(changes)
        await scene.apply_all(changes)
    assert not any(path.name == "config" for path in repository.glob("g/**/*"))


async def test_s25_no_repository_inside_comes_out(repository: Path, scene: Scene) -> None:
    changes = await scene.after(
        "git init -q sub && git -C sub config core.fsmonitor /tmp/p && echo ok > sub/ok; git init -q --bare emb; "
        "mkdir -p half/objects half/refs; echo 'ref: refs/heads/x' > half/HEAD; echo '[core]' > half/config"
    )
    whole = {b"sub/.git", b"emb/HEAD", b"emb/config", b"emb/hooks", b"emb/objects", b"emb/refs"}
    assert whole | {b"half/HEAD", b"half/config", b"half/objects", b"half/refs"} <= set(refused(changes))
    await scene.apply_all(changes)
    assert os.listdir(repository / "sub") == ["ok"]
    assert not [path for name in ("HEAD", "config", "hooks") for path in repository.glob(f"[a-z]*/**/{name}")]


async def test_s25_no_repository_with_its_parts_elsewhere_comes_out(repository: Path, scene: Scene) -> None:
    changes = await scene.after(
        "mkdir -p w x/objects x/refs; touch x/objects/k x/refs/k; echo 'ref: refs/heads/x' > w/HEAD; "
        "echo ../x > w/commondir; printf '[core]\nbare = false\nworktree = .\n' > w/config.worktree; "
        "printf '[core]\nrepositoryformatversion = 1\nfsmonitor = \"touch PWNED; false\"\n' > x/config; "
        "printf '[extensions]\nworktreeConfig = true\n' >> x/config"
    )
    await scene.apply_all(changes)
    subprocess.run(["git", "status"], cwd=repository / "w", capture_output=True, check=False)
    assert not list(repository.rglob("PWNED"))


async def test_s31_equal_size_and_time_hide_nothing(scene: Scene) -> None:
    changes = await scene.after("cp -p hello.txt b; printf evil! > hello.txt; printf '\\n' >> b; touch -r b hello.txt")
    assert ("modified", b"hello.txt") in listed(changes)
    changes = await scene.after("printf 'hellO\\n' > hello.txt; touch -r src/main.py hello.txt")
    await scene.apply_all(changes)
    assert (scene.checkout / "hello.txt").read_text() == "hellO\n"


async def test_s32_git_cannot_hide_a_change(repository: Path, scene: Scene) -> None:
    changes = await scene.after(
        "git update-index --assume-unchanged hello.txt; git update-index --skip-worktree src/main.py; "
        "echo x >> hello.txt; echo x >> src/main.py; echo '*' > .gitignore; echo '* -diff' > .gitattributes; "
        "echo x > n; echo '*' > .git/info/exclude"
    )
    expected = {b"hello.txt", b"src/main.py", b".gitignore", b".gitattributes", b"n"}
    assert {change.path for change in changes.pending} == expected
    await scene.apply_all(changes)
    assert await scene.inside() == scene.outside()
    assert "*" not in (repository / ".git" / "info" / "exclude").read_text().splitlines()


async def test_s34_the_end_of_everything_is_shown_one_by_one(scene: Scene, checkout: Path) -> None:
    with unchanged(checkout):
        changes = await scene.after('rm -rf "$PWD"/*')
    expected = {("deleted", b"hello.txt"), ("deleted", b"src"), ("deleted", b"src/main.py")}
    assert listed(changes) == expected
    await scene.apply_all(changes)
    assert list(checkout.iterdir()) == []


@pytest.fixture
def kinds(checkout: Path) -> Path:
    """The checkout with everything that can become something else."""
    for name in ("dir2file", "dir2link"):
        (checkout / name).mkdir()
        (checkout / name / "x").write_text("x")
    for name in ("file2dir", "file2link"):
        (checkout / name).write_text("f")
    (checkout / "link2file").symlink_to("hello.txt")
    (checkout / "link2dir").symlink_to("src")
    return checkout


async def test_s35_one_kind_takes_the_place_of_another(kinds: Path, scene: Scene) -> None:
    assert kinds.exists()
    changes = await scene.after(
        "rm file2dir; mkdir file2dir; echo x > file2dir/x; rm file2link; ln -s src file2link; rm link2file; "
        "echo f > link2file; rm link2dir; mkdir -p link2dir/a; echo x > link2dir/a/x; rm -r dir2file dir2link; "
        "echo f > dir2file; ln -s src dir2link; mkdir empty refused; ln -s /etc refused/etc"
    )
    assert set(refused(changes)) == {b"refused/etc"}
    assert {("added", b"empty"), ("added", b"refused")} <= listed(changes)
    assert isinstance(await scene.apply_all(changes), Applied)
    await scene.bash("rm refused/etc")
    assert await scene.inside() == scene.outside()


async def test_s35_a_link_that_came_from_here_may_become_a_folder(scene: Scene) -> None:
    await scene.apply_all(await scene.after("ln -s src l"))
    changes = await scene.after("rm l; mkdir l; echo x > l/x")
    assert refused(changes) == {}
    await scene.apply_all(changes)
    assert (scene.checkout / "l" / "x").exists()
