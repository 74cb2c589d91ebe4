"""No test here may reach a model by accident, nor go through a proxy of this machine."""

import pytest


@pytest.fixture(autouse=True)
def _no_other_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach a model by accident, and none may see a proxy of this machine."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/no-model-in-tests")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
