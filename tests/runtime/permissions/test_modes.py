"""Which calls a mode allows."""

import pytest

from runtime.permissions import MODES, Allow, Deny, Mode, decide


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("read_only", [True, False])
def test_only_planning_refuses_and_only_what_may_change_files(mode: Mode, read_only: bool) -> None:
    decision = decide(mode, "Bash", read_only=read_only)
    assert isinstance(decision, Deny if mode == "plan" and not read_only else Allow)
    assert decision.reason
