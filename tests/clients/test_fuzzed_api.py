"""Questions that nobody would think of, made from docs/openapi.json: none fails, and none is answered in other shapes.

`make fuzz-api` asks 10,000; FUZZ_CASES sets another number, and FUZZ_SEED repeats a run.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from marketdata_client import MarketDataClient
from schemathesis import APIOperation, Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.openapi import draw
from tests.clients.conftest import Served

pytestmark = [pytest.mark.stack, pytest.mark.slow]

CASES = int(os.environ.get("FUZZ_CASES", "400"))
SEED = os.environ.get("FUZZ_SEED")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
KNOWN = {"symbol": ["BTC-USD", "ETH-USD", "btcusd"], "exchange": ["coinbase"], "job": ["roll_up", "gap_scan"]}
AnyCase = Case[Any]
AnyOperation = APIOperation[Any, Any, Any, Any]


def drawn_operations() -> Iterator[AnyOperation]:
    """Every operation of the document."""
    for result in schemathesis.openapi.from_dict(draw()).get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


OPERATIONS = list(drawn_operations())


@pytest.fixture(scope="module")
def answered(served: Served, request: pytest.FixtureRequest) -> Iterator[Counter[int]]:
    """How often each status was answered."""
    statuses: Counter[int] = Counter()
    yield statuses
    told = ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items()))
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\n{statuses.total():,} questions to the API: {told}")
    with MarketDataClient(served.url) as client:
        assert client.get_instruments(), "what was asked broke what others need"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method.upper()} {one.path}")
def test_whatever_is_asked_is_answered_as_declared(
    served: Served, answered: Counter[int], operation: AnyOperation
) -> None:
    @hypothesis.seed(int(SEED or 0))
    @hypothesis.settings(
        max_examples=-(-CASES // len(OPERATIONS)),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(), known=known_names())
    def ask(case: AnyCase, known: dict[str, str]) -> None:
        for place in (case.query, case.path_parameters):
            for name in known.keys() & place.keys():
                place[name] = known[name]
        response = case.call(base_url=served.url, timeout=60)
        answered[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    ask()


def known_names() -> st.SearchStrategy[dict[str, str]]:
    """Names of what is there, for half of the questions: the others seldom guess one."""
    chosen = st.fixed_dictionaries({name: st.sampled_from(names) for name, names in KNOWN.items()})
    return st.one_of(st.just({}), chosen)
