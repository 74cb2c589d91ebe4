"""What settings say about the sandbox: read strictly, combined so that a repository can only tighten."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.permissions.errors import SettingsError
from runtime.permissions.rules import Source
from runtime.sandbox_choice import LIMITS, Flags, choose, chosen
from runtime.sandbox_settings import CLAUDES, Wish, as_wish
from sandbox.choice import Choice, Machine, Network
from sandbox.profile import GIB, MIB, profile_of, profiles
from sandbox.sessions import Sessions
from tests.runtime.permissions.conftest import Desk

PROFILES = ("strict", "default", "egress", "build", "compat")
OF_USER = ("managed", "command line", "user", "paddock")


def wish(scope, **values):
    return Wish(Source(scope, f"{scope}.json", "/"), values, {})


def say(desk: Desk, kind: str, **sandbox):
    desk.put(kind, json.dumps({"sandbox": sandbox}))


def choice_of(desk: Desk, flags: Flags = Flags()):  # noqa: B008 - frozen
    return chosen(desk.checkout, desk.files, flags)


def test_nothing_said_is_the_default(desk):
    assert choice_of(desk).choice == Choice()


def test_every_key_is_read_with_its_units(desk):
    said = {
        "profile": "strict", "runtime": "crun", "memory": "4g", "cpus": 2, "processes": 512, "disk": "10GiB",
        "include": [".env.test"], "environment": ["LANG"], "base": "live", "idle": "30m",
    }  # fmt: skip
    say(desk, "user", **said)
    assert choice_of(desk).choice == Choice(
        profile="strict", runtime="crun", memory=4 * GIB, cpus=2, processes=512, disk=10 * GIB,
        include=(".env.test",), environment=("LANG",), base="live", idle=1800,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"sandbox": {\n"profil": "strict"}}', r":2: sandbox.profil is not known: did you mean profile\?"),
        ('{"sandbox": {\n"zzz": 1}}', ":2: sandbox.zzz is not known: there are profile, runtime,"),
        ('{"sandbox": {"profile":\n\n"weak"}}', ":3: sandbox.profile has to be one of 'strict', 'default'"),
        ('{"sandbox": {"memory": "much"}}', ":1: sandbox.memory has to be a number with a unit such as '4g'"),
        ('{"sandbox": {"memory": "64m"}}', "memory has to be at least 134,217,728, or nothing could run"),
        ('{"sandbox": {"processes": 4}}', "processes has to be at least 32"),
        ('{"sandbox": {"cpus": 1e-12}}', "cpus has to be at least 0.01"),
        ('{"sandbox": {"cpus": "2"}}', "sandbox.cpus has to be a number"),
        ('{"sandbox": {"cpus": 0}}', "sandbox.cpus has to be more than 0"),
        ('{"sandbox": {"processes": true}}', "sandbox.processes has to be a whole number"),
        ('{"sandbox": {"idle": "soon"}}', "sandbox.idle has to be a number with a unit such as '30m'"),
        ('{"sandbox": {"runtime": "a b"}}', "sandbox.runtime has to be a name"),
        ('{"sandbox": {"runtime": ""}}', "sandbox.runtime has to be a name"),
        ('{"sandbox": {"environment": "LANG"}}', "sandbox.environment has to be a list"),
        ('{"sandbox": {"environment": ["A=B"]}}', "sandbox.environment.0 has to be the name of a variable"),
        ('{"sandbox": {"environment": ["PATH"]}}', "cannot hold PATH, which is the sandbox's own"),
        ('{"sandbox": "strict"}', ":1: sandbox has to be an object"),
        ('{"sandbox": {"requirePatched": "yes"}}', "sandbox.requirePatched has to be true or false"),
        (
            '{"sandbox": {\n"network": {\n"deniedDomains": ["*"]}}}',
            r":3: sandbox.network.deniedDomains.0 '\*' names no host",
        ),
        ('{"sandbox": {"network": {"writableDomains": ["*.com"]}}}', "would be every host there is below com"),
        ('{"sandbox": {"network": {"allowedAddresses": ["here"]}}}', "has to be an address or a network such as"),
        ('{"sandbox": {"network": {"allowedDomains": null}}}', "sandbox.network.allowedDomains has to be a list"),
        (
            '{"sandbox": {"network": {"allowed": []}}}',
            "sandbox.network.allowed is not known: did you mean allowedDomains",
        ),
        ('{"sandbox": {"network": []}}', "sandbox.network"),
    ],
)
def test_what_cannot_be_understood_is_an_error_with_its_line(desk, text, reason):
    for kind in ("user", "paddock", "managed"):
        path = desk.put(kind, text)
        with pytest.raises(SettingsError, match=reason) as caught:
            choice_of(desk)
        assert str(caught.value).startswith(str(path))
        path.unlink()
    desk.put("project", text)
    told = choice_of(desk)
    assert told.choice == Choice()
    assert "left out" in told.notices[0]


@pytest.mark.parametrize("kind", ["user", "managed", "project"])
def test_claude_codes_own_keys_change_nothing_and_that_is_said(desk, kind):
    values = {"enabled": False, "network": {"httpProxyPort": 8080}, "filesystem": {"disabled": True}}
    values |= dict.fromkeys(CLAUDES - values.keys(), True)
    say(desk, kind, **values)
    told = choice_of(desk)
    assert told.choice == Choice()
    [notice] = told.notices
    assert "enabled" in notice
    assert "network.httpProxyPort" in notice
    assert "a setting of Claude Code, which changes nothing here" in notice


@pytest.mark.parametrize("kind", ["project", "local"])
def test_a_repository_tightens_and_what_would_loosen_is_ignored(desk, kind):
    say(desk, kind, profile="strict", memory="512m", cpus=0.5, processes=64, disk="1g", idle=60)
    tight = choice_of(desk)
    assert tight.choice == Choice(profile="strict", memory=512 * MIB, cpus=0.5, processes=64, disk=GIB, idle=60)
    assert tight.notices == []
    loose = {"profile": "compat", "memory": "900g", "cpus": 900, "processes": 10**6, "idle": 0}
    say(desk, kind, **loose, runtime="weak", base="live", include=["*"], environment=["AWS_SECRET"])
    told = choice_of(desk)
    assert told.choice == Choice()
    assert len(told.notices) == 9
    assert all("it is ignored" in notice for notice in told.notices)


def test_a_repository_cannot_stop_anybody_with_an_engine_that_is_old(desk):
    say(desk, "project", requirePatched=True)
    assert not choice_of(desk).must_be_patched
    say(desk, "user", requirePatched=True)
    assert choice_of(desk).must_be_patched


def test_a_number_of_the_repositorys_is_compared_with_the_profile_that_holds(desk):
    say(desk, "project", profile="strict", memory="3g", processes=300)
    told = choice_of(desk)
    assert told.choice == Choice(profile="strict")  # which has less of both
    assert len(told.notices) == 2


def test_a_flag_is_the_users_and_outranks_the_repository(desk):
    say(desk, "project", profile="strict")
    say(desk, "user", profile="build", runtime="crun")
    told = choice_of(desk, Flags(profile="default", runtime="runc", base="copy"))
    assert told.choice == Choice(profile="default", runtime="runc", base="copy")


def test_nobody_goes_beyond_what_is_managed(desk):
    say(desk, "managed", profile="default", memory="1g", runtime="crun")
    say(desk, "user", profile="build", memory="8g", runtime="runc")
    told = choice_of(desk)
    assert told.choice == Choice(profile="default", memory=GIB, runtime="crun")
    assert len(told.notices) == 3
    with pytest.raises(SettingsError, match=r"says sandbox\.profile default: --profile compat is not allowed here"):
        choice_of(desk, Flags(profile="compat"))
    with pytest.raises(SettingsError, match=r"says sandbox\.runtime crun: --runtime runc is not allowed here"):
        choice_of(desk, Flags(runtime="runc"))
    assert choice_of(desk, Flags(profile="strict")).choice.profile == "strict"


@pytest.mark.parametrize("profile", PROFILES)
def test_root_inside_is_never_given_unasked(desk, profile):
    say(desk, "user", profile=profile)
    assert choice_of(desk).needs_consent == (profile in ("build", "compat"))
    assert not choice_of(desk, Flags(profile=profile)).needs_consent


def test_a_session_keeps_what_it_chose_unless_a_flag_or_the_administrator_says_otherwise(desk, session_of):
    session = session_of(Choice(profile="strict", memory=GIB, include=("a",), environment=("LANG",)))
    say(desk, "user", profile="default", memory="2g", include=["b"])
    say(desk, "project", memory="200m")
    assert chosen(desk.checkout, desk.files, Flags(), session).choice == session.meta().choice
    assert chosen(desk.checkout, desk.files, Flags(profile="egress"), session).choice.profile == "egress"
    say(desk, "managed", memory="512m")
    assert chosen(desk.checkout, desk.files, Flags(), session).choice.memory == 512 * MIB


@pytest.fixture
def session_of(tmp_path, desk):
    from sandbox.sessions import Meta, new_id, now

    def make(choice):
        meta = Meta(
            id=new_id(), kind="run", checkout=str(desk.checkout), created=now(), image="sha256:0", image_name="base",
            uid=0, gid=0, choice=choice,
        )  # fmt: skip
        return Sessions(tmp_path / "state").create(meta)

    return make


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "profile": st.sampled_from(PROFILES),
        "memory": st.sampled_from([128 * MIB, GIB, 64 * GIB]),
        "cpus": st.sampled_from([0.1, 1.0, 64.0]),
        "processes": st.sampled_from([32, 500, 10**6]),
        "disk": st.sampled_from([MIB, GIB]),
        "idle": st.sampled_from([0.0, 60.0, 7200.0]),
        "runtime": st.sampled_from(["crun", "runsc"]),
        "include": st.sampled_from([(".env",), ("*",)]),
        "environment": st.just(("LANG",)),
    },
)
MACHINE = Machine(64 * GIB, 16)


@given(st.lists(st.tuples(st.sampled_from(OF_USER), VALUES), max_size=3), VALUES, st.sampled_from(["local", "project"]))
def test_p02_whatever_a_repository_says_the_sandbox_is_as_tight_as_without_it(users, theirs, scope):
    ours = [wish(one, **values) for one, values in users]
    without, with_theirs = (choose(found, Flags()).choice for found in (ours, [*ours, wish(scope, **theirs)]))
    before, after = profile_of(without, MACHINE), profile_of(with_theirs, MACHINE)
    assert PROFILES.index(after.name) <= PROFILES.index(before.name)
    said = {key for one in ours for key in one.values}
    for key in ("memory", "cpus", "processes"):
        assert getattr(after, key) <= getattr(before, key) or key in said
    assert (with_theirs.disk or 1e99) <= (without.disk or 1e99)
    assert (with_theirs.idle or 1e99) <= (without.idle or 1e99)
    for key in ("runtime", "base", "include", "environment"):
        assert getattr(with_theirs, key) == getattr(without, key)


def test_a_limit_that_loosens_on_the_engines_machine_only_is_ignored():
    small = Machine(2 * GIB, 1)
    wished = [wish("project", memory=2 * GIB)]
    assert choose(wished, Flags(), Machine(64 * GIB, 16)).choice.memory == 2 * GIB
    found = choose(wished, Flags(), small)
    assert (found.choice.memory, found.choice.machine) == (None, small)
    assert "would loosen the sandbox" in found.notices[0]
    assert choose([as_wish(found.choice)], Flags()).choice.machine is None  # a session goes on where it goes on


@given(VALUES, VALUES)
def test_p03_nothing_goes_beyond_what_is_managed(managed, users):
    holds = choose([wish("managed", **managed), wish("user", **users)], Flags()).choice
    for key, most in managed.items():
        if key == "profile":
            assert PROFILES.index(holds.profile) <= PROFILES.index(most)
        elif key in LIMITS:
            assert (getattr(holds, key) or 1e99) <= (most or 1e99)
        elif key == "runtime":
            assert holds.runtime == most


@pytest.mark.parametrize("machine", [MACHINE, Machine(GIB, 1), Machine(8 * GIB, 2)], ids=["large", "tiny", "small"])
def test_profiles_stand_in_order_each_allows_all_that_the_one_before_allows(machine):
    found = list(profiles(machine).values())
    assert [one.name for one in found] == list(PROFILES)
    for tighter, looser in itertools.pairwise(found):
        assert set(tighter.capabilities) <= set(looser.capabilities)
        for limit in ("memory", "cpus", "processes"):
            assert getattr(tighter, limit) <= getattr(looser, limit)
        for right in ("gains", "changes_image", "changes_workspace", "runs_temporary"):
            assert getattr(tighter, right) <= getattr(looser, right)


def test_what_a_session_stored_says_all_of_it_again():
    choice = Choice(profile="build", memory=GIB, idle=0, environment=("A",))
    assert choose([as_wish(choice)], Flags()).choice == choice


def test_n11_lists_of_hosts_add_up_and_a_repository_can_only_deny(desk):
    said = {"allowedDomains": ["B.example."], "deniedDomains": ["x.b.example"], "allowedAddresses": ["10.1.0.0/16"]}
    say(desk, "user", network=said)
    say(desk, "managed", network={"allowedDomains": ["a.example"], "writableDomains": ["w.example"]})
    say(desk, "project", network={"allowedDomains": ["evil.example"], "deniedDomains": ["b.example"]})
    told = choice_of(desk, Flags(profile="egress", allow=("c.example",)))
    assert told.choice.network == Network(
        allowed=("a.example", "b.example", "c.example"),
        writable=("w.example",),
        denied=("x.b.example", "b.example"),
        addresses=("10.1.0.0/16",),
    )
    [notice] = told.notices
    assert "may deny here, and not allow: it is ignored" in notice


def test_n11_what_a_list_names_in_vain_is_not_allowed_and_that_is_said(desk):
    say(desk, "user", network={"allowedDomains": ["*", "*.com", "a.example", "1.2.3.4"]})
    told = choice_of(desk)
    assert told.choice.network.allowed == ("a.example",)
    [notice] = told.notices
    assert "'*', '*.com', '1.2.3.4': no host that can be allowed here, so it is not" in notice


def test_where_managed_settings_alone_name_hosts_nobody_adds_one(desk):
    say(desk, "managed", network={"allowedDomains": ["a.example"], "allowManagedDomainsOnly": True})
    say(
        desk,
        "user",
        network={"allowedDomains": ["b.example"], "writableDomains": ["c.example"], "deniedDomains": ["d.example"]},
    )
    assert choice_of(desk).choice.network == Network(allowed=("a.example",), denied=("d.example",), only_listed=True)
    with pytest.raises(SettingsError, match="--allow is not allowed here"):
        choice_of(desk, Flags(profile="egress", allow=("e.example",)))


def test_a_session_that_goes_on_keeps_its_hosts(desk):
    network = Network(allowed=("a.example",), denied=("b.example",))
    made = choose([as_wish(Choice(profile="egress", network=network))], Flags(allow=("c.example",)))
    assert made.choice.network == Network(allowed=("a.example", "c.example"), denied=("b.example",))
