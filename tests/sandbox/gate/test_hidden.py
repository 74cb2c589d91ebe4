"""What was hidden from the sandbox is never deleted or overwritten by what the sandbox did without seeing it."""

from pathlib import Path

import pytest

from sandbox.changes import ChangeSet
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.bases import Bases
from sandbox.gate.collect import collect
from sandbox.gate.edits import Edits
from sandbox.gate.standing import HIDDEN_STAYS
from sandbox.hiding.hidden import Hidden, Secret, remember
from tests.sandbox.conftest import Gate

HIDDEN = Hidden((Secret(b"conf/.env", ""), Secret(b".env", ""), Secret(b"home/.ssh", "")))
PATHS = ("conf/.env", ".env", "home/.ssh/id", "home/x", "conf/x")


@pytest.fixture
def secret_gate(gate: Gate) -> Gate:
    """A session on a checkout with secrets in it, which were hidden when it began."""
    for name in PATHS:
        file = gate.checkout / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("secret")
    gate.begin()
    return gate


def collected(gate: Gate, hidden: Hidden = HIDDEN) -> ChangeSet:
    return collect(gate.upper, gate.checkout, manifest=gate.manifest, blobs=gate.blobs, hidden=hidden)


def all_there(gate: Gate, *but: str) -> bool:
    return all((gate.checkout / name).read_text() == "secret" for name in PATHS if name not in but)


def test_a_deleted_folder_stays_for_the_hidden_file_in_it(secret_gate: Gate) -> None:
    secret_gate.whiteout("conf")
    changes = collected(secret_gate)
    assert [(change.path, change.after) for change in changes.changes] == [(b"conf/x", None)]
    assert [(one.path, one.reason) for one in changes.refused] == [(b"conf/.env", HIDDEN_STAYS)]
    assert isinstance(secret_gate.apply(secret_gate.approval(changes), change_set=changes), Applied)
    assert all_there(secret_gate, "conf/x")
    assert not (secret_gate.checkout / "conf/x").exists()
    assert collected(secret_gate).changes == ()


def test_a_folder_made_anew_does_not_delete_what_was_hidden_in_the_old_one(secret_gate: Gate) -> None:
    secret_gate.opaque("conf")
    secret_gate.put("conf/y", "new")
    changes = collected(secret_gate)
    assert [(change.path, change.kind) for change in changes.changes] == [(b"conf/x", "deleted"), (b"conf/y", "added")]
    assert [(one.path, one.reason) for one in changes.refused] == [(b"conf/.env", HIDDEN_STAYS)]


def test_a_file_does_not_take_the_place_of_a_folder_with_something_hidden(secret_gate: Gate) -> None:
    secret_gate.put("conf", "a file now")
    changes = collected(secret_gate)
    assert [(change.path, change.after) for change in changes.changes] == [(b"conf/x", None)]
    assert {one.path for one in changes.refused} == {b"conf", b"conf/.env"}


def test_a_hidden_folder_is_never_deleted_nor_what_is_in_it(secret_gate: Gate) -> None:
    secret_gate.whiteout("home")
    changes = collected(secret_gate)
    assert [change.path for change in changes.changes] == [b"home/x"]
    secret_gate.upper.joinpath("home").unlink()
    secret_gate.opaque("home/.ssh")
    assert collected(secret_gate).changes == ()


def test_a_whiteout_at_a_hidden_path_is_nothing(secret_gate: Gate) -> None:
    secret_gate.whiteout(".env")
    assert collected(secret_gate) == ChangeSet()


@pytest.mark.parametrize("is_hidden_still", [True, False])
def test_a_file_made_at_a_hidden_path_is_a_conflict_with_the_users_own(
    secret_gate: Gate, is_hidden_still: bool
) -> None:
    hidden = HIDDEN if is_hidden_still else Hidden(earlier=frozenset([b".env"]))
    secret_gate.put(".env", "made inside")
    changes = collected(secret_gate, hidden)
    (change,) = changes.changes
    assert (change.path, change.moved, change.base) == (b".env", True, None)
    again = collected(secret_gate, hidden)  # a second look does not learn what it was
    assert again.changes[0].moved
    assert isinstance(secret_gate.apply(secret_gate.approval(changes), change_set=changes), Conflicts)
    assert all_there(secret_gate)


def test_a_file_made_in_a_hidden_folder_is_a_conflict_only_where_the_user_has_one(secret_gate: Gate) -> None:
    secret_gate.opaque("home/.ssh")
    secret_gate.put("home/.ssh/id", "made inside")
    secret_gate.put("home/.ssh/new", "made inside")
    changes = collected(secret_gate)
    assert {change.path: change.moved for change in changes.changes} == {b"home/.ssh/id": True, b"home/.ssh/new": False}


def test_a_deletion_of_what_was_hidden_earlier_is_a_conflict(secret_gate: Gate) -> None:
    secret_gate.whiteout("conf")
    changes = collected(secret_gate, Hidden(earlier=frozenset([b"conf/.env"])))
    assert {change.path: change.moved for change in changes.changes} == {
        b"conf": False,
        b"conf/.env": True,
        b"conf/x": False,
    }


def test_the_content_of_a_hidden_file_is_not_learned_after_a_call(secret_gate: Gate) -> None:
    remember(secret_gate.session, HIDDEN)
    secret_gate.put(".env", "made inside")
    Bases(secret_gate.session).learn([b".env", b"conf/x"])
    kept = [blob.read_bytes() for blob in Path(secret_gate.session.blobs).rglob("*") if blob.is_file()]
    assert kept == [b"secret"]  # of conf/x
    secret_gate.manifest.refresh()
    assert secret_gate.manifest.base(b".env") is None
    assert secret_gate.manifest.base(b"conf/x") is not None


def test_a_secret_that_comes_while_the_sandbox_sees_the_checkout_is_told_also_if_it_is_ignored(
    secret_gate: Gate,
) -> None:
    session = secret_gate.session
    (secret_gate.checkout / ".gitignore").write_text("*.env\n*.log\n")
    secret_gate.begin()
    remember(session, HIDDEN)
    for name in (".env", "conf/.env", "conf/late.env", "conf/x.log", "test.env"):
        (secret_gate.checkout / name).write_text("later")
    paths = [b".env", b"conf/.env", b"conf/late.env", b"conf/x.log", b"test.env"]
    told = {edit.path: edit.shows for edit in Edits(session).among(paths)}
    assert told == {b"conf/late.env": "exposed", b"test.env": "exposed"}
    meta = session.meta()
    session.save(meta.model_copy(update={"choice": meta.choice.model_copy(update={"include": ("test.env",)})}))
    assert [edit.path for edit in Edits(session).among(paths)] == [b"conf/late.env"]
