"""The suites of the sandbox and of its isolation, played whole on the other engines, as each engine's own user."""

import pytest

from images import catalog, definition

pytestmark = [pytest.mark.engine, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]
SUITES = ("tests/contracts", "tests/attacks/test_isolation.py")

OF_THE_MOUNT = ("test_i02_a_setuid_copy_of_a_shell_gains_nothing", "test_i26_the_engine_runs_what_we_asked_for")


def test_the_suites_hold_there(other, engine):
    catalog.resolve(catalog.DEFAULT, engine.images, lambda _: None)
    other.take(definition.load(catalog.DEFAULT).tag)
    options = ["-p", "no:cacheprovider", "-q", "-x", "-k", "not fake", "--basetemp", str(other.home() / "pytest")]
    if other.name == "remapped-docker":  # a carried workspace is a plain volume: its mount is no overlay of ours
        options += [f"--deselect=tests/attacks/test_isolation.py::{name}" for name in OF_THE_MOUNT]
    done = other.python("-m", "pytest", *options, *SUITES)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
