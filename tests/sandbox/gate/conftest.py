"""A conflict, and the way from a decision about it to the checkout."""

import pytest

from sandbox.gate.decisions import approval


@pytest.fixture
def conflict(gate, lay_out, change_at):
    """A file that both sides made something else of, of which no base is known."""

    def make(users="user\n", agents="agent\n"):
        lay_out({"a": "base\n"})
        (gate.checkout / "a").write_text(users)
        gate.put("a", agents)
        changes = gate.collect()
        return changes, change_at(changes, b"a")

    return make


@pytest.fixture
def decide(gate):
    """Approves and applies decided changes of a change set."""
    return lambda changes, *decided: gate.apply(approval(changes, decided, "tester"), change_set=changes)
