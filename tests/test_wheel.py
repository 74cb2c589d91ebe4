"""What the wheel holds: our five names at the top and nothing else, and every file that is not Python."""

import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_wheel

ROOT = Path(__file__).parent.parent
OURS = {"paddock.py", "cli", "runtime", "sandbox", "images"}


@pytest.fixture(scope="session")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The paths inside a wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        wheel = build_wheel(str(folder))
    with zipfile.ZipFile(folder / wheel) as archive:
        return archive.namelist()


def test_only_our_names_reach_site_packages(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    metadata = {top for top in tops if top.startswith("paddock-") and top.endswith(".dist-info")}
    assert len(metadata) == 1
    assert tops - metadata == OURS


def test_every_file_of_the_packages_is_inside(names: list[str]) -> None:
    files = {path.relative_to(ROOT).as_posix() for top in OURS for path in [ROOT / top, *(ROOT / top).rglob("*")]}
    ours = {name for name in files if (ROOT / name).is_file() and "__pycache__" not in name}
    assert ours - set(names) == set()


def test_the_parts_that_are_not_python_are_inside(names: list[str]) -> None:
    held = set(names)
    assert {"images/definitions/base.toml", "images/definitions/finish.sh"} <= held
    assert any(name.startswith("sandbox/guest/") and name.endswith("main.py") for name in held)
    assert any(name.startswith("cli/sample/") and not name.endswith(".py") for name in held)


def test_nothing_of_a_work_place_is_inside(names: list[str]) -> None:
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".orig", ".rej", "~"))] == []


def test_the_licence_travels_along(names: list[str]) -> None:
    assert [name for name in names if name.endswith("/licenses/LICENSE")]
