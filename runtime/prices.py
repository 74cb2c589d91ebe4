"""What models cost, as data: US dollars for a million tokens, as published on 2026-10-24.

A name matches the longest row it starts with, after a provider's own decoration (`us.anthropic.…-v1:0`, `…@date`) is
taken off. A model that is not here has no price, and nothing is guessed.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """Dollars for a million tokens. Writing the five-minute cache costs 1.25 times the input."""

    input: float
    output: float
    cache_read: float

    @property
    def cache_write(self) -> float:
        """Dollars for a million tokens written to the cache."""
        return self.input * 1.25


@dataclass(frozen=True)
class Row:
    """One model. `long` is the price of a request whose whole prompt is over `long_from` tokens."""

    price: Price
    long: Price | None = None
    long_from: int = 0


ROWS = {
    "claude-fable-5-2": None,  # not yet priced in public
    "claude-mythos-5-2": None,
    "claude-fable-5-1": Row(Price(10, 50, 0.25)),
    "claude-mythos-5-1": Row(Price(10, 50, 0.25)),
    "claude-fable-5": Row(Price(10, 50, 1)),
    "claude-mythos-5": Row(Price(10, 50, 1)),
    "claude-opus-5-5": Row(Price(4, 20, 0.20)),
    "claude-opus-5": Row(Price(5, 25, 0.50)),
    "claude-opus-4-8": Row(Price(5, 25, 0.50)),
    "claude-opus-4-7": Row(Price(5, 25, 0.50)),
    "claude-opus-4-6": Row(Price(5, 25, 0.50)),
    "claude-opus-4-5": Row(Price(5, 25, 0.50)),
    "claude-opus-4-1": Row(Price(15, 75, 1.50)),
    "claude-sonnet-5-5": Row(Price(2, 10, 0.10)),
    "claude-sonnet-5": Row(Price(2, 10, 0.20)),
    "claude-sonnet-4-6": Row(Price(3, 15, 0.30)),
    "claude-sonnet-4-5": Row(Price(3, 15, 0.30)),
    "claude-sonnet-4": Row(Price(3, 15, 0.30)),
    "claude-haiku-5-5": Row(Price(0.10, 0.50, 0.01), long=Price(0.50, 2.50, 0.05), long_from=100_000),
    "claude-haiku-4-5": Row(Price(1, 5, 0.10)),
}
"""None: the model is known, its price is not."""

THINKS = ("claude-fable-5", "claude-mythos-5", "claude-opus-5", "claude-sonnet-5", "claude-haiku-5")
"""Families that think by themselves and say between tool calls what they do only if that is asked for."""


def bare_name(model: str) -> str:
    """A model's name without what Bedrock and Vertex put around it."""
    name = model.rsplit("anthropic.", 1)[-1]
    return re.sub(r"(@.*|-v\d+(:\d+)?)$", "", name)


def price_of(model: str, prompt_tokens: int) -> Price | None:
    """The price of one request to `model` with a prompt of that many tokens, cached ones included; None: unknown."""
    name = bare_name(model)
    matching = [key for key in ROWS if name == key or name.startswith(key + "-")]
    row = ROWS[max(matching, key=len)] if matching else None
    if row is None:
        return None
    return row.long if row.long and prompt_tokens > row.long_from else row.price


def thinks(model: str) -> bool:
    """Whether the model thinks by itself, so that a summary of it can be asked for."""
    return bare_name(model).startswith(THINKS)
