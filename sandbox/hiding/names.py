"""Names under which secrets are kept: what hides a file by its name, and what makes its content worth a look.

Names are compared in lower case. In the lists `name/` is a folder with all that is in it, `*` stands for anything
within a name, and `folder/name` counts in a folder of that name only. Only files and links are hidden by the others: a
virtual environment may be called `.env`.
"""

import fnmatch
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Proof = Literal["name", "not public", "content"]
"""What it takes: the name alone; the name, unless the content shows that it is no secret; the content, too."""


@dataclass(frozen=True)
class Group:
    """Names of one sort, with the reason for hiding what has them."""

    reason: str
    proof: Proof
    patterns: str


_GROUPS: Final = (
    Group(
        "programs keep passwords and tokens under this name",
        "name",
        ".env .env.* .env-* .env_* *.env .envrc .environment .dev.vars .dev.vars.* .secret .secrets .secrets.env "
        ".secrets.local .secrets.toml .secrets.yml .secrets.yaml .secrets.json .envs/",
    ),
    Group(
        "logins are kept under this name",
        "name",
        ".netrc _netrc .git-credentials .pgpass pgpass.conf .my.cnf .mylogin.cnf .htpasswd .dockercfg .vault-token "
        ".vault_pass* .vault-pass* .s3cfg .boto .passwd-s3fs .smbcredentials credentials .credentials "
        "credentials.json .credentials.json credentials.yml credentials.yaml credentials.toml credentials.ini "
        "credentials.csv credentials.xml credentials.db credentials.properties credentials.tfrc.json "
        "*-credentials.json *_credentials.json client_secret*.json service-account*.json service_account*.json "
        "serviceaccount*.json *-adminsdk-*.json application_default_credentials.json gha-creds-*.json "
        "accesstokens.json msal_token_cache.* kubeconfig kubeconfig.* *.kubeconfig .kube/config* .aws/config "
        ".aws/sso/ .aws/cli/ .config/gcloud/ gh/hosts.yml .git-credential-cache/ .password-store/ .gnupg/ .ssh/",
    ),
    Group(
        "secrets are kept under this name",
        "name",
        "secrets.yml secrets.yaml secrets.json secrets.toml secrets.ini secrets.properties secrets.*.yml "
        "secrets.*.yaml secrets.*.json secret.yml secret.yaml secret.json secret.toml secret.ini",
    ),
    Group(
        "Terraform writes every value in clear text into its state",
        "name",
        "*.tfstate *.tfstate.backup terraform.tfstate.*",
    ),
    Group(
        "it is a store of keys or passwords",
        "name",
        "*.p12 *.pfx *.pkcs12 *.jks *.jceks *.bks *.keystore *.kdbx *.kdb *.keychain *.keychain-db *.ppk",
    ),
    Group("it is the history of a shell or a client, with what was typed", "name", ".*_history"),
    Group("private keys are kept under this name", "not public", "id_rsa* id_dsa* id_ecdsa* id_ed25519* *.pem *.key"),
    Group(
        "it holds a password, a token or a key",
        "content",
        ".npmrc .yarnrc .yarnrc.yml bunfig.toml .pypirc pip.conf pip.ini .condarc .bundle/config .gemrc "
        "gradle.properties settings.xml settings-security.xml nuget.config .docker/config.json .cargo/config "
        ".cargo/config.toml .terraformrc terraform.rc *.tfvars *.tfvars.json .wgetrc .curlrc _curlrc .sentryclirc "
        "sentry.properties .mcp.json mcp.json .claude.json auth.json *.ovpn wg*.conf *.publishsettings .gitconfig "
        ".gitmodules .hgrc .lftprc rclone.conf .rclone.conf .pg_service.conf pg_service.conf .msmtprc .muttrc "
        ".ftpconfig sftp.json sftp-config.json .remote-sync.json *.p8 *.asc *.gpg *.agekey",
    ),
)

_TEMPLATE: Final = re.compile(r"(^|[._-])(example|sample|template|tmpl|tpl|dist|defaults?|schema)s?([._-]|$)")
"""A word by which people mark the file that is meant to be shared."""
_HARMLESS: Final = re.compile(r"(.*\.pub|.*\.d\.ts|.*\.md|.*\.enc|\.env\.vault|debug\.keystore)")
_COPY: Final = re.compile(r"#?(?P<name>.+?)(~|#|\.(bak|backup|old|orig|save|copy|tmp|sw[nop]))+")
"""What editors and people make of a name when they keep another copy of a file."""
_COPIES: Final = ("~", "#", ".bak", ".backup", ".old", ".orig", ".save", ".copy", ".tmp", ".swp", ".swo", ".swn")


@dataclass(frozen=True)
class _Tables:
    """The patterns by how they are asked for: every name of a checkout is, and nearly all of them end right there."""

    names: frozenset[str]
    starts: tuple[str, ...]
    ends: tuple[str, ...]
    files: tuple[tuple[str, re.Pattern[str], Group], ...]
    folders: dict[tuple[str, str], Group]


def _tables() -> _Tables:
    names: set[str] = set()
    starts: set[str] = set()
    ends: set[str] = set()
    files: list[tuple[str, re.Pattern[str], Group]] = []
    folders: dict[tuple[str, str], Group] = {}
    for group in _GROUPS:
        for pattern in group.patterns.split():
            above, _, name = pattern.rstrip("/").rpartition("/")
            if pattern.endswith("/"):
                folders[above, name] = group
                continue
            files.append((above, re.compile(fnmatch.translate(name)), group))
            first, last = name.partition("*")[0], name.rpartition("*")[2]
            if first == name:
                names.add(name)
            elif first.strip("."):
                starts.add(first)
            else:
                ends.add(last)
    return _Tables(frozenset(names), tuple(starts), (*ends, *_COPIES), tuple(files), folders)


_TABLES: Final = _tables()
_NAMES, _STARTS, _ENDS = _TABLES.names, _TABLES.starts, _TABLES.ends
_FOLDERS: Final = frozenset(name for _, name in _TABLES.folders)


def is_telling(name: str) -> bool:
    """Whether a file's name, in lower case, is worth asking `group_of` about: cheap, and no for nearly all."""
    return name in _NAMES or name.startswith(_STARTS) or name.endswith(_ENDS)


def group_of(above: str, name: str) -> Group | None:
    """The group of a file's name in a folder of the name `above`, both in lower case; None for an ordinary one."""
    if _HARMLESS.fullmatch(name) or is_template(name):
        return None
    if (found := _named(above, name)) is not None:
        return found
    copy = _COPY.fullmatch(name)
    if copy is None:
        return None
    original = copy["name"]
    return group_of(above, original) or (group_of(above, original[1:]) if original.startswith((".", "#")) else None)


def group_of_folder(above: str, name: str) -> Group | None:
    """The group of a folder that is hidden with all that is in it."""
    if name not in _FOLDERS:
        return None
    return _TABLES.folders.get(("", name)) or _TABLES.folders.get((above, name))


def is_template(name: str) -> bool:
    """Whether a name marks a file of settings as the one to be shared, with a place for every secret and none in it."""
    return _TEMPLATE.search(name) is not None


def _named(above: str, name: str) -> Group | None:
    for folder, pattern, group in _TABLES.files:
        if folder in ("", above) and pattern.match(name):
            return None if above == "templates" and name.startswith("secret") else group
    return None


def reason_of(parts: Sequence[str]) -> str:
    """Why secrets are kept in files of this path, by its names in lower case alone; empty if they are not."""
    group = _group_at(parts)
    return "" if group is None or group.proof == "content" else group.reason


def is_secret_name(path: str) -> bool:
    """Whether secrets are or may be kept in files of this path, whatever is in this one."""
    return _group_at(path.lower().split("/")) is not None


def _group_at(parts: Sequence[str]) -> Group | None:
    for above, name in itertools.pairwise(("", *parts)):
        if (found := group_of_folder(above, name)) is not None:
            return found
    name = parts[-1]
    return group_of(parts[-2] if len(parts) > 1 else "", name) if is_telling(name) else None
