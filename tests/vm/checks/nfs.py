"""Sessions with a checkout, or the state folder, or both, on NFS."""

import pytest

from tests.vm.checks.scene import paddock, project

pytestmark = pytest.mark.engine
CHANGE = "echo more >> kept; rm gone; echo new > made; ln -sfn made link; mkdir -p d/e && echo deep > d/e/f"


def change(checkout, state, *options):
    """Change every kind of thing in a session, and apply all of it; what the session said."""
    done = paddock("exec", *options, "--apply", "never", "--", "sh", "-c", CHANGE, at=checkout, **state)
    assert done.returncode == 0, done.stderr
    for paths in ([], ["link"]):  # a link is looked at alone
        applied = paddock("apply", "--yes", *paths, at=checkout, **state)
        assert applied.returncode == 0, applied.stderr
    return done.stderr


def is_changed(checkout):
    said = {path.name: path.read_text() for path in checkout.iterdir() if path.is_file()}
    assert said == {"kept": "one\nmore\n", "made": "new\n", "link": "new\n"}
    assert (checkout / "d" / "e" / "f").read_text() == "deep\n"
    assert [path.name for path in checkout.iterdir() if path.name.startswith(".")] == [".git"]


def test_what_a_session_changed_is_applied_to_a_checkout_there_and_taken_back(nfs, tmp_path):
    checkout = project(nfs / "project")
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    change(checkout, state)
    is_changed(checkout)
    for _ in range(2):
        assert paddock("undo", "--yes", at=checkout, **state).returncode == 0
    assert (checkout / "kept").read_text() == "one\n"
    assert sorted(path.name for path in checkout.iterdir()) == [".git", "gone", "kept", "link"]
    assert (checkout / "link").readlink().name == "kept"


def test_of_a_large_checkout_there_the_base_is_the_checkout_itself(nfs, tmp_path):
    checkout = project(nfs / "project")
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    change(checkout, state, "--base", "live")
    is_changed(checkout)


@pytest.mark.parametrize("where", ["state alone", "both"])
def test_with_its_state_there_a_session_is_carried_says_so_and_is_removed_whole(nfs, tmp_path, where):
    checkout = project((nfs if where == "both" else tmp_path) / "project")
    state = {"XDG_STATE_HOME": str(nfs / "state")}
    assert "is carried to the engine" in change(checkout, state)
    is_changed(checkout)
    sessions = nfs / "state" / "paddock" / "sessions"
    (session,) = sessions.iterdir()
    assert "takes no layer of an overlay" in (session / "placement.json").read_text()
    assert paddock("sessions", "rm", session.name, "--yes", at=checkout, **state).returncode == 0
    assert list(sessions.iterdir()) == []


def test_doctor_ends_well_with_its_state_there(nfs):
    checkout = project(nfs / "project")
    done = paddock("doctor", at=checkout, XDG_STATE_HOME=str(nfs / "state"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot swap files: an apply looks twice instead" in done.stdout
