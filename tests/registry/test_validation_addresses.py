"""IP addresses and networks, which must be read alike by all (KEP-4858)."""

from __future__ import annotations

import pytest

from kcore.api.field import Path
from kcore.registry.validation.addresses import validate_cidr, validate_ip
from tests.registry.specimens import lines

P = Path("p")
NOT_AN_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NOT_A_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.2.3.4", ""),
        ("0.0.0.0", ""),
        ("FE80:0:0:0:0:0:0:0abc", ""),
        ("1.1.1.01", "must not have leading 0s"),
        ("::ffff:1.1.1.1", "must not be an IPv4-mapped IPv6 address"),
        ("", NOT_AN_IP),
        ("1.2.3.400", NOT_AN_IP),
        ("1.2.3.0/24", NOT_AN_IP),
        ("1.2.3", NOT_AN_IP),
        ("fe80::1%eth0", NOT_AN_IP),
    ],
)
def test_an_address_is_read_in_one_way(text: str, words: str) -> None:
    assert lines(validate_ip(text, P)) == ([f'p: Invalid value: "{text}": {words}'] if words else [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.0/8", ""),
        ("0.0.0.0/0", ""),
        ("2001:db8::/64", ""),
        ("10.0.0.1/8", "must not have bits set beyond the prefix length"),
        ("2001:db8::1/64", "must not have bits set beyond the prefix length"),
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
        ("::ffff:10.0.0.0/104", "must not have an IPv4-mapped IPv6 address"),
        ("10.0.0.0", NOT_A_CIDR),
        ("10.0.0.0/33", NOT_A_CIDR),
        ("10.0.0.0/-1", NOT_A_CIDR),
        ("x/8", NOT_A_CIDR),
    ],
)
def test_a_network_has_an_address_and_no_host(text: str, words: str) -> None:
    assert lines(validate_cidr(text, P)) == ([f'p: Invalid value: "{text}": {words}'] if words else [])


def test_what_was_there_may_stay() -> None:
    assert lines(validate_ip("1.1.1.01", P, ["1.1.1.01"])) == []
    assert lines(validate_cidr("10.0.0.1/8", P, ["10.0.0.1/8"])) == []
