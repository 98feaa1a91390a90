"""The way in, through the functions themselves: keys, tokens, closed reads, quotas, other sites' pages, sizes."""

from datetime import timedelta

import jwt
import pytest
from marketdata.clock import FakeClock
from marketdata.jobs.known_keys import KNOWN_FOR, new_key
from marketdata.model.api_key import ApiKey, Scope
from marketdata.observe import Handler
from marketdata.store.memory import MemoryStore

from functions.api.handler import application as api_application
from functions.cron.handler import application as cron_application
from functions.ingest.handler import application as ingest_application
from tests.functions.calls import ENVIRONMENT, Answer, call, event, get, settings
from tests.functions.test_ingest import BODY
from tests.market import a_store, at

PAGE = "https://page.example.com"
JWT_SECRET = "a-shared-secret-of-more-than-thirty-two-bytes"
NOON = at("12:00")


@pytest.fixture
def store() -> MemoryStore:
    return a_store()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


def api_over(store: MemoryStore, clock: FakeClock, **environment: str) -> Handler:
    return api_application(store, settings(**environment), clock)


def ingest_over(store: MemoryStore, clock: FakeClock, **environment: str) -> Handler:
    return ingest_application(store, settings(**environment), clock)


def push(handler: Handler, key: str | None, **headers: str) -> Answer:
    given = {**headers, **({"x-api-key": key} if key else {})}
    return call(handler, event("POST", "/v1/ingest", headers=given, body=BODY))


def a_key(store: MemoryStore, scope: Scope = Scope.INGEST, days: int | None = None) -> tuple[str, ApiKey]:
    secret, key = new_key("ann", scope, NOON, NOON + timedelta(days=days) if days else None)
    assert store.add_key(key)
    return secret, key


def a_token(subject: str = "user-1", secret: str = JWT_SECRET) -> str:
    claims = {
        "sub": subject,
        "aud": "authenticated",
        "iss": f"{ENVIRONMENT['SUPABASE_URL']}/auth/v1",
        "exp": int((NOON + timedelta(hours=1)).timestamp()),
    }
    return jwt.encode(claims, secret, algorithm="HS256")


# Keys


@pytest.mark.parametrize("environment", [{}, {"INGEST_API_KEYS": "first-key"}])
def test_a_key_of_the_store_pushes_beside_those_of_the_environment(
    store: MemoryStore, clock: FakeClock, environment: dict[str, str]
) -> None:
    secret, _ = a_key(store)
    ingest = ingest_over(store, clock, **environment)
    assert push(ingest, secret).status == 202
    assert (
        call(ingest, event("POST", "/v1/ingest", headers={"authorization": f"Bearer {secret}"}, body=BODY)).status
        == 202
    )


def test_only_a_digest_of_a_key_is_kept(store: MemoryStore) -> None:
    secret, key = a_key(store)
    assert secret.startswith(key.prefix)
    assert secret not in repr(store.keys())
    assert secret.removeprefix(f"{key.prefix}_") not in repr(store.keys())


def test_two_keys_of_one_sender_work_side_by_side_until_the_old_one_is_revoked(
    store: MemoryStore, clock: FakeClock
) -> None:
    ingest = ingest_over(store, clock)
    (old, old_key), (new, _) = a_key(store), a_key(store)
    assert [push(ingest, key).status for key in (old, new)] == [202, 202]
    store.revoke_key(old_key.prefix, now=NOON)
    clock.advance(KNOWN_FOR + timedelta(seconds=1))
    assert [push(ingest, key).status for key in (old, new)] == [401, 202]


def test_a_key_ends_with_its_last_day(store: MemoryStore, clock: FakeClock) -> None:
    secret, _ = a_key(store, days=1)
    ingest = ingest_over(store, clock)
    clock.advance(timedelta(days=1, seconds=-1))
    assert push(ingest, secret).status == 202
    clock.advance(timedelta(seconds=1))
    assert push(ingest, secret).status == 401


def test_a_key_that_reads_does_not_push(store: MemoryStore, clock: FakeClock) -> None:
    secret, _ = a_key(store, Scope.READ)
    a_key(store)
    assert push(ingest_over(store, clock), secret).status == 401


def test_the_beginning_of_a_key_with_another_end_is_no_key(store: MemoryStore, clock: FakeClock) -> None:
    secret, _ = a_key(store)
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    answer = push(ingest_over(store, clock), wrong)
    assert (answer.status, answer.problem) == (401, "/problems/unauthorized")


def test_where_there_are_keys_ones_own_machine_asks_for_one_too(store: MemoryStore, clock: FakeClock) -> None:
    ingest = ingest_over(store, clock, MARKETDATA_LOCAL="1")
    a_key(store)
    assert push(ingest, None).status == 401


def test_no_key_of_any_kind_runs_a_job(store: MemoryStore, clock: FakeClock) -> None:
    secret, _ = a_key(store)
    cron = cron_application(store, settings(CRON_SECRET="a-cron-secret", INGEST_API_KEYS="first-key"), clock)
    for key in (secret, "first-key"):
        assert call(cron, event("POST", "/v1/cron/roll_up", headers={"authorization": f"Bearer {key}"})).status == 401


# Closed reads


def test_reads_are_public_whatever_key_or_token_comes_along(store: MemoryStore, clock: FakeClock) -> None:
    api = api_over(store, clock)
    for headers in ({}, {"x-api-key": "anything"}, {"authorization": "Bearer a.b.c"}, {"authorization": "Basic x"}):
        assert get(api, "/v1/instruments", headers).status == 200


def test_closed_reads_open_to_a_reading_key_a_pushing_key_and_a_logged_in_user(
    store: MemoryStore, clock: FakeClock
) -> None:
    api = api_over(store, clock, PUBLIC_READS="0", SUPABASE_JWT_SECRET=JWT_SECRET, INGEST_API_KEYS="first-key")
    reading, pushing = a_key(store, Scope.READ)[0], a_key(store)[0]
    for headers in (
        {"x-api-key": reading},
        {"x-api-key": pushing},
        {"x-api-key": "first-key"},
        {"authorization": f"Bearer {reading}"},
        {"authorization": f"Bearer {a_token()}"},
    ):
        assert get(api, "/v1/instruments", headers).status == 200, headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": "anything"},
        {"authorization": f"Bearer {a_token(secret='another-secret-of-more-than-thirty-two-bytes')}"},
        {"authorization": a_token()},
    ],
)
@pytest.mark.parametrize("home", ["0", "1"])
def test_closed_reads_are_closed_to_everybody_else_and_at_home(
    store: MemoryStore, clock: FakeClock, headers: dict[str, str], home: str
) -> None:
    api = api_over(store, clock, PUBLIC_READS="0", SUPABASE_JWT_SECRET=JWT_SECRET, MARKETDATA_LOCAL=home)
    answer = get(api, "/v1/instruments", headers)
    assert (answer.status, answer.problem) == (401, "/problems/unauthorized")


@pytest.mark.parametrize("path", ["/v1/health/live", "/v1/health/ready"])
def test_monitors_need_no_key(store: MemoryStore, clock: FakeClock, path: str) -> None:
    assert get(api_over(store, clock, PUBLIC_READS="0"), path).status == 200


# Quotas


def test_each_answer_says_how_it_stands_with_the_quota(store: MemoryStore, clock: FakeClock) -> None:
    answer = get(api_over(store, clock), "/v1/instruments")
    assert answer.headers["ratelimit-policy"] == '"default";q=600;w=60'
    assert answer.headers["ratelimit"] == '"default";r=599;t=60'
    assert answer.headers["x-ratelimit-remaining"] == "599"


def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_not_kept_out(
    store: MemoryStore, clock: FakeClock
) -> None:
    api = api_over(store, clock, RATE_LIMIT_PER_MINUTE="2")
    secret, _ = a_key(store, Scope.READ)
    answers = [get(api, "/v1/instruments") for _ in range(3)]
    assert [one.status for one in answers] == [200, 200, 429]
    refused = answers[-1]
    assert refused.problem == "/problems/rate-limited"
    assert "more than 2 requests in 60 seconds" in refused.json["detail"]
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit"].startswith('"default";r=0;t=')
    elsewhere = event("GET", "/v1/instruments")
    elsewhere["requestContext"]["http"]["sourceIp"] = "203.0.113.8"
    assert call(api, elsewhere).status == 200
    # Whoever was known before brings a quota of their own.
    known = event("GET", "/v1/instruments", headers={"x-api-key": secret})
    known["requestContext"]["http"]["sourceIp"] = "203.0.113.9"
    assert call(api, known).status == 200
    assert get(api, "/v1/instruments", {"x-api-key": secret}).status == 200


def test_guessing_keys_is_limited_and_asks_the_store_nothing_then(store: MemoryStore, clock: FakeClock) -> None:
    ingest = ingest_over(store, clock, INGEST_API_KEYS="first-key", INGEST_RATE_LIMIT_PER_MINUTE="3")
    guesses = [push(ingest, new_key("x", Scope.INGEST, NOON)[0]).status for _ in range(5)]
    assert guesses == [401, 401, 401, 429, 429]
    assert push(ingest, "first-key").status == 202


def test_one_network_of_version_six_is_one_caller(store: MemoryStore, clock: FakeClock) -> None:
    api = api_over(store, clock, RATE_LIMIT_PER_MINUTE="1")
    request = event("GET", "/v1/instruments")
    statuses = []
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
        request["requestContext"]["http"]["sourceIp"] = address
        statuses.append(call(api, request).status)
    assert statuses == [200, 429, 200]


@pytest.mark.parametrize(("presented", "statuses"), [("of-our-edge", [200, 200, 429]), ("made-up", [200, 429, 429])])
def test_visitors_of_one_edge_are_counted_apart_where_the_edge_proves_itself(
    store: MemoryStore, clock: FakeClock, presented: str, statuses: list[int]
) -> None:
    api = api_over(store, clock, RATE_LIMIT_PER_MINUTE="1", EDGE_SECRET="of-our-edge")
    edge = event("GET", "/v1/instruments")["requestContext"]["http"]["sourceIp"]
    visitors = ("198.51.100.1", "198.51.100.2", "198.51.100.1")
    chains = [f"{number}.0.0.1, {visitor}, {edge}" for number, visitor in enumerate(visitors, start=1)]
    asked = [get(api, "/v1/instruments", {"x-marketdata-edge": presented, "x-forwarded-for": one}) for one in chains]
    assert [one.status for one in asked] == statuses


def test_at_home_nobody_is_counted(store: MemoryStore, clock: FakeClock) -> None:
    answer = get(api_over(store, clock, MARKETDATA_LOCAL="1"), "/v1/instruments")
    assert "ratelimit" not in answer.headers


# Pages of other sites


def test_a_page_that_asks_first_is_told_what_it_may(store: MemoryStore, clock: FakeClock) -> None:
    headers = {"origin": PAGE, "access-control-request-method": "GET", "access-control-request-headers": "x-api-key"}
    answer = call(api_over(store, clock, PUBLIC_READS="0"), event("OPTIONS", "/v1/candles", headers=headers))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert "X-Api-Key" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"


@pytest.mark.parametrize("origins", ["*", "https://other.example.com"])
def test_no_page_pushes_unless_it_is_named(store: MemoryStore, clock: FakeClock, origins: str) -> None:
    headers = {"origin": PAGE, "access-control-request-method": "POST"}
    asked = call(api_over(store, clock, CORS_ORIGINS=origins), event("OPTIONS", "/v1/ingest", headers=headers))
    assert asked.status == 204
    assert "access-control-allow-origin" not in asked.headers
    ingest = ingest_over(store, clock, CORS_ORIGINS=origins, INGEST_API_KEYS="first-key")
    assert "access-control-allow-origin" not in push(ingest, "first-key", origin=PAGE).headers


def test_a_page_that_is_named_reads_and_pushes_and_caches_tell_pages_apart(
    store: MemoryStore, clock: FakeClock
) -> None:
    named = {"CORS_ORIGINS": f"{PAGE}, https://other.example.com", "INGEST_API_KEYS": "first-key"}
    pushed = push(ingest_over(store, clock, **named), "first-key", origin=PAGE)
    assert (pushed.status, pushed.headers["access-control-allow-origin"]) == (202, PAGE)
    headers = {"origin": PAGE, "access-control-request-method": "POST"}
    asked = call(api_over(store, clock, **named), event("OPTIONS", "/v1/ingest", headers=headers))
    assert "POST" in asked.headers["access-control-allow-methods"]
    stranger = get(api_over(store, clock, **named), "/v1/instruments", {"origin": "https://stranger.example.com"})
    assert "access-control-allow-origin" not in stranger.headers
    assert "Origin" in stranger.headers["vary"]


def test_a_page_reads_the_headers_that_clients_need_even_of_a_refusal(store: MemoryStore, clock: FakeClock) -> None:
    api = api_over(store, clock, RATE_LIMIT_PER_MINUTE="1")
    for status in (200, 429):
        answer = get(api, "/v1/instruments", {"origin": PAGE})
        assert answer.status == status
        exposed = answer.headers["access-control-expose-headers"]
        for name in ("ETag", "Link", "RateLimit", "Retry-After", "X-Request-Id", "X-Data-Condition", "X-Data-Coverage"):
            assert name in exposed


# Sizes and names


def test_more_than_a_request_needs_is_refused_and_the_bound_is_named(store: MemoryStore, clock: FakeClock) -> None:
    answer = get(api_over(store, clock), "/v1/candles", symbol="x" * 9_000)
    assert (answer.status, answer.problem) == (413, "/problems/too-large")
    assert answer.json["errors"] == [{"field": "query", "detail": "has more than 8,192 characters"}]


@pytest.mark.parametrize(
    ("given", "answered"), [("my-id.1", "my-id.1"), ("no spaces", "request-1"), ("x" * 65, "request-1")]
)
def test_a_request_keeps_its_plain_name_even_when_refused(
    store: MemoryStore, clock: FakeClock, given: str, answered: str
) -> None:
    answer = get(api_over(store, clock, PUBLIC_READS="0"), "/v1/instruments", {"x-request-id": given})
    assert (answer.status, answer.headers["x-request-id"], answer.json["request_id"]) == (401, answered, answered)


def test_what_a_caller_says_of_itself_is_not_believed(store: MemoryStore, clock: FakeClock) -> None:
    request = event("POST", "/v1/ingest", headers={"idempotency-key": "k", "x-api-key": "first-key"}, body=BODY)
    request["requestContext"]["authorizer"] = {"lambda": {"caller": "key:someone-else"}}
    ingest = ingest_over(store, clock, INGEST_API_KEYS="first-key")
    assert call(ingest, request).status == 202
    del request["requestContext"]["authorizer"]
    assert call(ingest, request).headers["idempotent-replayed"] == "true"


# What ingest changes


def test_what_is_pushed_is_read_at_once_though_the_answer_before_was_kept(store: MemoryStore, clock: FakeClock) -> None:
    api = api_over(store, clock, CACHE_TTL_SECONDS="3600")
    ingest = ingest_over(store, clock, CACHE_TTL_SECONDS="3600", INGEST_API_KEYS="first-key")
    asked = event("GET", "/v1/candles", {"symbol": "BTC-USD", "start": "2026-08-09", "end": "2026-08-09T10:05:00Z"})
    assert call(api, asked).json["data"] == []
    assert push(ingest, "first-key").status == 202
    assert [one["volume"] for one in call(api, asked).json["data"]] == ["2"]
