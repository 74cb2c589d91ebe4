"""What a build prints becomes a percentage that a person believes."""

import pytest

from images.image import Progress
from images.progress import BuildProgress

PRINTED = """\
I: automatically chosen mode: root
I: running apt-get update...
Get:1 http://mirror.example/debian bookworm InRelease [151 kB]
I: downloading packages with apt...
0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
Need to get 29.7 MB of archives.
Get:1 http://mirror.example/debian bookworm/main amd64 libc6 [2757 kB]
Get:2 http://mirror.example/debian bookworm/main amd64 bash [1491 kB]
I: extracting archives...
I: installing essential packages...
Unpacking libc6:amd64 (2.36-9) ...
Setting up libc6:amd64 (2.36-9) ...
Unpacking bash (5.2) ...
Setting up bash (5.2) ...
I: installing remaining packages inside the chroot...
0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.
Get:1 http://mirror.example/debian bookworm/main amd64 git [7260 kB]
Unpacking git (1:2.39.5) ...
Setting up git (1:2.39.5) ...
I: running --customize-hook in shell: sh -c '...
I: cleaning package lists and apt cache...
I: creating tarball...
I: done
""".splitlines()


def test_a_build_goes_from_step_to_step() -> None:
    progress = BuildProgress()
    seen = [now.step for line in PRINTED if (now := progress.read(line))]
    assert list(dict.fromkeys(seen)) == [
        "reading the package lists",
        "downloading packages",
        "unpacking the base system",
        "installing the base system",
        "installing the tools",
        "compiling Python's library",
        "cleaning up",
        "packing",
    ]


def test_a_build_never_goes_back_and_never_beyond_its_phase() -> None:
    progress = BuildProgress()
    percents = [now.done for line in PRINTED if (now := progress.read(line))]
    assert percents == sorted(percents)
    assert percents == [1, 6, 12, 18, 18, 26, 31, 36, 41, 46, 46, 57, 68, 80, 80, 91, 92]


def test_lines_that_mean_nothing_are_not_reported() -> None:
    progress = BuildProgress()
    assert [progress.read(line) for line in ("", "perl: warning", "Get:7 something", "Unpacking x ...")] == [None] * 4
    assert progress.now() == Progress("starting", 0, 100, "%")


@pytest.mark.parametrize("extra", [1, 1000])
def test_more_packages_than_planned_do_not_overflow(extra: int) -> None:
    progress = BuildProgress()
    progress.read("I: installing essential packages...")
    progress.read("0 upgraded, 1 newly installed, 0 to remove")
    for _ in range(2 + extra):
        progress.read("Setting up x")
    assert progress.now().done == 46
