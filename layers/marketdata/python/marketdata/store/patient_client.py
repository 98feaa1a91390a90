"""PostgREST, spoken to patiently: bounded time, bounded retries, and errors that name the operation and no secret.

The postgrest library builds the requests; they are sent and judged here, because the library retries reads only, waits
unbounded by us, and forgets the status of an error. Every request that the store makes may be repeated safely.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import uniform
from typing import Any, Protocol, TypeVar

import httpx
import msgspec
from postgrest import CountMethod, ReturnMethod, SyncPostgrestClient
from postgrest.base_request_builder import RequestConfig

from marketdata.errors import EXCERPT_CHARACTERS_MAX, StoreError

DELAY_SECONDS_BASE = 0.2
DELAY_SECONDS_MAX = 2.0
# Serialization failure and deadlock: the database rolled one of several writers back and asks for another try.
_TRY_AGAIN_CODES = frozenset({"40001", "40P01"})
_TRY_AGAIN_STATUSES = frozenset({408, 425, 429})

Filters = Sequence[tuple[str, str]]
"""PostgREST's horizontal filters, as (column, condition)."""

Answer = TypeVar("Answer")
Record = TypeVar("Record", bound=msgspec.Struct)


class Refused(StoreError):
    """The database understood and refused; `code` is its SQLSTATE or PostgREST's own, "" if it gave none."""

    def __init__(self, operation: str, reason: str, code: str) -> None:
        super().__init__(operation, reason)
        self.code = code


class Query(Protocol):
    """What the postgrest library builds: a request that was not sent yet."""

    request: RequestConfig[httpx.Client]


class PatientClient:
    """One keep-alive conversation with one project's PostgREST; safe to share between threads.

    One call takes at most `attempts_max` requests, each of which may wait `timeout_seconds` for the next byte, and up
    to two seconds between them.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float,
        attempts_max: int,
        http: httpx.Client | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # httpx would name the whole header, key and all, in its complaint.
        if not key or not all("!" <= character <= "~" for character in key):
            raise StoreError("connect", "the store's key is empty or holds characters that no key has")
        self._key = key
        self._attempts_max = attempts_max
        self._sleep = sleep
        self._http = http or httpx.Client(timeout=timeout_seconds)
        self._postgrest = SyncPostgrestClient(
            f"{url.rstrip('/')}/rest/v1",
            headers={"apikey": key, "Authorization": f"Bearer {key}"},
            http_client=self._http,
            retry_enabled=False,
        )

    def close(self) -> None:
        """End the conversation and its connections."""
        self._http.close()

    def call(self, operation: str, function: str, arguments: Mapping[str, Any], answer: type[Answer]) -> Answer:
        """What the database function says. Raises: StoreError."""
        response = self._ask(operation, lambda: self._postgrest.rpc(function, dict(arguments)))
        return self._read(operation, response, answer)

    def upsert(
        self,
        operation: str,
        table: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        on_conflict: str,
        ignore_duplicates: bool = False,
    ) -> None:
        """Insert rows of equal columns; where a key is there already, update it or leave it. Raises: StoreError."""
        response = self._ask(
            operation,
            lambda: self._postgrest.table(table).upsert(
                rows,
                on_conflict=on_conflict,
                ignore_duplicates=ignore_duplicates,
                returning=ReturnMethod.minimal,
            ),
        )
        if response.content:  # a portal or proxy that says 200 to everything
            raise self._unreadable(operation, response)

    def select_all(self, operation: str, table: str, key: Sequence[str], row: type[Record]) -> list[Record]:
        """Every row of a table, ordered by `key`, page by page: the server cuts long answers without a word."""
        rows: list[Record] = []
        while True:
            page, left = self._select_page(operation, partial(self._page, table, key, row, rows[-1:]), row)
            rows.extend(page)
            if len(page) >= left:
                return rows
            if not page:
                raise StoreError(operation, f"{left} rows of {table} were announced and none was given")

    def select_newest(
        self, operation: str, table: str, columns: Sequence[str], filters: Filters, limit: int
    ) -> list[dict[str, Any]]:
        """At most `limit` rows that meet `filters`, highest id first; the server may cut them. Raises: StoreError."""

        def question() -> Query:
            query = self._postgrest.table(table).select(*columns).order("id", desc=True).limit(limit)
            for column, condition in filters:
                query.request.params = query.request.params.add(column, condition)
            return query

        return self._read(operation, self._ask(operation, question), list[dict[str, Any]])

    def _page(self, table: str, key: Sequence[str], row: type[Record], after: Sequence[Record]) -> Query:
        """The question for the rows whose key is above that of the last one held, and how many such rows there are."""
        query = self._postgrest.table(table).select(*row.__struct_fields__, count=CountMethod.exact)
        for column in key:
            query = query.order(column)
        return query.or_(_above(key, after[-1])) if after else query

    def _select_page(self, operation: str, build: Callable[[], Query], row: type[Record]) -> tuple[list[Record], int]:
        response = self._ask(operation, build)
        total = response.headers.get("content-range", "").rpartition("/")[2]
        if not total.isdecimal():
            raise self._unreadable(operation, response)
        return self._read(operation, response, list[row]), int(total)  # type: ignore[valid-type]

    def _ask(self, operation: str, build: Callable[[], Query]) -> httpx.Response:
        """The answer to a request, asked again while there is hope and patience. Raises: StoreError, Refused."""
        for attempt in range(1, self._attempts_max + 1):
            try:
                return self._ask_once(operation, build())
            except _TryAgain as trouble:
                failure = trouble
            if attempt < self._attempts_max:
                self._sleep(uniform(0, min(DELAY_SECONDS_MAX, DELAY_SECONDS_BASE * 2**attempt)))
        raise failure.error from failure.__cause__

    def _ask_once(self, operation: str, query: Query) -> httpx.Response:
        try:
            response = query.request.send(httpx.Headers())
        except httpx.TransportError as error:
            raise _TryAgain(self._broken(operation, error)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._broken(operation, error) from error
        if response.is_success:
            return response
        refusal = self._refusal(operation, response)
        if _worth_repeating(response, refusal.code):
            raise _TryAgain(refusal)
        raise refusal

    def _read(self, operation: str, response: httpx.Response, answer: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(response.content or b"null", type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._unreadable(operation, response) from error

    def _refusal(self, operation: str, response: httpx.Response) -> Refused:
        """An answer that is no success, as an error; bodies that are not PostgREST's are quoted."""
        try:
            body = msgspec.json.decode(response.content, type=_ErrorBody)
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = _ErrorBody(message=response.text)
        reason = " ".join(str(part) for part in (response.status_code, body.code, body.message, body.details) if part)
        return Refused(operation, self._clean(reason), body.code or "")

    def _broken(self, operation: str, error: Exception) -> StoreError:
        return StoreError(operation, self._clean(f"{type(error).__name__}: {error}"))

    def _unreadable(self, operation: str, response: httpx.Response) -> StoreError:
        return StoreError(operation, self._clean(f"an answer of another shape: {response.text}"))

    def _clean(self, text: str) -> str:
        """Bounded, and without the key, should a server echo it."""
        return text.replace(self._key, "<key>")[:EXCERPT_CHARACTERS_MAX]


class _TryAgain(Exception):
    """This attempt failed for a reason that may pass; `error` is what to say if it does not."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(str(error))
        self.error = error


class _ErrorBody(msgspec.Struct):
    message: str | None = None
    code: str | None = None
    details: Any = None


def _worth_repeating(response: httpx.Response, code: str) -> bool:
    return response.is_server_error or response.status_code in _TRY_AGAIN_STATUSES or code in _TRY_AGAIN_CODES


def _above(key: Sequence[str], row: object) -> str:
    """PostgREST's filter for rows whose `key` columns, compared in order, are above those of `row`."""
    branches = []
    for place, column in enumerate(key):
        equal = [f"{name}.eq.{_quoted(getattr(row, name))}" for name in key[:place]]
        terms = ",".join([*equal, f"{column}.gt.{_quoted(getattr(row, column))}"])
        branches.append(f"and({terms})")
    return ",".join(branches)


def _quoted(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
