"""Whose request it is: CloudFront's word is taken where it proves that it is CloudFront's."""

from typing import Any

import pytest
from marketdata.serve.viewer_address import EDGE_HEADER, viewer_address

SECRET, VIEWER, EDGE = "of-our-edge", "203.0.113.7", "64.252.70.1"


def request(forwarded: str | None, *, secret: str | None = SECRET, peer: str = EDGE) -> dict[str, Any]:
    headers = {"x-forwarded-for": forwarded, EDGE_HEADER: secret}
    return {
        "headers": {name: value for name, value in headers.items() if value is not None},
        "requestContext": {"http": {"sourceIp": peer}},
    }


def test_who_comes_by_our_edge_is_known_by_the_address_that_the_edge_saw() -> None:
    assert viewer_address(request(f"{VIEWER}, {EDGE}"), SECRET) == VIEWER


@pytest.mark.parametrize("made_up", ["198.51.100.1", "198.51.100.1, 198.51.100.2", "not an address", f"{EDGE}", ""])
def test_what_a_viewer_says_of_itself_is_not_believed(made_up: str) -> None:
    assert viewer_address(request(f"{made_up}, {VIEWER}, {EDGE}"), SECRET) == VIEWER


@pytest.mark.parametrize("presented", [None, "", "of-another-edge", "of-our-edg", "\ud800"])
def test_without_the_edges_secret_nobody_speaks_for_another(presented: str | None) -> None:
    assert viewer_address(request(f"{VIEWER}, {EDGE}", secret=presented), SECRET) == EDGE


@pytest.mark.parametrize("unset", [None, ""])
def test_where_no_secret_is_set_no_edge_is_believed_not_even_with_an_empty_one(unset: str | None) -> None:
    assert viewer_address(request(f"{VIEWER}, {EDGE}", secret=""), unset) == EDGE
    assert viewer_address(request(f"{VIEWER}, {EDGE}"), unset) == EDGE


@pytest.mark.parametrize("forwarded", [None, "", VIEWER, f"{VIEWER}, 192.0.2.9", f"{VIEWER}, unknown"])
def test_a_chain_that_does_not_end_with_the_gateways_own_entry_is_no_chain(forwarded: str | None) -> None:
    assert viewer_address(request(forwarded), SECRET) == EDGE


def test_an_edge_may_be_spelled_in_another_way() -> None:
    event = request(f"{VIEWER}, 2600:9000:0:0::1", peer="2600:9000::1")
    assert viewer_address(event, SECRET) == VIEWER


def test_an_event_without_an_address_has_none() -> None:
    assert viewer_address({"headers": {}, "requestContext": {"http": {}}}, SECRET) == ""
