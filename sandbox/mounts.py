"""Mounts of ours in a container, beside the workspace."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def file_mount(source: Path, target: str) -> Mapping[str, Any]:
    """One host file of ours, read-only inside."""
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rprivate"},
    }
