"""Which paddock this is, without the price of importlib.metadata."""

from pathlib import Path


def version() -> str:
    """The version of the installed package, or of the source tree this runs from."""
    source = Path(__file__).resolve().parent.parent / "pyproject.toml"
    try:
        text = source.read_text(encoding="utf-8")
    except OSError:
        from importlib.metadata import version as installed

        return installed("paddock")
    found = [line for line in text.splitlines() if line.startswith("version = ")]
    return found[0].partition('"')[2].rstrip('"')
