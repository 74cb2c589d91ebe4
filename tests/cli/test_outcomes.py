"""What a person sees of commands in the background, terminals and signals."""

import pytest

from cli.jobs import job_lines
from cli.screen.outcomes import body, ending
from runtime.events import ToolFinished


def finished(name, **detail):
    return ToolFinished("1", name, "text", False, 0.0, detail)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (finished("Bash", backgroundTaskId="bash_1", exitCode=None), "in the background as bash_1"),
        (finished("Bash", exitCode=137, signal=9), "killed by signal 9"),
        (finished("Bash", exitCode=137), "exit code 137"),
        (finished("Bash", exitCode=137, outcomeUnknown=True), "outcome unknown"),
        (finished("BashOutput", status="exited", exitCode=137, outcomeUnknown=True), "outcome unknown"),
        (finished("BashOutput", status="running", exitCode=None), "running"),
        (finished("BashOutput", status="exited", exitCode=3), "exit code 3"),
        (finished("KillShell", status="killed", exitCode=137), "killed"),
        (finished("Terminal", status="timed out", exitCode=137), "timed out"),
    ],
)
def test_how_it_stands_is_told_in_a_few_words(event, words):
    assert ending(event) == words


def test_the_end_of_a_screen_is_shown():
    rows = [f"row {number}" for number in range(24)]
    assert [text for text, _ in body(finished("Terminal", status="running", screen=rows))] == rows[-12:]


def test_nothing_in_the_background_is_said_to_be_nothing():
    assert job_lines(()) == ["nothing runs in the background"]
