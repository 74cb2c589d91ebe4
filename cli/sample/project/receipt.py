"""What a customer pays."""

BULK = 10  # from this many of one thing on …
DISCOUNT = 10  # … every one of them is this many percent cheaper


def price(cents: int, quantity: int) -> int:
    """The price of `quantity` things at `cents` each, in cents."""
    total = cents * quantity
    if quantity > BULK:
        total -= total * DISCOUNT // 100
    return total


def receipt(lines: list[tuple[str, int, int]]) -> str:
    """A receipt: one line for each (name, cents, quantity), then the sum."""
    rows = [(name, price(cents, quantity)) for name, cents, quantity in lines]
    rows.append(("TOTAL", sum(amount for _, amount in rows)))
    return "\n".join(f"{name:<12}{amount / 100:>8.2f}" for name, amount in rows)
