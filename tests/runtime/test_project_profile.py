"""A sandbox chosen from Python: by name, by the user's settings, never root inside unasked."""

import json
from pathlib import Path

import pytest

from runtime.permissions.errors import SettingsError
from runtime.project import project

pytestmark = [pytest.mark.engine, pytest.mark.anyio]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes what the user's own settings say of the sandbox."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "config" / "paddock" / "settings.json"
    path.parent.mkdir(parents=True)
    return lambda **said: path.write_text(json.dumps({"sandbox": said}))


async def test_the_users_settings_hold_and_a_name_outranks_them(say, checkout: Path, state: Path) -> None:
    say(profile="strict", memory="300m")
    async with project(checkout, state=state) as strict:
        assert (await strict.run("touch x")).exit_code == 1
        assert strict.session.meta().choice.memory == 300 * 1024**2
    async with project(checkout, state=state, profile="default") as default:
        assert (await default.run("touch x")).exit_code == 0


async def test_root_inside_has_to_be_named(say, checkout: Path, state: Path) -> None:
    say(profile="build")
    with pytest.raises(SettingsError, match='profile="build"'):
        async with project(checkout, state=state):
            pass
    async with project(checkout, state=state, profile="build") as build:
        assert (await build.run("touch /usr/x && id -u")).stdout.all == b"0\n"
