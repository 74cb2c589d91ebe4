"""A24.3: whose the files are where everybody is inside who they are outside, for a uid that no range of ids holds."""

import os
import stat
import subprocess

import pytest

from sandbox.base import Command
from sandbox.opening import opened

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.root]
LARGE = 635_438_412


async def test_a_uid_out_of_a_directory_service_owns_what_it_made_inside_and_outside(new_session, checkout, engine):
    session = new_session()
    session.save(session.meta().model_copy(update={"uid": LARGE, "gid": LARGE}))
    for folder in (checkout, session.path):
        subprocess.run(["chown", "-R", f"{LARGE}:{LARGE}", folder], check=True)
    async with opened(session, engine) as sandbox:
        script = "echo x >> hello.txt; mkdir d; echo y > d/new; chmod 750 d/new; id -u; stat -c %u src hello.txt d/new"
        done = await sandbox.run(Command(["bash", "-c", script], sandbox.root))
        assert done.stdout.all.split() == [b"%d" % LARGE] * 4, done.stderr.all
        changes = await sandbox.freeze()
    assert {b"hello.txt", b"d/new"} <= {one.path for one in changes.changes}
    facts = os.stat(session.upper / "d" / "new")
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (LARGE, LARGE, 0o750)
