"""Every error this project raises on purpose, named by whose move it is.

MarketDataError
 ├ RequestInvalid(field, reason)      the caller must change something
 │   ├ NotFound                       nothing of that name is kept here
 │   ├ Ambiguous                      the name fits more than one thing
 │   ├ TooLarge                       more than one request may carry
 │   ├ NotAcceptable                  none of the formats asked for is had
 │   └ KeyReused                      an idempotency key of another request
 ├ Unauthorized                       no key, or not this one
 ├ Throttled(retry_seconds)           the caller asks too often: wait
 ├ SettingsInvalid(reasons)           the operator must change a setting
 │   └ Unconfigured                   nothing is set yet
 ├ RemoteError(exchange)              the exchange's side
 │   ├ RemoteThrottled(retry_at)      wait until then
 │   ├ RemoteUnavailable              try later
 │   ├ RemoteBlocked                  the operator's move: it does not serve this place
 │   └ RemoteMalformed(excerpt)       their format changed: keep the evidence
 │       └ RemoteAbsent               nothing at this address (404)
 └ StoreError(operation)              our side
"""

from collections.abc import Mapping
from datetime import datetime

EXCERPT_CHARACTERS_MAX = 300


class MarketDataError(Exception):
    """Something this project can explain."""


class RequestInvalid(MarketDataError):
    """The caller must change something; `field` names what."""

    def __init__(self, field: str, reason: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.choices = choices


class NotFound(RequestInvalid):
    """Nothing of that name is kept here."""


class Ambiguous(RequestInvalid):
    """The name fits more than one thing; `choices` lists them."""


class TooLarge(RequestInvalid):
    """More than one request may carry; send it in parts."""


class NotAcceptable(RequestInvalid):
    """None of the formats asked for is had; `choices` lists those that are."""


class KeyReused(RequestInvalid):
    """The key that names this request named another one before."""


class Unauthorized(MarketDataError):
    """No key, or not this one."""


class Throttled(MarketDataError):
    """The caller asks too often; `headers` say how it stands with its quota."""

    def __init__(self, retry_seconds: float, quota: int, window_seconds: int, headers: Mapping[str, str]) -> None:
        super().__init__(f"more than {quota} requests in {window_seconds} seconds; wait {retry_seconds:.0f} seconds")
        self.retry_seconds = retry_seconds
        self.headers = headers


class SettingsInvalid(MarketDataError):
    """The operator must change settings; `reasons` says why, by the name of the setting, and never its value."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name} {reason}" for name, reason in reasons.items()))
        self.reasons = reasons


class Unconfigured(SettingsInvalid):
    """Nobody has said yet where the store is: a deployment that is waiting for its secrets."""


class RemoteError(MarketDataError):
    """The exchange's side of a conversation went wrong."""

    def __init__(self, exchange: str, reason: str) -> None:
        super().__init__(f"{exchange}: {reason}")
        self.exchange = exchange
        self.reason = reason


class RemoteThrottled(RemoteError):
    """The exchange asks us to wait until `retry_at` (aware UTC)."""

    def __init__(self, exchange: str, reason: str, retry_at: datetime) -> None:
        super().__init__(exchange, reason)
        self.retry_at = retry_at


class RemoteUnavailable(RemoteError):
    """The exchange cannot be reached or is down; try later."""


class RemoteBlocked(RemoteUnavailable):
    """The exchange does not serve this place, and waiting will not change that: the operator's move."""


class RemoteMalformed(RemoteError):
    """The exchange said something that its protocol does not allow; `excerpt` is bounded evidence."""

    def __init__(self, exchange: str, reason: str, excerpt: str) -> None:
        super().__init__(exchange, reason)
        self.excerpt = excerpt[:EXCERPT_CHARACTERS_MAX]


class RemoteAbsent(RemoteMalformed):
    """The exchange has nothing at this address, which an archive may say of an hour that it should have."""


class StoreError(MarketDataError):
    """The store did not do `operation`; the write may or may not have happened."""

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(f"{operation}: {reason}")
        self.operation = operation
        self.reason = reason
