"""Numbers with what they count, the way a sentence has them."""


def count(number: int, noun: str) -> str:
    """`1 file`, `3 files`, `1,204 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
