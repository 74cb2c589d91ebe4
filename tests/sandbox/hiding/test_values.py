"""A secret of a hidden file is recognised where a change brings it, and what is no secret is not."""

from pathlib import Path

from sandbox.changes import Change, File
from sandbox.gate.effects import Effect, Host, effects
from sandbox.hiding.finding import find
from sandbox.hiding.values import known_values

KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"


def lay_out(checkout: Path) -> None:
    (checkout / ".env").write_text(
        "# comment\nNODE_ENV=production\nexport DB_PASSWORD='hunter2 hunter2'\nPORT=3000\nAPI_TOKEN=\n"
        "X=AbCdEf0123456789AbCdEf\nKEY=${OTHER_KEY_HERE}\nPASSWORD=changeme-please\nURL=https://u:pa55w0rd@h/\n"
    )
    (checkout / "secrets.json").write_text('{\n  "apiKey": "json-value-1",\n  "name": "an ordinary name"\n}\n')
    (checkout / "server.key").write_text(f"-----BEGIN PRIVATE KEY-----\n{KEY}\nshort=\n-----END PRIVATE KEY-----\n")
    (checkout / ".vault-token").write_text("hvs.CAESIJ0123456789\n")
    (checkout / ".ssh").mkdir()
    (checkout / ".ssh/id").write_text("token: in-a-folder\n")
    (checkout / "store.p12").write_bytes(b"\0password=binary-value\n")


def test_values_are_those_that_look_like_secrets(checkout: Path) -> None:
    lay_out(checkout)
    assert known_values(checkout, find(checkout)) == {
        b"hunter2 hunter2": b".env",
        b"AbCdEf0123456789AbCdEf": b".env",
        b"pa55w0rd": b".env",
        b"json-value-1": b"secrets.json",
        KEY.encode(): b"server.key",
        b"hvs.CAESIJ0123456789": b".vault-token",
        b"in-a-folder": b".ssh/id",
    }


def test_a_change_that_brings_one_waits_for_a_yes_and_says_where_it_is_from() -> None:
    host = Host(secrets={b"hunter2!": b".env"})
    texts = {"a": b"x = 1\n", "b": b"x = 'hunter2!'\n", "c": b"y\nx = 'hunter2!'\n"}

    def marks(before: str, after: str, path: bytes = b"src/a.py") -> set[str]:
        change = Change(path, File(before, 1) if before else None, File(after, 1))
        found = effects(change, lambda file, _: texts[file.digest], host)
        return {mark.reason for mark in found if mark.effect is Effect.SECRETS}

    assert marks("a", "b") == marks("", "b") == {"it adds a secret that .env holds"}
    assert marks("b", "c") == marks("b", "a") == set()
    assert "it adds a secret that .env holds" not in marks("", "b", b".env")
