"""The suites of the sandbox and of its isolation, played whole on the other engines, as each engine's own user."""

from collections.abc import Iterator, Sequence

import pytest

from images import catalog, definition

pytestmark = [pytest.mark.engine, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]
ISOLATION, PROFILES = "tests/attacks/test_isolation.py", "tests/attacks/test_profiles.py"
SUITES = ("-k", "not fake", "tests/contracts", ISOLATION)
STRICT = (("--profile", "strict", ISOLATION), ("-k", "strict", PROFILES))

OF_THE_MOUNT = (
    f"{ISOLATION}::test_i02_a_setuid_copy_of_a_shell_gains_nothing",
    f"{ISOLATION}::test_i26_the_engine_runs_what_we_asked_for",
    f"{PROFILES}::test_i26_the_engine_holds_to_the_profile",
)
"""Where the workspace is carried it is a plain volume, no overlay of ours, and is given to its owner first."""


def suites(name: str) -> Iterator[Sequence[str]]:
    """What is played on an engine, each as pytest is told."""
    carried = [f"--deselect={one}" for one in OF_THE_MOUNT] if name == "remapped-docker" else []
    for words in (SUITES, *STRICT):
        yield [*words, *carried]
    if name == "podman":  # on the other two tools are uid 0, whoever invoked us
        yield ["tests/engines/test_owners.py"]


def test_the_suites_hold_there(other, engine):
    catalog.resolve(catalog.DEFAULT, engine.images, lambda _: None)
    other.take(definition.load(catalog.DEFAULT).tag)
    for words in suites(other.name):
        options = ["-p", "no:cacheprovider", "-q", "-x", "--basetemp", str(other.home() / "pytest")]
        done = other.python("-m", "pytest", *options, *words)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
