"""What both clients send and how they read it: the address, the headers, httpx's answers as ours."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from marketdata_client.patience import TRANSIENT, retry_after_seconds
from marketdata_client.questions import Answer
from marketdata_client.wire import JSON, accepted

DEFAULT_URL = "http://localhost:8100"
# The stream says something every 15 seconds, so a connection that is silent for longer is dead.
STREAM_TIMEOUT = httpx.Timeout(10.0, read=45.0)


@dataclass(frozen=True, slots=True)
class Options:
    """Where the service is, and what it knows the caller by."""

    url: str
    api_key: str
    candles: str = JSON
    """What candles may come as: media types."""


def options(base_url: str | None, api_key: str | None, arrow: bool | None) -> Options:
    """As given, else from the environment, else a service on this machine."""
    url = base_url or os.environ.get("MARKETDATA_URL") or DEFAULT_URL
    key = api_key if api_key is not None else os.environ.get("MARKETDATA_API_KEY", "")
    return Options(url.rstrip("/"), key, accepted(arrow))


def question_headers(chosen: Options, *, is_of_candles: bool = False) -> dict[str, str]:
    """The headers of a question."""
    key = {"x-api-key": chosen.api_key} if chosen.api_key else {}
    return {"Accept": chosen.candles if is_of_candles else JSON, **key}


def headers_of(chosen: Options, last_event_id: str | None) -> dict[str, str]:
    """The headers of a stream."""
    position = {"Last-Event-ID": last_event_id} if last_event_id else {}
    return {**question_headers(chosen), "Accept": "text/event-stream", **position}


def stream_parameters(
    symbols: str | Sequence[str] | None, exchange: str | None, kinds: Sequence[str] | None
) -> dict[str, str]:
    """The query of a stream; what is not named is everything."""
    named = symbols if isinstance(symbols, str) else ",".join(symbols or ())
    asked = {"symbol": named, "exchange": exchange or "", "kinds": ",".join(kinds or ())}
    return {name: value for name, value in asked.items() if value}


def answer_of(response: httpx.Response) -> Answer:
    """A response that was read."""
    retry_after = retry_after_seconds(response.headers.get("Retry-After"), time.time())
    media = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Answer(response.status_code, response.content, retry_after, media)


def is_transient(answer: Answer) -> bool:
    """Whether asking again may be answered otherwise."""
    return answer.status in TRANSIENT
