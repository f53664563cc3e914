"""Addresses that are not public: redirects do not lead there, nor first URLs where that is asked
for, in whatever way the address is written or found."""

from __future__ import annotations

import errno

import networks
import pytest
import ssrf_cases as cases
from ssrf_cases import NAMED, PRIVATE, PUBLIC4, PUBLIC6, STILL_PUBLIC, Outcomes

HOSTS = [*PRIVATE, *(f"a name for {address}" for address in NAMED.values())]
REACHABLE = [name for name in HOSTS if PRIVATE.get(name, ("", name))[1] is not None]


@pytest.fixture(scope="module")
def redirected() -> Outcomes:
    return networks.run_inside(cases.redirected, PUBLIC4)


@pytest.fixture(scope="module")
def redirected_from_ipv6() -> Outcomes:
    return networks.run_inside(cases.redirected, PUBLIC6)


@pytest.fixture(scope="module")
def redirected_freely() -> Outcomes:
    return networks.run_inside(cases.redirected, PUBLIC4, allow_private_redirects=True)


@pytest.fixture(scope="module")
def redirected_strictly() -> Outcomes:
    return networks.run_inside(
        cases.redirected, PUBLIC4, allow_private_redirects=True, block_private=True
    )


@pytest.fixture(scope="module")
def redirected_to_public() -> Outcomes:
    return networks.run_inside(cases.redirected_to_public)


@pytest.fixture(scope="module")
def first_hops() -> Outcomes:
    return networks.run_inside(cases.first_hops)


@pytest.fixture(scope="module")
def blocked_hops() -> Outcomes:
    return networks.run_inside(cases.first_hops, block_private=True)


@pytest.fixture(scope="module")
def roundabout() -> Outcomes:
    return networks.run_inside(cases.roundabout)


@pytest.mark.parametrize("name", HOSTS)
def test_a_redirect_to_it_is_refused_before_a_byte_is_sent(name: str, redirected: Outcomes) -> None:
    assert redirected[name].refused, redirected[name]


@pytest.mark.parametrize("name", HOSTS)
def test_a_redirect_from_ipv6_to_it_is_refused(name: str, redirected_from_ipv6: Outcomes) -> None:
    assert redirected_from_ipv6[name].refused, redirected_from_ipv6[name]


@pytest.mark.parametrize("name", REACHABLE)
def test_a_redirect_to_it_works_where_that_is_allowed(
    name: str, redirected_freely: Outcomes
) -> None:
    assert redirected_freely[name].equal, redirected_freely[name]
    assert redirected_freely[name].requests == 1


@pytest.mark.parametrize("name", sorted(set(HOSTS) - set(REACHABLE)))
def test_what_cannot_be_reached_is_not_what_is_refused(
    name: str, redirected_freely: Outcomes
) -> None:
    outcome = redirected_freely[name]
    assert outcome.equal is None
    assert "not public" not in outcome.message


@pytest.mark.parametrize("name", HOSTS)
def test_what_is_blocked_is_so_after_redirects_that_are_allowed(
    name: str, redirected_strictly: Outcomes
) -> None:
    assert redirected_strictly[name].refused, redirected_strictly[name]


@pytest.mark.parametrize("name", STILL_PUBLIC)
def test_a_redirect_to_a_public_address_works(name: str, redirected_to_public: Outcomes) -> None:
    assert redirected_to_public[name].equal, redirected_to_public[name]


@pytest.mark.parametrize("name", REACHABLE)
def test_a_first_url_may_lead_to_it(name: str, first_hops: Outcomes) -> None:
    assert first_hops[name].equal, first_hops[name]


@pytest.mark.parametrize("name", HOSTS)
def test_a_first_url_is_refused_where_that_is_asked_for(name: str, blocked_hops: Outcomes) -> None:
    assert blocked_hops[name].refused, blocked_hops[name]


@pytest.mark.parametrize("name", ["again", "relative", "upper", "spaces", "fullwidth"])
def test_a_roundabout_redirect_is_refused(name: str, roundabout: Outcomes) -> None:
    assert roundabout[name].refused, roundabout[name]


@pytest.mark.parametrize("name", ["backslash", "slashes", "file", "gopher", "ftp"])
def test_a_redirect_to_what_is_no_url_of_a_web_server_is_an_error(
    name: str, roundabout: Outcomes
) -> None:
    outcome = roundabout[name]
    assert outcome.equal is None
    assert outcome.connections == outcome.bytes_received == 0


def test_a_private_server_that_redirects_to_itself_is_refused_too() -> None:
    outcome = networks.run_inside(cases.to_itself)
    assert outcome.number == errno.EACCES
    assert outcome.requests == 1
    assert networks.run_inside(cases.to_itself, allow_private_redirects=True).equal


@pytest.mark.parametrize("private", ["10.1.2.3", "127.0.0.1", "fc00::5", "::1"])
def test_a_name_whose_answer_changes_is_judged_by_what_is_connected_to(private: str) -> None:
    public_first = networks.run_inside(cases.changing_names, private, "public")
    # Asked once, it is public, and that is where the connection goes.
    assert all(outcome.equal for outcome in public_first.outcomes), public_first
    assert all(outcome.connections == 0 for outcome in public_first.outcomes)

    private_first = networks.run_inside(cases.changing_names, private, "private")
    assert all(outcome.refused for outcome in private_first.outcomes), private_first
    assert private_first.questions > 0


@pytest.mark.parametrize("name", ["four.test", "six.test", "4.rev.test", "6.rev.test"])
def test_a_name_with_several_addresses_leads_to_the_public_ones_only(name: str) -> None:
    outcome = networks.run_inside(cases.mixed_names)[name]
    assert outcome.equal is None
    assert outcome.connections == outcome.bytes_received == 0


def test_a_name_server_that_never_answers_is_an_error_in_time() -> None:
    outcome, seconds = networks.run_inside(cases.silent_names)
    assert outcome.equal is None
    assert seconds < 25


def test_a_connection_that_is_there_already_is_no_way_round() -> None:
    first, second = networks.run_inside(cases.reused)
    assert first.equal
    assert second.refused, second


def test_a_connection_that_is_there_already_is_used_where_that_is_allowed() -> None:
    """That the test before is about connections that are used again."""
    first, second = networks.run_inside(cases.reused, allow_private_redirects=True)
    assert (first.equal, first.connections) == (True, 1)
    assert (second.equal, second.connections, second.requests) == (True, 0, 1)


def test_a_connection_of_before_is_not_used_once_first_urls_are_restricted() -> None:
    first, second = networks.run_inside(cases.reused_by_first_hop)
    assert first.equal
    assert second.refused, second
