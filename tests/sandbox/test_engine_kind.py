"""What an engine says of itself, and what follows: whose ids are inside, which limits hold, what is refused."""

import re
from pathlib import Path

import pytest

from sandbox.choice import Choice, Machine
from sandbox.engine_kind import kind_of
from sandbox.errors import SandboxError
from sandbox.labels import Owner
from sandbox.podman import spelled, with_volumes
from sandbox.profile import GIB, User, machine_of, profile_of, request, this_machine

HOLDS = {"MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True, "CgroupVersion": "2", "ServerVersion": "28.0"}
ROOTLESS = {**HOLDS, "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}
PODMAN = {**HOLDS, "ServerVersion": "4.3.1", "Version": {"Components": [{"Name": "Podman Engine"}]}}
ME = User(635_438_412, 100)


def test_limits_are_measured_against_the_machine_that_the_engine_runs_on():
    here = this_machine()
    assert machine_of({"MemTotal": here.memory, "NCPU": here.cores}) is None
    assert machine_of({}) is None
    there = machine_of({"MemTotal": 2 * GIB, "NCPU": 1})
    assert there == Machine(2 * GIB, 1)
    profile = profile_of(Choice(machine=there, cpus=4))
    assert (profile.memory, profile.cpus) == (1 * GIB, 1)


def config(user=ME):
    overlay = {
        "Type": "volume",
        "Target": "/w",
        "VolumeOptions": {
            "Labels": {"a": "b"},
            "DriverConfig": {"Name": "local", "Options": {"type": "overlay", "o": "lowerdir=/a,ro"}},
        },
    }
    plain = {"Type": "volume", "Target": "/p", "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}}}
    shared = {"Type": "volume", "Source": "toolbox", "Target": "/s", "VolumeOptions": {"NoCopy": True}}
    return request(
        profile_of(Choice(), Machine(2**33, 4)),
        image="sha256:1",
        volumes=(),
        entrypoint=["x"],
        mounts=[overlay, plain, shared],
        user=user,
        owner=Owner.of("s"),
    )


@pytest.mark.parametrize(
    ("facts", "name", "inside", "unlimited", "pauses"),
    [
        (HOLDS, "Docker 28.0", ME, (), True),
        (ROOTLESS, "rootless Docker 28.0", User(0, 0), (), True),
        (
            {**ROOTLESS, "CgroupDriver": "none"},
            "rootless Docker 28.0",
            User(0, 0),
            ("memory", "processes", "cores"),
            False,
        ),
        (PODMAN, "Podman 4.3.1", ME, (), True),
        ({**PODMAN, "Rootless": True}, "rootless Podman 4.3.1", User(0, 0), (), True),
        (
            {**PODMAN, "Rootless": True, "CgroupVersion": "1"},  # it says that its limits hold, and forgets them
            "rootless Podman 4.3.1",
            User(0, 0),
            ("memory", "processes", "cores"),
            False,
        ),
        ({**HOLDS, "PidsLimit": False}, "Docker 28.0", ME, ("processes",), True),
    ],
)
def test_what_an_engine_says_decides_what_is_done(facts, name, inside, unlimited, pauses):
    kind = kind_of(facts)
    assert (kind.name, kind.inside(ME), kind.unlimited, kind.pauses) == (name, inside, unlimited, pauses)
    assert kind.notice == (f"limits not enforced by this engine ({name}): {', '.join(unlimited)}" if unlimited else "")


def test_where_files_would_be_somebody_elses_that_is_said(tmp_path):
    remapped = kind_of({**HOLDS, "SecurityOptions": ["name=userns"]})
    assert "userns-remap" in remapped.stranger(1000)
    assert remapped.inside(ME) == User(0, 0)  # who is none of the machine's root
    owner = tmp_path.stat().st_uid
    assert kind_of(ROOTLESS, f"unix://{tmp_path}").stranger(owner) == ""
    said = kind_of(ROOTLESS, f"unix://{tmp_path}").stranger(owner + 1)
    assert said == f"the engine is the rootless one of uid {owner}, and you are uid {owner + 1}"
    assert kind_of(ROOTLESS, "tcp://127.0.0.1:2375").stranger(owner + 1) == ""  # nobody can tell


@pytest.mark.parametrize("field", ["NetworkMode", "ReadonlyRootfs", "CapAdd", "CapDrop", "SecurityOpt", "Memory"])
def test_an_engine_that_takes_less_than_asked_is_found_out(field):
    asked = config()["HostConfig"]
    assert kind_of(HOLDS).difference(asked, asked) == ""
    assert kind_of(HOLDS).difference(asked, {**asked, field: None}) == field


def test_a_limit_that_the_engine_says_it_forgets_may_be_forgotten_and_nothing_else():
    asked = config()["HostConfig"]
    kind = kind_of({**ROOTLESS, "CgroupDriver": "none"})
    assert kind.difference(asked, {**asked, "Memory": 0, "PidsLimit": 0}) == ""
    assert kind.difference(asked, {**asked, "Memory": 0, "Privileged": True}) == "Privileged"


def podmans(asked, **more):
    """How Podman 4.3 says what it was asked."""
    with spelled({"HostConfig": asked}) as words:
        options = words["HostConfig"]["SecurityOpt"]
    return {**asked, "CapAdd": [], "CapDrop": ["CHOWN", "NET_RAW"], "SecurityOpt": options, **more}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({}, ""),
        ({"CapAdd": ["CAP_SETUID"]}, ""),
        ({"CapAdd": ["CAP_SYS_ADMIN"]}, "CapDrop"),
        ({"CapDrop": []}, "CapDrop"),
        ({"SecurityOpt": ["no-new-privileges"]}, "SecurityOpt"),
        ({"SecurityOpt": ["seccomp=/tmp/x"]}, "SecurityOpt"),
        ({"ReadonlyRootfs": False}, "ReadonlyRootfs"),
        ({"NetworkMode": "slirp4netns"}, "NetworkMode"),
        ({"PidsLimit": 0}, "PidsLimit"),
    ],
)
def test_podmans_own_words_are_understood_and_less_is_found_out(changed, field):
    asked = config()["HostConfig"]
    assert kind_of(PODMAN).difference(asked, podmans(asked, **changed)) == field


def test_a_runtime_cannot_be_chosen_where_nobody_can_tell_which_one_it_was():
    asked = {**config()["HostConfig"], "Runtime": "runsc"}
    assert kind_of(PODMAN).difference(asked, podmans(asked, Runtime="oci")) == "Runtime"


def test_podman_gets_the_filter_as_a_file_that_is_gone_afterwards(tmp_path):
    with spelled(config()) as words:
        first, second = words["HostConfig"]["SecurityOpt"]
        path = Path(second.removeprefix("seccomp="))
        assert '"defaultAction"' in path.read_text()
    assert first == "no-new-privileges"
    assert not path.exists()


def test_podman_gets_only_words_that_it_knows_for_folders_in_memory():
    with spelled(config()) as words:
        folders = words["HostConfig"]["Tmpfs"]
    assert folders["/run"] == "rw,nosuid,nodev,noexec,size=16777216,mode=0755,notmpcopyup"
    assert folders["/home/agent"].endswith("mode=1777,notmpcopyup")  # it cannot be given to somebody
    with spelled(config(User(0, 0))) as words:
        assert words["HostConfig"]["Tmpfs"]["/home/agent"].endswith("mode=0700,notmpcopyup")


def test_podman_gets_each_volume_that_is_the_containers_own_made_before():
    named, volumes = with_volumes(config())
    first, second, third = named["HostConfig"]["Mounts"]
    assert third == config()["HostConfig"]["Mounts"][2]
    assert [first, second] == [
        {"Type": "volume", "Source": volume.name, "Target": target}
        for volume, target in zip(volumes, ("/w", "/p"), strict=True)
    ]
    assert all(len(volume.name) == 64 and volume.labels == {"a": "b"} for volume in volumes)
    assert "".join(volumes[1].options) == "nocopy"


def test_podman_is_told_an_owner_of_what_it_mounts_and_mount_is_not():
    """As both read the options: Podman at every comma, util-linux's mount at those outside of quotes."""
    overlay = with_volumes(config())[1][0].options
    assert overlay.keys() == {"type", "o", "nocopy"}
    assert "uid=0" in overlay["o"].split(",")
    assert re.sub('"[^"]*"', "", overlay["o"]).split(",") == ["lowerdir=/a", "ro", "X-owner="]


@pytest.mark.parametrize("path", ["/p,source=paddock-toolbox,target=/mnt", '/p"', "/p\n"])
def test_podman_is_given_no_path_that_it_would_read_options_in(path):
    with pytest.raises(SandboxError, match="Podman would read options"):
        with_volumes({"HostConfig": {"Mounts": [{"Type": "volume", "Target": path, "VolumeOptions": {"Labels": {}}}]}})


def test_podman_is_given_no_folder_of_an_images_that_it_would_read_options_in():
    with pytest.raises(SandboxError, match="Podman would read options"):
        with_volumes({"HostConfig": {"Tmpfs": {"/x:size=99g,exec": "size=1"}}})
    assert with_volumes({"HostConfig": {"Tmpfs": {"/x,y": "size=1"}}})[1] == []
