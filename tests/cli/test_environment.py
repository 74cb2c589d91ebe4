"""What the environment says, as one value."""

from pathlib import Path

import pytest

from cli.environment import read


def test_nothing_set_is_the_home_folder_and_no_key():
    said = read({"HOME": "/home/me"})
    assert (said.state, said.cache) == (Path("/home/me/.local/state/paddock"), Path("/home/me/.cache/paddock"))
    assert (said.has_key, said.provider, said.model, said.color, said.yes) == (False, "anthropic", "", None, False)


def test_a_relative_xdg_folder_is_ignored_as_its_specification_says():
    assert read({"HOME": "/h", "XDG_STATE_HOME": "state"}).state == Path("/h/.local/state/paddock")


def test_our_settings_lie_in_the_folder_of_settings_and_commands_in_absolute_folders_only():
    said = read({"HOME": "/h", "PATH": "/usr/bin:.::bin:/bin"})
    assert said.config == Path("/h/.config/paddock")
    assert said.commands == ("/usr/bin", "/bin")
    assert read({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}).config == Path("/c/paddock")


@pytest.mark.parametrize(
    ("variables", "provider", "has_key"),
    [
        ({"ANTHROPIC_API_KEY": "k"}, "anthropic", True),
        ({"ANTHROPIC_AUTH_TOKEN": "t"}, "anthropic", True),
        ({"ANTHROPIC_API_KEY": ""}, "anthropic", False),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "bedrock", True),
        ({"CLAUDE_CODE_USE_VERTEX": "true"}, "vertex", True),
        ({"CLAUDE_CODE_USE_BEDROCK": "0"}, "anthropic", False),
    ],
)
def test_the_provider_and_whether_there_is_a_key(variables, provider, has_key):
    said = read(variables)
    assert (said.provider, said.has_key) == (provider, has_key)


@pytest.mark.parametrize(
    ("variables", "color"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"FORCE_COLOR": "1"}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour(variables, color):
    assert read(variables).color is color
