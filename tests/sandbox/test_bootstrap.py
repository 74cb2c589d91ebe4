"""Set-up on a small machine made of a few real programs: what is missing is named, installed once and started."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.bootstrap import Machine, Missing, install, missing
from sandbox.errors import EngineUnavailable, SetupFailed

NOBODY = 65534

DOCKERD = """#!{python}
import os, socket
open({home!r} + "/dockerd.pid", "a").write(str(os.getpid()) + "\\n")
print("session", os.getsid(0) == os.getpid(), flush=True)
server = socket.socket(socket.AF_UNIX)
server.bind({socket!r})
server.listen()
server.settimeout(30)
while True:
    connection, _ = server.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nOK")
    connection.close()
"""

# Debian's package manager, as far as we use it: `install` puts the programs where programs are.
APT = """#!/bin/sh
echo "$@" >> {home}/apt.calls
[ "$2" = update ] && exit 0
echo "Need to get 65.3 MB of archives."
[ -e {home}/broken ] && echo "E: Unable to locate package docker.io" && exit 100
for package; do
    case $package in
        docker.io) cp {home}/store/dockerd {bin} ;;
        uidmap) cp {home}/store/true {bin}/newuidmap ;;
        iptables | mmdebstrap) cp {home}/store/true {bin}/$package ;;
    esac
done
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short path (a socket's may have 108 bytes), emptied of daemons afterwards."""
    with tempfile.TemporaryDirectory(prefix="m") as folder:
        yield Path(folder)
        with contextlib.suppress(FileNotFoundError):
            for pid in (Path(folder) / "dockerd.pid").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def machine(home: Path) -> Machine:
    """Nothing installed but a shell and apt-get."""
    programs, store = home / "bin", home / "store"
    programs.mkdir()
    store.mkdir()
    for name in ("sh", "env", "setsid", "cp"):
        (programs / name).symlink_to(shutil.which(name) or "")
    socket = home / "docker.sock"
    script(store / "true", "#!/bin/sh\n")
    script(store / "dockerd", DOCKERD.format(python=sys.executable, home=str(home), socket=str(socket)))
    script(programs / "apt-get", APT.format(home=home, bin=programs))
    return Machine(socket=socket, search=str(programs), systemd=home / "systemd", uid=0)


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def calls(home: Path) -> list[str]:
    return (home / "apt.calls").read_text().splitlines()


def test_a_bare_machine_lacks_the_engine_and_the_builder(machine: Machine) -> None:
    assert [str(one) for one in missing(machine)] == [
        "no Docker engine is installed",
        "mmdebstrap is not installed: it builds the base image",
    ]


def test_looking_changes_nothing(machine: Machine, home: Path) -> None:
    missing(machine)
    assert not (home / "apt.calls").exists()


def test_what_is_missing_is_installed_and_the_engine_started(machine: Machine, home: Path) -> None:
    said: list[str] = []
    install(missing(machine), state=home / "state", emit=said.append, machine=machine)
    assert missing(machine) == []
    assert calls(home) == [
        "-q update",
        "-q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends docker.io iptables mmdebstrap",
    ]
    assert said[:2] == ["reading the package lists", "installing docker.io iptables mmdebstrap"]
    assert said[-1].startswith("the engine answers")


def test_only_what_was_agreed_to_is_installed(machine: Machine, home: Path) -> None:
    builder = [one for one in missing(machine) if one.what == "builder"]
    install(builder, state=home / "state", emit=lambda _: None, machine=machine)
    assert [one.what for one in missing(machine)] == ["engine"]


def test_the_engine_lives_in_a_session_of_its_own(machine: Machine, home: Path) -> None:
    install(missing(machine), state=home / "state", emit=lambda _: None, machine=machine)
    assert "session True" in (home / "state" / "dockerd.log").read_text()


def test_the_engine_holds_no_pipe_of_the_command_that_started_it(machine: Machine, home: Path) -> None:
    code = f"""
from pathlib import Path
from sandbox.bootstrap import Machine, Missing, install, missing
machine = Machine(Path({str(machine.socket)!r}), {machine.search!r}, Path({str(machine.systemd)!r}), 0)
install(missing(machine), state=Path({str(home / "state")!r}), emit=print, machine=machine)
"""
    # Returns only when everybody has closed the pipe: with an engine that kept it, this would time out.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, cwd=Path.cwd())
    assert "the engine answers" in done.stdout, done.stderr
    assert [one.what for one in missing(machine)] == []


def test_two_set_ups_at_once_install_and_start_once(machine: Machine, home: Path) -> None:
    wanted = missing(machine)
    threads = [
        threading.Thread(
            target=install, args=(wanted,), kwargs={"state": home / "state", "emit": lambda _: None, "machine": machine}
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls(home)) == 2
    assert len((home / "dockerd.pid").read_text().split()) == 1


def test_a_package_that_cannot_be_had_says_what_apt_said(machine: Machine, home: Path) -> None:
    (home / "broken").touch()
    with pytest.raises(SetupFailed, match=r"could not install docker.io .*\n(.*\n)*  E: Unable to locate package"):
        install(missing(machine), state=home / "state", emit=lambda _: None, machine=machine)


def test_an_engine_that_dies_at_once_shows_its_last_lines(machine: Machine, home: Path) -> None:
    script(home / "store" / "dockerd", "#!/bin/sh\necho 'failed to start daemon: no \033[31mcgroups'\nexit 1\n")
    with pytest.raises(SetupFailed, match=r"did not start; .*\n  failed to start daemon: no  \[31mcgroups$"):
        install(missing(machine), state=home / "state", emit=lambda _: None, machine=machine)


def test_without_apt_the_person_is_told_what_to_install(machine: Machine, home: Path) -> None:
    (home / "bin" / "apt-get").unlink()
    with pytest.raises(SetupFailed, match="no apt-get; install Docker Engine and mmdebstrap"):
        install(missing(machine), state=home / "state", emit=lambda _: None, machine=machine)


def test_without_root_and_sudo_the_command_for_root_is_shown(machine: Machine, home: Path) -> None:
    user = Machine(machine.socket, machine.search, machine.systemd, uid=NOBODY)
    with pytest.raises(SetupFailed, match=r"as root, run: env .* apt-get"):
        install(missing(user), state=home / "state", emit=lambda _: None, machine=user)


def test_a_user_goes_through_sudo(machine: Machine, home: Path) -> None:
    script(home / "bin" / "sudo", f'#!/bin/sh\n[ "$1" = -n ] && shift\necho "$1" >> {home}/sudo.calls\nexec "$@"\n')
    user = Machine(machine.socket, machine.search, machine.systemd, uid=NOBODY)
    install(missing(user), state=home / "state", emit=lambda _: None, machine=user)
    assert missing(user) == []
    assert (home / "sudo.calls").read_text().split() == ["env", "env", "sh"]


def test_who_is_not_root_needs_one_package_more_to_build(machine: Machine, home: Path) -> None:
    shutil.copy(home / "store" / "true", home / "bin" / "mmdebstrap")
    user = Machine(machine.socket, machine.search, machine.systemd, uid=NOBODY)
    assert [one.what for one in missing(machine)] == ["engine"]
    assert missing(user)[1:] == [
        Missing("builder", "uidmap is not installed: without it only root builds the base image", ("uidmap",))
    ]


def test_where_systemd_runs_it_starts_the_engine(machine: Machine, home: Path) -> None:
    machine.systemd.mkdir()
    start = f"{home}/store/dockerd > /dev/null 2>&1 < /dev/null &"
    script(home / "bin" / "systemctl", f'#!/bin/sh\necho "$@" > {home}/systemctl.calls\n{start}\n')
    install(missing(machine), state=home / "state", emit=lambda _: None, machine=machine)
    assert (home / "systemctl.calls").read_text() == "start docker\n"


def test_a_socket_nobody_listens_on_is_an_engine_that_does_not_answer(machine: Machine, home: Path) -> None:
    shutil.copy(home / "store" / "dockerd", home / "bin")
    machine.socket.touch()
    engine = missing(machine)[0]
    assert (engine.what, engine.packages) == ("engine", ("iptables",))
    assert "does not answer" in engine.line


def test_failed_set_up_is_the_case_of_no_engine() -> None:
    assert issubclass(SetupFailed, EngineUnavailable)
