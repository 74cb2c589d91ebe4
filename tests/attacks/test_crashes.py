"""Group V, against a real engine: what a crash leaves, what the next start makes of it, and that it says the truth.

Every system call at which an apply, an undo and a recovery can be cut is in tests/sandbox/gate/test_faults.py.
"""

import shutil

import pytest

from sandbox.errors import CheckoutRefused
from sandbox.gate.apply import Applied, Conflicts
from sandbox.opening import opened
from tests.attacks.scene import listed

pytestmark = [pytest.mark.engine, pytest.mark.anyio]


async def test_c22_an_apply_from_a_live_sandbox_is_taken_back_and_waits_again(scene):
    before = scene.outside()
    changes = await scene.after(
        "echo agent > hello.txt; rm -r src; mkdir -p deep/er; printf '\\0' > deep/er/new; ln -s hello.txt link"
    )
    assert isinstance(await scene.apply_all(changes), Applied)
    assert scene.outside() == await scene.inside()
    result = await scene.project.undo()
    assert isinstance(result, Applied)
    assert result.kept == ()
    assert scene.outside() == before
    assert (await scene.project.freeze()).changes == changes.changes
    assert await scene.project.undo() is None
    assert isinstance(await scene.apply_all(await scene.project.freeze()), Applied)
    assert scene.outside() == await scene.inside()


async def test_c22_what_the_user_changed_since_stops_an_undo(scene):
    changes = await scene.after("echo agent > a; echo agent > b")
    await scene.apply_all(changes)
    (scene.checkout / "a").write_text("user")
    result = await scene.project.undo()
    assert isinstance(result, Conflicts)
    assert [one.path for one in result.conflicts] == [b"a"]
    assert ((scene.checkout / "a").read_text(), (scene.checkout / "b").read_text()) == ("user", "agent\n")


async def test_a_checkout_replaced_during_a_run_gets_nothing_and_the_change_set_stays(scene):
    changes = await scene.after("echo agent > new")
    moved = scene.checkout.with_name("moved")
    scene.checkout.rename(moved)
    shutil.copytree(moved, scene.checkout)
    with pytest.raises(CheckoutRefused, match="moved or replaced: nothing was applied"):
        await scene.apply_all(changes)
    assert not (scene.checkout / "new").exists()
    shutil.rmtree(scene.checkout)
    moved.rename(scene.checkout)
    assert isinstance(await scene.apply_all(changes), Applied)
    assert listed(changes) == {("added", b"new")}


async def test_a_session_is_not_opened_on_another_folder_of_the_same_name(session, engine, checkout):
    async with opened(session, engine) as sandbox:
        assert (await sandbox.freeze()).changes == ()
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    shutil.copytree(moved, checkout)
    with pytest.raises(CheckoutRefused, match="something else since this session began"):
        async with opened(session, engine) as sandbox:
            await sandbox.freeze()
    shutil.rmtree(checkout)
    moved.rename(checkout)
    async with opened(session, engine) as sandbox:
        assert (await sandbox.freeze()).changes == ()
