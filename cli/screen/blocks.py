"""Tool calls as short blocks: what was called, the start and the end of what it said, how it ended."""

from collections import deque
from typing import Final

from cli.screen import outcomes, safe
from cli.screen.terminal import Terminal
from runtime.events import Denied, ToolFinished, ToolOutput, ToolStarted

HEAD: Final = 6  # lines of output shown as they come
TAIL: Final = 6  # lines shown once the call has ended
EDGE: Final = "  │ "
LONGEST_NAME: Final = 40  # columns of a tool's name: it is the model's word


class Block:
    """One tool call on the screen. Until it may `show`, it only remembers: calls that run side by side do not mix."""

    def __init__(self, terminal: Terminal, started: ToolStarted, *, whole: bool) -> None:
        self._terminal = terminal
        self._started = started
        self._whole = whole
        self._is_shown = False
        self._partial: dict[str, bytes] = {}
        self._waiting: list[bytes] = []
        self._lines = 0
        self._tail: deque[bytes] = deque(maxlen=TAIL + 1)
        self._dropped = 0
        self._finished: ToolFinished | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the call has ended."""
        return self._finished is not None

    def show(self) -> None:
        """Come to the front: draw what has happened so far, and from now on as it happens."""
        self._is_shown = True
        name = self._terminal.fit(safe.line(self._started.name), LONGEST_NAME)
        draw = self._terminal.style
        margin = " " * (len(name) + 4)
        lines = safe.lines(self._started.summary) or [""]
        first, *more = [row for line in lines for row in self._terminal.wrap(margin + line, indent=len(margin))]
        self._terminal.line(f"{draw('●', 'cyan')} {draw(name, 'bold')}  {first[len(margin) :]}".rstrip())
        for row in more:
            self._terminal.line(row)
        waiting, self._waiting = self._waiting, []
        for output in waiting:
            self._draw_line(output)
        if self._finished is not None:
            self._draw_end(self._finished)

    def output(self, chunk: ToolOutput) -> None:
        """Take in a piece of the call's output. A line is drawn once it is complete; the two streams do not mix."""
        *complete, rest = (self._partial.get(chunk.stream, b"") + chunk.data).split(b"\n")
        self._partial[chunk.stream] = rest[-65536:]
        for line in complete:
            self._add(line)

    def finish(self, finished: ToolFinished) -> None:
        """Take in how the call ended."""
        for rest in self._partial.values():
            if rest:
                self._add(rest)
        self._partial.clear()
        self._finished = finished
        if self._is_shown:
            self._draw_end(finished)

    def _add(self, line: bytes) -> None:
        if self._is_shown:
            self._draw_line(line)
        elif self._whole or len(self._waiting) < HEAD:
            self._waiting.append(line)
        else:
            self._keep(line)

    def _draw_line(self, line: bytes) -> None:
        if not self._whole and self._lines >= HEAD:
            self._keep(line)
            return
        self._lines += 1
        self._write(line)

    def _keep(self, line: bytes) -> None:
        if len(self._tail) == TAIL + 1:
            self._dropped += 1
        self._tail.append(line)

    def _write(self, line: bytes) -> None:
        for text in safe.lines(line) or [""]:
            whole = self._terminal.wrap(EDGE + text, indent=len(EDGE), mark=EDGE)
            rows = whole if self._whole else [EDGE + self._terminal.fit(text, self._terminal.width - len(EDGE))]
            for row in rows:
                self._terminal.line(self._terminal.style(row, "dim"))

    def _draw_end(self, finished: ToolFinished) -> None:
        if self._dropped:  # one more goes: a single line would be shown in place of saying so
            self._tail.popleft()
            self._dropped += 1
            self._terminal.line(self._terminal.style(f"{EDGE}… {self._dropped:,} more lines", "dim"))
        for output in self._tail:
            self._write(output)
        draw = self._terminal.style
        for text, style in outcomes.body(finished):
            shown = self._terminal.fit("".join(safe.lines(text)), self._terminal.width - len(EDGE))
            self._terminal.line(draw(EDGE, "dim") + draw(shown, *([style] if style else [])))
        result = outcomes.ending(finished)
        if not result:
            return
        style = "red" if finished.is_error else "dim"
        lines = safe.lines(result)
        first, *more = [row for line in lines[:TAIL] for row in self._terminal.wrap(f"    {line}", indent=4)]
        self._terminal.line(draw(f"  ╰ {first[4:]}", style))
        for row in more:
            self._terminal.line(draw(row, style))


def denied(event: Denied) -> str:
    """One line for a call that was not allowed."""
    return f"{safe.line(event.name)} was not allowed: {safe.line(event.reason)}"
