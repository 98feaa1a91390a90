"""What went wrong, as clients hear it. The types are promises: a change here breaks clients."""

import json

import pytest
from marketdata.errors import (
    Ambiguous,
    NotFound,
    RequestInvalid,
    SettingsInvalid,
    StoreError,
    TooLarge,
    Unauthorized,
)
from marketdata.serve.problems import problem_of


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (RequestInvalid("limit", "too many"), 400, "/problems/invalid-parameter"),
        (NotFound("symbol", "not here"), 404, "/problems/unknown-symbol"),
        (NotFound("exchange", "not here"), 404, "/problems/unknown-exchange"),
        (NotFound("job", "not here"), 404, "/problems/unknown-job"),
        (NotFound("path", "not here"), 404, "/problems/not-found"),
        (Ambiguous("symbol", "two of them"), 409, "/problems/ambiguous-symbol"),
        (TooLarge("body", "too long"), 413, "/problems/too-large"),
        (Unauthorized("no key"), 401, "/problems/unauthorized"),
        (SettingsInvalid({"CRON_SECRET": "is not set"}), 503, "/problems/not-configured"),
        (StoreError("candles", "refused"), 503, "/problems/store-unavailable"),
        (KeyError("oops"), 500, "/problems/internal"),
    ],
)
def test_each_failure_has_its_status_and_type(error: Exception, status: int, kind: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.type) == (status, kind)


def test_the_document_names_the_field_the_choices_and_the_request() -> None:
    problem = problem_of(NotFound("symbol", "'X' is not followed here", ("coinbase:BTC-USD",)))
    assert json.loads(problem.document("/v1/candles", "request-1")) == {
        "type": "/problems/unknown-symbol",
        "title": "Nothing of that name is here",
        "status": 404,
        "detail": "symbol: 'X' is not followed here",
        "instance": "/v1/candles",
        "request_id": "request-1",
        "errors": [{"field": "symbol", "detail": "'X' is not followed here"}],
        "choices": ["coinbase:BTC-USD"],
    }


@pytest.mark.parametrize("error", [StoreError("candles", "http://10.0.0.7 refused"), ValueError("http://10.0.0.7")])
def test_how_we_are_built_is_not_told(error: Exception) -> None:
    assert "10.0.0.7" not in problem_of(error).document("/v1/candles", "request-1")


def test_who_may_try_again_is_told_when_and_who_may_not_come_in_is_told_how() -> None:
    assert problem_of(StoreError("candles", "refused")).headers == {"Retry-After": "5"}
    assert problem_of(Unauthorized("no key")).headers == {"WWW-Authenticate": "Bearer"}
