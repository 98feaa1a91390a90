"""The client that waits for its answers."""

import time
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

import httpx

from marketdata_client import questions
from marketdata_client.candles import Candles
from marketdata_client.connection import (
    STREAM_TIMEOUT,
    answer_of,
    headers_of,
    is_transient,
    options,
    question_headers,
    stream_parameters,
)
from marketdata_client.errors import ConnectionFailed, DataWarning
from marketdata_client.live import Live, StreamReader
from marketdata_client.patience import TRANSIENT, Patience
from marketdata_client.questions import Answer, Asking, Question, Result


class MarketDataClient:
    """Asks one service, `base_url` or MARKETDATA_URL; `api_key` or MARKETDATA_API_KEY where reads need one.

    `arrow` says whether candles travel as Arrow; unless said, they do where pyarrow is installed.

    Pages and polite retries are its own affair. `http` may be an httpx.Client of the caller's, who then closes it.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        arrow: bool | None = None,
        timeout_seconds: float = 30.0,
        patience: Patience | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._options = options(base_url, api_key, arrow)
        self._http = http or httpx.Client(timeout=timeout_seconds)
        self._owned = http is None
        self._patience = patience or Patience()
        self._warned = False

    def get_candles(
        self,
        exchange: str | None,
        symbol: str,
        timeframe: str = "1m",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        *,
        rows_max: int | None = None,
    ) -> Candles:
        """Every candle with `start <= open_time < end`, oldest first; warns once if the data is not whole."""
        asking = questions.candles(exchange, symbol, timeframe, start=start, end=end, rows_max=rows_max)
        return self._warned_of(self._ask(asking))

    def get_latest(
        self, symbol: str, timeframe: str = "1m", limit: int = 100, *, exchange: str | None = None
    ) -> Candles:
        """The newest candles, oldest first."""
        return self._warned_of(self._ask(questions.latest(exchange, symbol, timeframe, limit)))

    def get_instruments(self) -> list[dict[str, Any]]:
        """What is followed."""
        return self._ask(questions.records("/v1/instruments", {}))

    def get_gaps(
        self, symbol: str | None = None, *, exchange: str | None = None, state: str = "unresolved"
    ) -> list[Any]:
        """The gap ledger."""
        asked = {"symbol": symbol, "exchange": exchange, "state": state, "limit": 1000}
        return self._ask(questions.records("/v1/gaps", asked))

    def get_status(self) -> dict[str, Any]:
        """Feeds, limits, and how old everything is."""
        return self._ask(questions.document("/v1/status"))

    def stream(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        exchange: str | None = None,
        kinds: Sequence[str] | None = None,
        last_event_id: str | None = None,
    ) -> Iterator[Live]:
        """Candles as they change, and what becomes of older ones, until the caller stops.

        A connection that breaks is made again from the last event; what cannot be told any more is told by Reset.
        Raises: ApiError; ConnectionFailed when nobody answers for as long as patience lasts.
        """
        reader = StreamReader(last_event_id)
        parameters = stream_parameters(symbols, exchange, kinds)
        tried = 0
        while True:
            try:
                for event in self._connected(reader, parameters):
                    tried = 0
                    yield event
                tried += 1
                failure: Exception | None = None
            except httpx.TransportError as error:
                tried, failure = tried + 1, error
            wait_seconds = self._patience.wait_seconds(tried, None)
            if wait_seconds is None:
                raise ConnectionFailed(f"{self._options.url} ends the stream again and again") from failure
            time.sleep(wait_seconds)

    def close(self) -> None:
        """Let go of the connections."""
        if self._owned:
            self._http.close()

    def __enter__(self) -> "MarketDataClient":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def _connected(self, reader: StreamReader, parameters: dict[str, str]) -> Iterator[Live]:
        headers = headers_of(self._options, reader.last_event_id)
        url = f"{self._options.url}/stream"
        with self._http.stream("GET", url, params=parameters, headers=headers, timeout=STREAM_TIMEOUT) as response:
            if response.status_code != 200:
                response.read()
                answer = answer_of(response)
                if response.status_code not in TRANSIENT:
                    answer.json()
                return
            reader.begin()
            for chunk in response.iter_bytes():
                yield from reader.read(chunk)

    def _ask(self, asking: Asking[Result]) -> Result:
        try:
            question = next(asking)
            while True:
                question = asking.send(self._answer(question))
        except StopIteration as done:
            result: Result = done.value
            return result

    def _answer(self, question: Question) -> Answer:
        """The answer, after as many tries as patience allows. Raises: ConnectionFailed."""
        tried = 0
        while True:
            tried += 1
            answer, failure = self._try(question)
            retry_after = answer.retry_after if answer else None
            if answer is not None and not is_transient(answer):
                return answer
            wait_seconds = self._patience.wait_seconds(tried, retry_after)
            if wait_seconds is None:
                if answer is None:
                    raise ConnectionFailed(f"{self._options.url} does not answer: {failure}") from failure
                return answer
            time.sleep(wait_seconds)

    def _try(self, question: Question) -> tuple[Answer | None, Exception | None]:
        url = f"{self._options.url}{question.path}"
        headers = question_headers(self._options, is_of_candles=question.is_of_candles)
        try:
            return answer_of(self._http.get(url, params=question.query, headers=headers)), None
        except httpx.TransportError as error:
            return None, error

    def _warned_of(self, found: Candles) -> Candles:
        told = questions.warning_of(found)
        if told and not self._warned:
            self._warned = True
            warnings.warn(told, DataWarning, stacklevel=3)
        return found
