"""Where an engine is looked for: what is named wins, and alone; else the sockets that engines have, in order."""

import gc
import hashlib
import json
import os
from pathlib import Path

import pytest

from sandbox.engine import Engine
from sandbox.engine_places import MACHINES, places
from sandbox.errors import EngineUnavailable


def addresses(variables):
    return [place.address for place in places(variables)]


def context(home: Path, name: str, host: str) -> Path:
    """A context as `docker context create` lays it out."""
    folder = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    return folder


def test_without_a_word_the_usual_sockets_are_tried_in_order(tmp_path):
    assert addresses({"HOME": "/home/me", "XDG_RUNTIME_DIR": "/run/user/7"}) == [
        MACHINES,
        "unix:///run/user/7/docker.sock",
        "unix:///home/me/.docker/run/docker.sock",
        "unix:///home/me/.docker/desktop/docker.sock",
        "unix:///home/me/.orbstack/run/docker.sock",
        "unix:///home/me/.colima/default/docker.sock",
        "unix:///run/user/7/podman/podman.sock",
        "unix:///run/podman/podman.sock",
    ]
    assert f"unix:///run/user/{os.getuid()}/docker.sock" in addresses({"HOME": "/home/me"})


def test_one_that_is_named_is_the_only_one(tmp_path):
    context(tmp_path, "colima", "unix:///c.sock")
    context(tmp_path, "far", "tcp://10.0.0.7:2375")
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "colima"}')
    home = {"HOME": str(tmp_path)}
    assert addresses(home) == ["unix:///c.sock"]
    assert addresses({**home, "DOCKER_CONTEXT": "far"}) == ["tcp://10.0.0.7:2375"]
    assert addresses({**home, "DOCKER_CONTEXT": "far", "DOCKER_HOST": "unix:///h.sock"}) == ["unix:///h.sock"]
    assert addresses({"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path / ".docker")}) == ["unix:///c.sock"]


def test_the_context_called_default_is_none(tmp_path):
    assert addresses({"HOME": str(tmp_path), "DOCKER_CONTEXT": "default"})[0] == MACHINES


@pytest.mark.parametrize("text", ["", "[]", '{"currentContext": 3}', "{"])
def test_a_damaged_config_of_docker_names_nothing(tmp_path, text):
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(text)
    assert addresses({"HOME": str(tmp_path)})[0] == MACHINES


@pytest.mark.parametrize("text", [None, "", "[]", '{"Endpoints": {}}'])
def test_a_context_that_cannot_be_read_is_an_error_and_no_reason_to_take_another(tmp_path, text):
    folder = context(tmp_path, "there", "unix:///x")
    if text is None:
        (folder / "meta.json").unlink()
    else:
        (folder / "meta.json").write_text(text)
    with pytest.raises(EngineUnavailable, match="the docker context 'there' cannot be read"):
        places({"HOME": str(tmp_path), "DOCKER_CONTEXT": "there"})


@pytest.mark.parametrize("address", ["npipe:////./pipe/docker", "fd://", "10.0.0.7:2376", "TCP://10.0.0.7:2376", "far"])
def test_another_way_to_speak_is_refused_before_anything_is_sent(address):
    with pytest.raises(EngineUnavailable, match="only unix://, ssh:// and tcp:// are spoken"):
        Engine.connect({"HOME": "/nowhere", "DOCKER_HOST": address, "DOCKER_TLS_VERIFY": "1"})


def test_a_port_is_asked_for():
    with pytest.raises(EngineUnavailable, match="an address over TCP is tcp://host:port"):
        Engine.connect({"HOME": "/nowhere", "DOCKER_HOST": "tcp://10.0.0.7"})


@pytest.mark.parametrize("name", ["DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH"])
@pytest.mark.parametrize("scheme", ["tcp", "http", "https"])
def test_a_word_for_tls_leaves_no_address_plain(tmp_path, name, scheme):
    variables = {"HOME": str(tmp_path), "DOCKER_HOST": f"{scheme}://127.0.0.1:9", name: str(tmp_path / ".docker")}
    (place,) = places(variables)
    assert (place.is_encrypted, place.certificates) == (True, tmp_path / ".docker")
    with pytest.raises(EngineUnavailable, match=f"{tmp_path}/.docker/ca.pem is missing"):
        Engine.connect(variables)


@pytest.mark.parametrize("address", ["unix:///x.sock", "ssh://far"])
def test_a_socket_is_spoken_to_plainly(address):
    (place,) = places({"DOCKER_HOST": address, "DOCKER_TLS_VERIFY": "1"})
    assert not place.is_encrypted


def test_a_context_brings_its_own_certificates_and_cannot_do_without(tmp_path):
    folder = context(tmp_path, "far", "tcp://127.0.0.1:9")
    home = {"HOME": str(tmp_path), "DOCKER_CONTEXT": "far"}
    assert not places(home)[0].is_encrypted
    (folder / "meta.json").write_text(
        json.dumps({"Endpoints": {"docker": {"Host": "tcp://127.0.0.1:9", "SkipTLSVerify": True}}})
    )
    assert places(home)[0].is_encrypted
    context(tmp_path, "other", "tcp://127.0.0.1:9")
    key = hashlib.sha256(b"other").hexdigest()
    (files := tmp_path / ".docker" / "contexts" / "tls" / key / "docker").mkdir(parents=True)
    (place,) = places({**home, "DOCKER_CONTEXT": "other"})
    assert (place.is_encrypted, place.certificates, place.needs_authority) == (True, files, False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker-py leaves that socket open
def test_one_that_is_named_and_silent_is_named_in_the_error_and_not_replaced(tmp_path):
    with pytest.raises(EngineUnavailable) as caught:
        Engine.connect({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert f"tried unix://{tmp_path}/none.sock (DOCKER_HOST: not there)" in str(caught.value)
    assert MACHINES not in str(caught.value)
    with pytest.raises(EngineUnavailable, match=r"tcp://127.0.0.1:9 \(DOCKER_HOST: nothing answers\)"):
        Engine.connect({"DOCKER_HOST": "tcp://127.0.0.1:9"})
    gc.collect()
