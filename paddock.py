"""Paddock's public Python API: names only. What is not here may change without notice."""

from images.errors import BuildFailed, ImageError, UnknownImage
from runtime.events import Event, Finished, TextDelta, ToolFinished, ToolStarted, Usage
from runtime.permissions.errors import DeniedByRule, SettingsError
from runtime.project import Project, project
from runtime.script import ScriptServer, load_script
from runtime.settings import Bounds, ModelChoice
from sandbox.base import Command, ExecResult, Output, Sandbox
from sandbox.changes import Change, ChangeSet, Directory, File, Link, Refused
from sandbox.errors import (
    ApplyUnfinished,
    CheckoutRefused,
    EngineUnavailable,
    FileError,
    OutOfSpace,
    SandboxError,
    SandboxLost,
    SessionBusy,
    SessionNotFound,
    StateError,
)
from sandbox.escape import escape
from sandbox.gate.apply import Applied, Conflict, Conflicts
from sandbox.limits import LimitReached

__all__ = [
    "Applied",
    "ApplyUnfinished",
    "Bounds",
    "BuildFailed",
    "Change",
    "ChangeSet",
    "CheckoutRefused",
    "Command",
    "Conflict",
    "Conflicts",
    "DeniedByRule",
    "Directory",
    "EngineUnavailable",
    "Event",
    "ExecResult",
    "File",
    "FileError",
    "Finished",
    "ImageError",
    "LimitReached",
    "Link",
    "ModelChoice",
    "OutOfSpace",
    "Output",
    "Project",
    "Refused",
    "Sandbox",
    "SandboxError",
    "SandboxLost",
    "ScriptServer",
    "SessionBusy",
    "SessionNotFound",
    "SettingsError",
    "StateError",
    "TextDelta",
    "ToolFinished",
    "ToolStarted",
    "UnknownImage",
    "Usage",
    "escape",
    "load_script",
    "project",
]
