"""I-30: which versions are known to have holes, however a distribution writes them."""

import gzip

import pytest

from sandbox.advisories import ADVISORIES, DOCS, changelogs, holes
from sandbox.engine_places import EnginePlace
from sandbox.errors import SandboxError
from sandbox.runtimes import checked_runtime
from sandbox.versions import has, version_of


def facts(engine="29.5.1", containerd="2.2.1", runc="1.4.0"):
    names = {"Engine": engine, "containerd": containerd, "runc": runc}
    return {"Version": {"Components": [{"Name": name, "Version": version} for name, version in names.items()]}}


def ids(found):
    return {one for hole in found for one in hole.ids}


@pytest.mark.parametrize(
    ("text", "numbers", "stage", "is_packaged"),
    [
        ("20.10.24", (20, 10, 24), 3, False),
        ("v1.7.13", (1, 7, 13), 3, False),
        ("20.10.24+dfsg1", (20, 10, 24), 3, True),
        ("1.6.20~ds1", (1, 6, 20), 3, True),
        ("1.1.5+ds1-1+deb12u1", (1, 1, 5), 3, True),
        ("1.1.12-0ubuntu2~22.04.1", (1, 1, 12), 3, True),
        ("27.5.1-0ubuntu3", (27, 5, 1), 3, True),
        ("1.4.0-rc.3", (1, 4, 0), 2, False),
        ("1.0.0~rc93+ds1", (1, 0, 0), 2, True),
        ("1.0.0-rc95", (1, 0, 0), 2, False),
        ("28.0", (28, 0, 0), 3, False),
    ],
)
def test_versions_are_read_as_distributions_write_them(text, numbers, stage, is_packaged):
    version = version_of(text)
    assert (version.numbers, version.stage, version.is_packaged) == (numbers, stage, is_packaged)


@pytest.mark.parametrize("text", ["", "unknown", "dev", "<html>", "1", "HEAD-4f1c"])
def test_what_is_no_version_is_a_hole_by_itself(text, tmp_path):
    assert version_of(text) is None
    [hole] = holes(facts(runc=text), tmp_path)
    assert "tells nothing" in hole.sentence


@pytest.mark.parametrize(
    ("version", "is_fixed"),
    [
        ("1.1.12", False), ("1.2.7", False), ("1.2.8", True), ("1.2.9", True), ("1.3.2", False), ("1.3.3", True),
        ("1.4.0-rc.2", False), ("1.4.0-rc.3", True), ("1.4.0", True), ("1.5.0-rc.1", True), ("2.0.0", True),
    ],
)  # fmt: skip
def test_a_fix_counts_in_its_own_branch_and_in_newer_ones(version, is_fixed):
    assert has(version_of(version), ("1.2.8", "1.3.3", "1.4.0-rc.3")) is is_fixed


@pytest.mark.parametrize(
    ("engine", "runc", "expected", "absent"),
    [
        ("20.10.24", "1.1.4", {"CVE-2024-21626", "CVE-2023-28642", "CVE-2025-31133", "CVE-2026-41567"}, set()),
        ("20.10.24", "1.1.5", {"CVE-2024-21626", "CVE-2026-31431"}, {"CVE-2023-28642", "CVE-2022-36109"}),
        ("20.10.17", "1.1.12", {"CVE-2022-36109", "CVE-2025-52881"}, {"CVE-2024-21626"}),
        ("28.5.2", "1.3.3", {"CVE-2026-31431", "CVE-2026-42306"}, {"CVE-2025-31133", "CVE-2024-29018"}),
        ("29.5.1", "1.4.0", set(), {one for advisory in ADVISORIES for one in advisory.ids}),
    ],
)
def test_i30_known_holes_are_named_by_version(engine, runc, expected, absent, tmp_path):
    found = ids(holes(facts(engine, runc=runc), tmp_path))
    assert expected <= found
    assert not absent & found


def test_a_hole_says_what_is_wrong_where_it_is_fixed_and_what_it_means_here(tmp_path):
    [hole] = holes(facts(runc="1.3.2"), tmp_path)
    assert hole.sentence == (
        "runc 1.3.2 has CVE-2025-31133, CVE-2025-52565, CVE-2025-52881: containers that start side by side and share "
        "mounts can reach the host (fixed in 1.2.8, 1.3.3, 1.4.0-rc.3); here: no folder that a sandbox can write is in "
        "two of them"
    )


def test_what_a_distributions_changelog_names_is_fixed_and_only_for_its_own_package(tmp_path):
    (tmp_path / "runc").mkdir()
    with gzip.open(tmp_path / "runc" / "changelog.Debian.gz", "wt") as file:
        file.write("runc (1.1.5+ds1-1+deb12u1)\n\n  * Backport fix for CVE-2024-21626, CVE-2025-31133\n")
    packaged, upstream = (ids(holes(facts(runc=version), tmp_path)) for version in ("1.1.5+ds1", "1.1.5"))
    assert "CVE-2024-21626" not in packaged
    assert "CVE-2025-31133" in packaged  # the two that go with it are not named
    assert "CVE-2024-21626" in upstream
    assert "names no fix of its own" in holes(facts(runc="1.1.5+ds1"), tmp_path)[-1].sentence


def test_the_changelogs_of_this_machine_say_nothing_of_an_engine_on_another():
    assert changelogs(EnginePlace("unix:///var/run/docker.sock", "")) == DOCS
    assert [changelogs(EnginePlace(far, "")) for far in ("ssh://builder", "tcp://builder:2376")] == [None, None]
    assert "CVE-2024-21626" in ids(holes(facts(runc="1.1.5+ds1"), None))


def test_no_hole_of_dockers_is_said_of_podman(tmp_path):
    podman = {"ServerVersion": "4.3.1", "Version": {"Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}}
    [hole] = holes(podman, tmp_path)
    assert (hole.ids, hole.sentence) == (
        (),
        "Engine says its version is 'Podman 4.3.1', which tells nothing about known holes",
    )


def test_a_damaged_changelog_fixes_nothing(tmp_path):
    (tmp_path / "runc").mkdir()
    (tmp_path / "runc" / "changelog.Debian.gz").write_bytes(b"no gzip")
    assert "CVE-2024-21626" in ids(holes(facts(runc="1.1.5+ds1"), tmp_path))


def test_every_advisory_can_be_fixed():
    for one in ADVISORIES:
        assert all(version_of(version) is not None for version in one.fixed)
        assert not has(version_of("0.1.0"), one.fixed)
        assert has(version_of("99.0.0"), one.fixed)


INFO = {"Runtimes": {"runc": {"path": "runc"}, "crun": {"path": "/usr/bin/crun"}}, "DefaultRuntime": "runc"}


def test_a_runtime_is_what_the_engine_has():
    assert (checked_runtime("", INFO), checked_runtime("crun", INFO)) == ("runc", "crun")
    with pytest.raises(SandboxError, match=r"no runtime 'runsc', only crun, runc: add it to .*daemon\.json"):
        checked_runtime("runsc", INFO)
