"""N-02, N-06: which addresses a name may lead to."""

import ipaddress

import pytest

from sandbox.choice import Network
from sandbox.egress.rules import Rules

METADATA = [
    *["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "fe80::1", "::ffff:169.254.169.254"],
    *["168.63.129.16", "192.0.0.192", "fd20:ce::254", "fd00:42::42"],  # Azure, Oracle, Google, Scaleway
]
PRIVATE = [
    *["127.0.0.1", "10.0.0.1", "172.17.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"],
    *["::1", "::", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fec0::1"],
    *["::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "4000::1"],
]


@pytest.mark.parametrize("address", [*PRIVATE, *METADATA])
def test_n06_what_is_not_public_is_not_reached(address):
    assert not Rules().reaches(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address_is_reached(address):
    assert Rules().reaches(ipaddress.ip_address(address))


def test_a_listed_network_is_reached_and_no_other():
    rules = Rules.of(Network(addresses=("10.1.0.0/16", "fd12::/32")))
    assert rules.reaches(ipaddress.ip_address("10.1.2.3"))
    assert rules.reaches(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert rules.reaches(ipaddress.ip_address("fd12::1"))
    assert not rules.reaches(ipaddress.ip_address("10.2.0.1"))


@pytest.mark.parametrize("address", METADATA)
def test_n02_no_list_opens_what_a_cloud_tells_its_machines(address):
    rules = Rules.of(Network(addresses=("0.0.0.0/0", "::/0")))
    assert not rules.reaches(ipaddress.ip_address(address))
