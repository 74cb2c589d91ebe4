"""What can go wrong with permission rules.

    PermissionsError           the text is one sentence that names the file or the path
    ├── SettingsError          a settings file cannot be used; with the line where there is one
    └── DeniedByRule           a change was asked for that a rule denies; nobody can approve it

A tool call that a mode refuses is not here: that is a decision (`runtime.permissions.modes`).
"""


class PermissionsError(Exception):
    """The rules do not let a command go on."""


class SettingsError(PermissionsError):
    """A settings file cannot be used; the text names it, the line, and what is wrong."""


class DeniedByRule(PermissionsError):
    """A change was asked for that a rule denies; the text names both."""
