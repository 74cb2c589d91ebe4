"""Project quotas where there are none: nothing is done, and no engine is asked."""

from typing import cast

import pytest

from sandbox import projects, quota
from sandbox.disk import Room
from sandbox.engine import Engine
from sandbox.workspace import project
from sandbox.workspace.overlay import Overlay
from tests.sandbox.conftest import Gate

MOST = Room(200 * 1024**2, 1000)
NO_ENGINE = cast("Engine", None)


def test_where_a_file_system_has_no_quotas_nothing_is_done_and_no_engine_is_asked(gate: Gate) -> None:
    session = gate.session
    session.work.mkdir()
    if projects.are_limited(session.path):
        pytest.skip("NOT TESTED: the folder for temporary files has project quotas here")
    project.join(session, [Overlay(gate.checkout, session.base, session.upper, session.work)])
    assert [projects.project_of(folder) for folder in (session.work, session.upper)] == [0, 0]
    quota.set_limit(session, NO_ENGINE, MOST)
    quota.lift_limits(gate.sessions, NO_ENGINE)
    assert project.counted(session, MOST) == Room(0, 0)


def test_a_hard_limit_is_whole_mebibytes_and_leaves_room_to_delete() -> None:
    assert project.hard(Room(1, 5)) == project.hard(Room(1024**2, 5)) == Room(65 * 1024**2, 10_005)
