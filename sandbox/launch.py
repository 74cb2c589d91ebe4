"""How the guest gets into a container: as text on its command line; no upload, no file in the image, no skew."""

import functools
import importlib.resources
import json

from sandbox.guest import ORDER
from sandbox.profile import CAPABILITIES, Profile, User

PACKAGE = "sandbox.guest"

# One line of Python that makes modules of the sources again, in order, and starts the last one.
LOADER = """\
import json, sys, types
for name, source in json.loads(sys.argv[1]):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
module.main(json.loads(sys.argv[2]))
"""


def entrypoint(user: User, profile: Profile) -> list[str]:
    """The container's command: the image's own Python, isolated from its settings and packages (-I -S)."""
    rights = [CAPABILITIES[name] for name in profile.capabilities]
    settings = json.dumps({"uid": user.uid, "gid": user.gid, "capabilities": rights})
    return ["python3", "-I", "-S", "-c", LOADER, _sources(), settings]


@functools.cache
def _sources() -> str:
    folder = importlib.resources.files(PACKAGE)
    modules = [("sandbox", ""), (PACKAGE, "")]
    modules += [(f"{PACKAGE}.{name}", folder.joinpath(f"{name}.py").read_text("utf-8")) for name in ORDER]
    return json.dumps(modules, separators=(",", ":"))
