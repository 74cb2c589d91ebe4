"""The second engine that tests kill: what it may see, and what is left of it."""

import io
import tarfile
from pathlib import Path

import docker.errors
import pytest

from tests.secondengine import CGROUPS, second_engine

pytestmark = [pytest.mark.engine, pytest.mark.root, pytest.mark.slow]


def nothing() -> bytes:
    """An image's files: none."""
    data = io.BytesIO()
    tarfile.open(fileobj=data, mode="w").close()
    return data.getvalue()


def test_it_sees_no_folder_that_is_hidden_from_it(tmp_path: Path) -> None:
    for name in ("seen", "hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with second_engine(hides=[tmp_path / "hidden"]) as engine, engine.client() as client:
        client.import_image_from_data(nothing(), repository="empty")

        def mounting(name: str) -> dict[str, object]:
            mount = {"Type": "bind", "Source": str(tmp_path / name / "file"), "Target": "/file"}
            return {"Image": "empty", "Cmd": ["/none"], "HostConfig": {"Mounts": [mount]}}

        assert client.create_container_from_config(mounting("seen"))["Id"]
        with pytest.raises(docker.errors.APIError, match="bind source path does not exist"):
            client.create_container_from_config(mounting("hidden"))


def test_nothing_is_left_of_it_when_a_test_fails() -> None:
    folder = Path()
    with pytest.raises(ZeroDivisionError), second_engine() as engine:
        folder = Path(engine.address.removeprefix("unix://")).parent
        assert folder.is_dir()
        raise ZeroDivisionError
    assert not folder.exists()
    assert not [*CGROUPS.glob(f"*/{folder.name}"), *CGROUPS.glob(folder.name)]
    assert str(folder) not in Path("/proc/mounts").read_text()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert bytes(folder) not in command.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
