"""Which of the host's apt sources serve an image, and under what name."""

import pytest

from images import mirror
from images.mirror import Source

TARGETS = """\
MetaKey: main/binary-amd64/Packages
Codename: bookworm
Origin: Debian
Component: main
Release: bookworm
Repo-URI: http://mirror.example/debian/
Sourcesentry: {folder}/debian.sources:1
Target-Of: deb

Origin: Debian
Component: main
Release: bookworm-security
Repo-URI: https://mirror.example/security/
Sourcesentry: {folder}/old.list:2

Origin: Debian
Component: non-free
Release: bookworm
Repo-URI: http://mirror.example/debian/
Sourcesentry: {folder}/debian.sources:1

Origin: . nodistro
Component: main
Release: nodistro
Repo-URI: https://other.example/node/

Component: main
Release: bookworm
Repo-URI: cdrom://disc/
"""


@pytest.fixture
def targets(tmp_path) -> str:
    (tmp_path / "debian.sources").write_text("Types: deb\nSuites: bookworm\nSigned-By: /keys/house.gpg\n")
    (tmp_path / "old.list").write_text(
        "# comment\ndeb [arch=amd64 signed-by=/keys/old.gpg] https://mirror.example bookworm-security main\n"
    )
    return TARGETS.format(folder=tmp_path)


def test_only_debians_main_archive_is_taken_with_the_key_its_entry_names(targets: str) -> None:
    assert list(mirror.parse(targets)) == [
        Source("http://mirror.example/debian/", "bookworm", "/keys/house.gpg"),
        Source("https://mirror.example/security/", "bookworm-security", "/keys/old.gpg"),
    ]


def test_a_host_of_another_release_lends_its_mirror(targets: str) -> None:
    found = list(mirror.translate(mirror.parse(targets), "bookworm", "trixie"))
    assert [(source.address, source.release) for source in found] == [
        ("http://mirror.example/debian/", "trixie"),
        ("https://mirror.example/security/", "trixie-security"),
    ]


def test_releases_that_are_not_the_hosts_own_are_left_out(targets: str) -> None:
    assert list(mirror.translate(mirror.parse(targets), "sid", "bookworm")) == []


def test_a_source_is_a_line_of_apts() -> None:
    source = Source("http://mirror.example/debian/", "bookworm", "/keys/house.gpg")
    assert source.line(["main", "contrib"]) == (
        "deb [signed-by=/keys/house.gpg] http://mirror.example/debian/ bookworm main contrib"
    )
    assert Source("http://mirror.example/", "sid", "").line(["main"]) == "deb http://mirror.example/ sid main"


@pytest.mark.parametrize(
    ("os_release", "codename"),
    [
        ('ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian"\n', "trixie"),
        ('ID="debian"\nVERSION_CODENAME="bookworm"\n', "bookworm"),
        ("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n", ""),
        ("", ""),
    ],
)
def test_only_a_debian_has_debians_mirrors(os_release: str, codename: str) -> None:
    assert mirror.codename(os_release) == codename


def test_apt_without_sources_gives_none() -> None:
    assert list(mirror.parse("")) == []
