"""A scripted model: answers from a file, over the real API, for the demo, for tests and for rehearsals."""

from runtime.script.format import Script, ScriptError, load_script, parse_script
from runtime.script.server import ScriptServer

__all__ = ["Script", "ScriptError", "ScriptServer", "load_script", "parse_script"]
