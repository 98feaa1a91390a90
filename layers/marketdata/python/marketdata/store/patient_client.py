"""PostgREST, spoken to patiently: bounded time, bounded retries, and errors that name the operation and no secret.

Every request that the store makes may be repeated safely. They are built here too: the postgrest library retries reads
only, waits unbounded by us, forgets the status of an error, and takes longer to import than an answer takes
(docs/decisions/0019-cold-start.md).
Source: https://docs.postgrest.org/en/v12/references/api.html
"""

import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from random import uniform
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from marketdata.errors import EXCERPT_CHARACTERS_MAX, StoreError
from marketdata.store.http_line import HttpAnswer, HttpLine

DELAY_SECONDS_BASE = 0.2
DELAY_SECONDS_MAX = 2.0
# Serialization failure and deadlock: the database rolled one of several writers back and asks for another try.
_TRY_AGAIN_CODES = frozenset({"40001", "40P01"})
_TRY_AGAIN_STATUSES = frozenset({408, 425, 429})

_BELOW = "/rest/v1"
_PLAIN = ",.()*:"

Filters = Sequence[tuple[str, str]]
"""PostgREST's horizontal filters, as (column, condition)."""

Answer = TypeVar("Answer")
Record = TypeVar("Record", bound=msgspec.Struct)


class Refused(StoreError):
    """The database understood and refused; `code` is its SQLSTATE or PostgREST's own, "" if it gave none."""

    def __init__(self, operation: str, reason: str, code: str) -> None:
        super().__init__(operation, reason)
        self.code = code


class Query(NamedTuple):
    """A request that was not sent yet; `path` is below PostgREST's."""

    method: str
    path: str
    parameters: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    prefer: str = ""


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
        line: HttpLine | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # What refuses a header would name the whole of it, key and all.
        if not key or not all("!" <= character <= "~" for character in key):
            raise StoreError("connect", "the store's key is empty or holds characters that no key has")
        self._key = key
        self._attempts_max = attempts_max
        self._sleep = sleep
        try:
            self._line = line or HttpLine(url, timeout_seconds)
        except ValueError as error:
            raise StoreError("connect", f"the store's address {error}") from error
        # `Profile` is the schema: the first that is exposed need not be ours.
        self._headers = {
            "apikey": key,
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "Accept-Profile": "public",
            "User-Agent": "market-data-engine",
        }

    def close(self) -> None:
        """End the conversation and its connections."""
        self._line.close()

    def call(self, operation: str, function: str, arguments: Mapping[str, Any], answer: type[Answer]) -> Answer:
        """What the database function says. Raises: StoreError."""
        query = Query("POST", f"/rpc/{function}", body=_encoded(operation, arguments))
        return self._read(operation, self._ask(operation, query), answer)

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
        resolution = "ignore" if ignore_duplicates else "merge"
        query = Query(
            "POST",
            f"/{table}",
            [("on_conflict", on_conflict), ("columns", _columns(rows[0]))],
            _encoded(operation, rows),
            f"return=minimal,resolution={resolution}-duplicates",
        )
        response = self._ask(operation, query)
        if response.content:  # a portal or proxy that says 200 to everything
            raise self._unreadable(operation, response)

    def select_all(self, operation: str, table: str, key: Sequence[str], row: type[Record]) -> list[Record]:
        """Every row of a table, ordered by `key`, page by page: the server cuts long answers without a word."""
        rows: list[Record] = []
        while True:
            page, left = self._select_page(operation, _page(table, key, row, rows[-1:]), row)
            rows.extend(page)
            if len(page) >= left:
                return rows
            if not page:
                raise StoreError(operation, f"{left} rows of {table} were announced and none was given")

    def select_newest(
        self, operation: str, table: str, columns: Sequence[str], filters: Filters, limit: int
    ) -> list[dict[str, Any]]:
        """At most `limit` rows that meet `filters`, highest id first; the server may cut them. Raises: StoreError."""

        parameters = [("select", ",".join(columns)), ("order", "id.desc"), ("limit", str(limit)), *filters]
        response = self._ask(operation, Query("GET", f"/{table}", parameters))
        return self._read(operation, response, list[dict[str, Any]])

    def _select_page(self, operation: str, query: Query, row: type[Record]) -> tuple[list[Record], int]:
        response = self._ask(operation, query)
        total = response.headers.get("content-range", "").rpartition("/")[2]
        if not total.isdecimal():
            raise self._unreadable(operation, response)
        return self._read(operation, response, list[row]), int(total)  # type: ignore[valid-type]

    def _ask(self, operation: str, query: Query) -> HttpAnswer:
        """The answer to a request, asked again while there is hope and patience. Raises: StoreError, Refused."""
        for attempt in range(1, self._attempts_max + 1):
            try:
                return self._ask_once(operation, query)
            except _TryAgain as trouble:
                failure = trouble
            if attempt < self._attempts_max:
                self._sleep(uniform(0, min(DELAY_SECONDS_MAX, DELAY_SECONDS_BASE * 2**attempt)))
        raise failure.error from failure.__cause__

    def _ask_once(self, operation: str, query: Query) -> HttpAnswer:
        headers = dict(self._headers)
        if query.body is not None:
            headers |= {"Content-Type": "application/json", "Content-Profile": "public"}
        if query.prefer:
            headers["Prefer"] = query.prefer
        # As browsers send them: what PostgREST reads must not be quoted, and nothing needs to be.
        sought = f"?{urlencode(query.parameters, quote_via=quote, safe=_PLAIN)}" if query.parameters else ""
        try:
            answer = self._line.send(query.method, f"{_BELOW}{query.path}{sought}", headers, query.body)
        except (OSError, HTTPException) as error:
            raise _TryAgain(self._broken(operation, error)) from error
        if 200 <= answer.status < 300:
            return answer
        refusal = self._refusal(operation, answer)
        if _worth_repeating(answer, refusal.code):
            raise _TryAgain(refusal)
        raise refusal

    def _read(self, operation: str, response: HttpAnswer, answer: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(response.content or b"null", type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._unreadable(operation, response) from error

    def _refusal(self, operation: str, response: HttpAnswer) -> Refused:
        """An answer that is no success, as an error; bodies that are not PostgREST's are quoted."""
        try:
            body = msgspec.json.decode(response.content, type=_ErrorBody)
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = _ErrorBody(message=_text(response))
        reason = " ".join(str(part) for part in (response.status, body.code, body.message, body.details) if part)
        return Refused(operation, self._clean(reason), body.code or "")

    def _broken(self, operation: str, error: Exception) -> StoreError:
        return StoreError(operation, self._clean(f"{type(error).__name__}: {error}"))

    def _unreadable(self, operation: str, response: HttpAnswer) -> StoreError:
        return StoreError(operation, self._clean(f"an answer of another shape: {_text(response)}"))

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


def _worth_repeating(response: HttpAnswer, code: str) -> bool:
    return response.status >= 500 or response.status in _TRY_AGAIN_STATUSES or code in _TRY_AGAIN_CODES


def _page(table: str, key: Sequence[str], row: type[msgspec.Struct], after: Sequence[object]) -> Query:
    """The question for the rows whose key is above that of the last one held, and how many such rows there are."""
    parameters = [("select", ",".join(row.__struct_fields__)), ("order", ",".join(f"{one}.asc" for one in key))]
    if after:
        parameters.append(("or", f"({_above(key, after[-1])})"))
    return Query("GET", f"/{table}", parameters, prefer="count=exact")


def _encoded(operation: str, value: object) -> bytes:
    """As JSON. Raises: StoreError for text that is no Unicode."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise StoreError(operation, "what is to be written holds characters that are none") from error


def _columns(row: Mapping[str, Any]) -> str:
    return ",".join(f'"{name}"' for name in row)


def _text(answer: HttpAnswer) -> str:
    return answer.content.decode("utf-8", "replace")


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
