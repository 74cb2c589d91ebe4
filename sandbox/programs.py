"""Programs that every sandbox has, whatever its image holds."""

PYTHON = "/opt/paddock/box/bin/python3"
RIPGREP = "/opt/paddock/box/bin/rg"
"""A Python with its standard library's core, and ripgrep."""
APART = {"LD_PRELOAD": "", "LD_LIBRARY_PATH": ""}
"""The environment these programs want: what an image has its own programs load is not made for them."""
