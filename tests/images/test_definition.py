"""Definitions: what the data files say, and the tag their content gives them."""

import pytest

from images import definition


def test_every_definition_can_be_read() -> None:
    assert "base" in definition.known()
    for name in definition.known():
        one = definition.load(name)
        assert one.summary
        assert one.suite
        assert len(set(one.packages)) == len(one.packages)


def test_the_base_image_holds_what_the_tools_need() -> None:
    assert {"bash", "git", "python3", "ripgrep", "procps"} <= set(definition.load("base").packages)


def test_the_tag_is_made_of_the_content() -> None:
    base = definition.load("base")
    assert base.tag == f"paddock/base:{base.digest[:12]}"
    assert definition.load("base") == base


@pytest.mark.parametrize("name", ["", "nope", "../definitions/base", "base.toml"])
def test_no_other_name_reaches_a_file(name: str) -> None:
    with pytest.raises(KeyError):
        definition.load(name)


def test_no_file_here_names_a_mirror() -> None:
    for path in definition.FOLDER.iterdir():
        assert "://" not in path.read_text()
