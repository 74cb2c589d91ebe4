"""Tokens and money: prices by name, sums, and claims no service should make."""

import pytest

from runtime.events import Usage
from runtime.prices import ROWS, Price, price_of
from runtime.usage import MOST, add, is_plausible, usage_of


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("claude-sonnet-5-5", Price(2, 10, 0.10)),
        ("claude-opus-4-5-20251101", Price(5, 25, 0.50)),
        ("claude-opus-5", Price(5, 25, 0.50)),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", Price(5, 25, 0.50)),
        ("claude-sonnet-4@20250514", Price(3, 15, 0.30)),
        ("claude-opus-50", None),
        ("claude-fable-5-2", None),
        ("my-own-model", None),
        ("", None),
    ],
)
def test_a_price_is_found_by_the_whole_name_or_not_at_all(name: str, price: Price | None) -> None:
    assert price_of(name, 0) == price


def test_a_long_prompt_may_have_a_price_of_its_own() -> None:
    assert price_of("claude-haiku-5-5", 100_000) == Price(0.10, 0.50, 0.01)
    assert price_of("claude-haiku-5-5", 100_001) == Price(0.50, 2.50, 0.05)


def test_reading_the_cache_is_cheaper_and_writing_it_dearer_than_plain_input() -> None:
    prices = [row.price for row in ROWS.values() if row is not None]
    assert all(price.cache_read < price.input < price.cache_write < price.output for price in prices)


def test_an_answer_costs_what_its_tokens_cost() -> None:
    million = 1_000_000
    said = {"input_tokens": million, "output_tokens": million}
    cached = {"cache_read_input_tokens": million, "cache_creation_input_tokens": million}
    usage = usage_of("claude-sonnet-5-5", said | cached)
    assert usage == Usage(million, million, million, million, pytest.approx(2 + 10 + 0.10 + 2.50))


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    known = usage_of("claude-sonnet-5-5", {"input_tokens": 5, "output_tokens": 5})
    unknown = usage_of("my-own-model", {"input_tokens": 5, "output_tokens": 5})
    assert unknown.dollars is None
    assert add(known, unknown).dollars is None
    assert add(known, Usage()).dollars == known.dollars


@pytest.mark.parametrize("claim", [10**12, -1, None, "7", True, 1.5, [], {}])
def test_absurd_counts_are_clamped_and_noticed(claim: object) -> None:
    said = {"input_tokens": claim, "output_tokens": 1}
    assert 0 <= usage_of("claude-sonnet-5-5", said).input_tokens <= MOST
    assert not is_plausible(said)
    assert is_plausible({"input_tokens": 0, "output_tokens": 1, "cache_read_input_tokens": None})
