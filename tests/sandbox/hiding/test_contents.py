"""What a content gives away: a secret in settings, a key that is public, a password in git's own data."""

import pytest

from sandbox.hiding.contents import holds_secret, is_public
from sandbox.hiding.gitdata import redacted, redacted_settings

TOKEN = "ghp_" + "a1B2" * 10


@pytest.mark.parametrize(
    "text",
    [
        "//registry.example.org/:_authToken=abcdef012345\n",
        "//r/:_password=c2VjcmV0\n",
        "registry=https://user:hunter2@r.example.org/\n",
        "npmAuthToken: abcdef-012345\n",
        '{"auths": {"r.example.org": {"auth": "dXNlcjpwdw=="}}}',
        'db_password = "hunter2!"\n',
        "[global]\nindex-url = https://u:p4ss@pypi.example.org/simple\n",
        "<servers><server><password>hunter2</password></server></servers>",
        '<add key="ClearTextPassword" value="hunter2" />',
        f'{{"mcpServers": {{"x": {{"env": {{"N": "{TOKEN}"}}}}}}}}',
        '{"env": {"API_KEY": "0123456789"}}',
        "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n",
        "machine x\nlogin y\npassword hunter2\n",
    ],
)
def test_settings_with_a_password_a_token_or_a_key_hold_a_secret(text: str) -> None:
    assert holds_secret(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "save-exact=true\nregistry=https://registry.example.org/\n",
        "//registry.example.org/:_authToken=${NPM_TOKEN}\n",
        'db_password = var.password\nregion = "eu-west-1"\n',
        "nodeLinker: node-modules\nenableTelemetry: false\n",
        '{"auths": {}}',
        "[global]\nindex-url = https://pypi.example.org/simple\n",
        '{"env": {"API_KEY": "${API_KEY}"}}',
        "org.gradle.parallel=true\n",
    ],
)
def test_settings_with_a_place_for_a_secret_hold_none(text: str) -> None:
    assert not holds_secret(text.encode())


def test_a_certificate_is_public_and_a_key_is_not() -> None:
    certificate = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
    assert is_public(certificate)
    assert is_public(b"-----BEGIN PUBLIC KEY-----\nx\n")
    assert is_public(b"\n")
    assert not is_public(certificate + b"-----BEGIN RSA PRIVATE KEY-----\nx\n")
    assert not is_public(b"0123456789abcdef0123456789abcdef")


GIT = [
    ("[remote]\n\turl = https://u:CANARY@h/r.git\n", "[remote]\n\turl = https://h/r.git\n"),
    ("\turl = https://CANARY@h/r\n", "\turl = https://h/r\n"),
    ("\turl = ssh://git:CANARY@h/r\n", "\turl = ssh://git@h/r\n"),
    ('[url "https://u:CANARY@h/"]\n\tinsteadOf = git@h:\n', '[url "https://h/"]\n\tinsteadOf = git@h:\n'),
    ("[http]\n\textraheader = AUTHORIZATION: basic CANARY\n\tx = 1\n", "[http]\n\textraheader = hidden\n\tx = 1\n"),
    ("\textraHeader = a \\\n  CANARY\n\tx = 1\n", "\textraHeader = hidden\n\tx = 1\n"),
    ('[http "https://h/"] extraheader = "CANARY"\n', '[http "https://h/"] extraheader = hidden\n'),
    ("[sendemail]\n\tsmtpPass = CANARY\n", "[sendemail]\n\tsmtpPass = hidden\n"),
    ('\thelper = "!f() { echo password=CANARY; }; f"\n\tx = 1\n', "\thelper =\n\tx = 1\n"),
    ("\turl = https://h/r?private_token=CANARY&a=b\n", "\turl = https://h/r?private_token=hidden&a=b\n"),
    (f"\tnote = {TOKEN}\n", "\tnote = hidden\n"),
]


@pytest.mark.parametrize(("text", "clean"), GIT)
def test_gits_settings_lose_the_secret_and_nothing_else(text: str, clean: str) -> None:
    assert redacted_settings(text.encode()).decode() == clean


@pytest.mark.parametrize(
    "text",
    [
        "[core]\n\tbare = false\n\taskPass = /usr/bin/ssh-askpass\n[user]\n\tsigningkey = ABCD\n",
        '[remote "origin"]\n\turl = ssh://git@h/r\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n',
        "[remote]\n\turl = git@github.com:a/b.git\n[credential]\n\thelper = store\n",
    ],
)
def test_gits_settings_without_a_secret_are_as_they_were(text: str) -> None:
    assert redacted_settings(text.encode()).decode() == text


def test_a_reflog_loses_the_password_of_the_address_it_names() -> None:
    line = b"0000 1111 A <a@b.c> 1700000000 +0000\tclone: from https://u:CANARY@h/r\n"
    assert redacted(line) == line.replace(b"u:CANARY@", b"")
