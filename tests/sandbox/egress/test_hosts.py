"""N-04, N-05, N-11: one name has one form, and patterns mean what they say."""

import pytest

from sandbox.choice import Network
from sandbox.egress.hosts import canonical, pattern
from sandbox.egress.rules import Rules


@pytest.mark.parametrize("name", ["registry.example", "REGISTRY.Example.", "a-b.c0.example", "_x.example", "localhost"])
def test_n05_a_name_has_one_form(name):
    assert canonical(name) == name.lower().removesuffix(".")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a..b",
        "evil\0.registry.example",
        "registry.example\r\nX:",
        "registry\u3002example",
        "registr\u0443.example",
        "user@registry.example",
        "registry.example#@evil",
        "registry.example/evil",
        "registry.example:443",
        "-a.example",
        "a-.example",
        "a b.example",
        f"{'a' * 64}.example",
        ".".join(["a" * 60] * 5),
    ],
)
def test_n05_what_is_no_name_is_none(name):
    with pytest.raises(ValueError, match="it is"):
        canonical(name)


@pytest.mark.parametrize(
    "name", ["1.2.3.4", "0x7f.1", "2130706433", "127.1", "0x7f000001", "[::1]", "::1", "1.2.3.0x4"]
)
def test_n04_an_address_is_no_name(name):
    with pytest.raises(ValueError, match="it is"):
        canonical(name)


@pytest.mark.parametrize(
    ("text", "host", "port", "is_covered"),
    [
        ("registry.example", "registry.example", 443, True),
        ("registry.example", "registry.example", 80, True),
        ("registry.example", "registry.example", 22, False),
        ("registry.example", "registry.example.evil.com", 443, False),
        ("registry.example", "evilregistry.example", 443, False),
        ("registry.example", "a.registry.example", 443, False),
        ("REGISTRY.example.", "registry.example", 443, True),
        ("*.registry.example", "a.b.registry.example", 443, True),
        ("*.registry.example", "registry.example", 443, False),
        ("*.registry.example", "evilregistry.example", 443, False),
        ("registry.example:8443", "registry.example", 8443, True),
        ("registry.example:8443", "registry.example", 443, False),
    ],
)
def test_what_a_pattern_covers(text, host, port, is_covered):
    assert pattern(text).covers(host, port) == is_covered
    assert pattern(str(pattern(text))) == pattern(text)


@pytest.mark.parametrize(
    "text", ["", "*", "*.", "*.com", "**.a.example", "a.*.example", "a.example:", "a.example:0443", "a.example:70000"]
)
def test_n11_a_pattern_that_means_too_much_or_nothing_is_an_error(text):
    with pytest.raises(ValueError, match=r"names no host|would be every host|does not end in a port"):
        pattern(text)


def test_n11_with_nothing_named_everything_is_refused_and_a_denial_outranks_all():
    assert Rules.of(Network()).refusal("registry.example", 443) == "unlisted"
    rules = Rules.of(Network(allowed=("*.a.example:8443",), denied=("b.a.example", "c.a.example:443")))
    assert [rules.refusal(f"{name}.a.example", 8443) for name in "bcd"] == ["denied", None, None]
    rules = Rules.of(Network(allowed=("*.a.example",), writable=("b.a.example",), denied=("b.a.example",)))
    assert rules.refusal("b.a.example", 443, "GET") == "denied"
    assert rules.refusal("c.a.example", 443, "GET") is None
    assert rules.refusal("c.a.example", 443, "POST") == "method"
    assert Rules.of(Network(writable=("b.a.example",))).refusal("b.a.example", 443, "DELETE") is None
