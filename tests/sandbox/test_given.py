"""What the guest finds that the container was given, against what was asked: more is no sandbox of ours."""

import pytest

from sandbox.given import Given, excess
from sandbox.profile import CAPABILITIES

ASKED = {"CapAdd": ["SETUID", "SETGID", "KILL", "SETPCAP"], "SecurityOpt": ["no-new-privileges", "seccomp={}"]}
RIGHTS = sum(1 << CAPABILITIES[name] for name in ASKED["CapAdd"])


@pytest.mark.parametrize(
    ("given", "asked", "said"),
    [
        (Given(rights=RIGHTS, gains=False, filtered=True), ASKED, ""),
        (Given(rights=RIGHTS & ~1, gains=False, filtered=True), ASKED, ""),
        (
            Given(rights=RIGHTS | 1 << 21, gains=False, filtered=True),
            ASKED,
            "capabilities that nobody asked for (0x200000)",
        ),
        (Given(rights=RIGHTS, gains=True, filtered=True), ASKED, "new privileges"),
        (Given(rights=RIGHTS, gains=True, filtered=True), {**ASKED, "SecurityOpt": []}, ""),
        (Given(rights=RIGHTS, gains=False, filtered=False), ASKED, "every system call"),
        (Given(rights=RIGHTS, gains=False, filtered=False), {**ASKED, "SecurityOpt": []}, "every system call"),
        (Given(rights=RIGHTS, gains=False, filtered=False), {**ASKED, "Runtime": "runc"}, "every system call"),
        (Given(rights=RIGHTS, gains=False, filtered=False), {**ASKED, "Runtime": "runsc"}, ""),
    ],
)
def test_more_than_was_asked_for_is_found_out(given, asked, said):
    found = excess(given, asked)
    assert said in found
    assert bool(found) is bool(said)
