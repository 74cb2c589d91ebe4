"""Tokens and money of one answer, and their sum: what the service says, made safe to count with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runtime.events import Usage
from runtime.prices import price_of

MOST = 100_000_000
"""Tokens that one answer can claim: far above any model's window, far below what would overflow a budget."""


def usage_of(model: str, said: Mapping[str, Any]) -> Usage:
    """What one answer used, from the `usage` of its message. Negative, absent or absurd counts are clamped."""
    usage = Usage(
        input_tokens=count(said.get("input_tokens")),
        output_tokens=count(said.get("output_tokens")),
        cache_read_tokens=count(said.get("cache_read_input_tokens")),
        cache_write_tokens=count(said.get("cache_creation_input_tokens")),
    )
    return replace(usage, dollars=dollars_of(model, usage))


def is_plausible(said: Mapping[str, Any]) -> bool:
    """Whether the counts are there and are numbers an answer can have."""
    required = ("input_tokens", "output_tokens")
    optional = ("cache_read_input_tokens", "cache_creation_input_tokens")
    counts = [said.get(name) for name in required] + [said.get(name) or 0 for name in optional]
    return all(type(value) is int and 0 <= value <= MOST for value in counts)


def count(value: object) -> int:
    """A number of tokens, whatever was said: at least 0, at most MOST."""
    return min(max(value, 0), MOST) if type(value) is int else 0


def dollars_of(model: str, usage: Usage) -> float | None:
    """What these tokens cost in one request; None if the model's price is unknown and anything was used."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    price = price_of(model, prompt)
    if price is None:
        return None if prompt + usage.output_tokens else 0.0
    millionths = (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + usage.cache_read_tokens * price.cache_read
        + usage.cache_write_tokens * price.cache_write
    )
    return millionths / 1_000_000


def add(one: Usage, other: Usage) -> Usage:
    """Both together; the sum has no dollars if one of them has none."""
    known = one.dollars is not None and other.dollars is not None
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        dollars=(one.dollars or 0.0) + (other.dollars or 0.0) if known else None,
    )
