"""Our command line as a user has it, a small checkout, and programs that have to succeed."""

import os
import subprocess
import sys
from pathlib import Path


def paddock(*arguments: str, at: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **variables}
    return subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, timeout=300)


def project(folder: Path) -> Path:
    """A small checkout with history."""
    folder.mkdir()
    (folder / "kept").write_text("one\n")
    (folder / "gone").write_text("two\n")
    (folder / "link").symlink_to("kept")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    return folder


def run(*argv: str) -> None:
    """Run a program that has to succeed."""
    subprocess.run(argv, check=True)
