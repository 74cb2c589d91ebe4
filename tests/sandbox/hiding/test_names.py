"""Which names are hidden: by themselves, or if their content speaks for it."""

import os

import pytest

from sandbox.changes import Change, File
from sandbox.gate.effects import Effect, effects
from sandbox.hiding.names import group_of, group_of_folder, is_secret_name, is_telling

BY_NAME = """
.env .env.local .env.production .env-prod .env_old prod.env .envrc .dev.vars .netrc .git-credentials .pgpass .htpasswd
.vault-token .secrets.toml credentials credentials.json my-credentials.json client_secret_1.json service-account.json
service-account-prod.json app-firebase-adminsdk-x1.json secrets.yml secrets.prod.yaml terraform.tfstate
terraform.tfstate.backup dev.tfstate store.p12 store.pfx release.jks my.keystore passwords.kdbx .bash_history
kubeconfig kubeconfig.prod
"""
NOT_PUBLIC = "id_rsa id_rsa_work id_ed25519 server.pem server.key master.key"
BY_CONTENT = ".npmrc .yarnrc.yml .pypirc pip.conf prod.tfvars .mcp.json client.ovpn AuthKey.p8 .gitmodules"
COPIES = ".env~ .env.bak .env.swp ..env.swp #.env# .#.env server.key.old id_rsa.orig secrets.yml.save"
ORDINARY = """
.env.example .env.sample .env.template .env.dist .env.local.example example.env .env.d.ts .env.vault id_rsa.pub
credentials.py credentials.yml.enc secrets.example.yml secrets.py terraform.tf main.py .gitignore .environment.yml
environment.yml debug.keystore keys.py tokenizer.json package.json README.md .env.md
"""


@pytest.mark.parametrize("name", BY_NAME.split())
def test_a_name_that_secrets_are_kept_under_is_enough(name: str) -> None:
    found = group_of("src", name)
    assert is_telling(name)
    assert found is not None
    assert found.proof == "name"


@pytest.mark.parametrize("name", NOT_PUBLIC.split())
def test_a_key_is_hidden_unless_its_content_is_public(name: str) -> None:
    found = group_of("", name)
    assert is_telling(name)
    assert found is not None
    assert found.proof == "not public"


@pytest.mark.parametrize("name", BY_CONTENT.split())
def test_settings_are_hidden_if_they_hold_a_secret(name: str) -> None:
    found = group_of("", name.lower())
    assert is_telling(name.lower())
    assert found is not None
    assert found.proof == "content"


@pytest.mark.parametrize("name", COPIES.split())
def test_a_copy_that_an_editor_keeps_is_hidden_as_the_file_itself(name: str) -> None:
    assert is_telling(name)
    assert group_of("", name) is not None


@pytest.mark.parametrize("name", ORDINARY.split())
def test_what_is_meant_to_be_shared_is_not_hidden(name: str) -> None:
    assert group_of("src", name) is None


@pytest.mark.parametrize(("above", "name"), [(".docker", "config.json"), (".aws", "config"), (".kube", "config")])
def test_some_names_count_in_one_folder_only(above: str, name: str) -> None:
    assert group_of(above, name) is not None
    assert group_of("src", name) is None


def test_the_templates_of_a_chart_are_not_its_secrets() -> None:
    assert group_of("templates", "secrets.yaml") is None
    assert group_of("values", "secrets.yaml") is not None


@pytest.mark.parametrize(("above", "name"), [("", ".ssh"), ("a", ".gnupg"), (".aws", "sso"), (".config", "gcloud")])
def test_some_folders_are_hidden_with_all_that_is_in_them(above: str, name: str) -> None:
    assert group_of_folder(above, name) is not None
    assert group_of_folder(above, name + "x") is None
    assert group_of_folder("src", "gcloud") is None


@pytest.mark.parametrize("name", [*BY_NAME.split(), *NOT_PUBLIC.split(), *COPIES.split(), ".envs/x", ".ssh/a/b"])
def test_a_change_to_what_would_be_hidden_waits_for_a_yes_of_its_own(name: str) -> None:
    change = Change(os.fsencode(f"src/{name}"), None, File("0" * 64, 1))
    assert Effect.SECRETS in {mark.effect for mark in effects(change)}
    assert is_secret_name(f"src/{name}")


@pytest.mark.parametrize("name", ["src/main.py", "a/credentials.py", "aws/sso/x", "env/x"])
def test_an_ordinary_path_is_none_for_secrets(name: str) -> None:
    assert not is_secret_name(name)
