"""Each closed minute is checked by the exchange's own word on it, once its trades are here."""

import logging

import msgspec
import pytest
from marketdata.compute.bars import Bars
from marketdata.jobs.audit_minutes import MinuteAudit
from marketdata.model.events import Claim
from marketdata.model.times import nanoseconds

from tests.market import at, trade
from tests.unit.compute.test_audit import claim_of


def bars_of(*ids: int, buckets_max: int | None = None) -> Bars:
    made = Bars("binance", "BTC-USD", ids_contiguous=True, buckets_max=buckets_max)
    for one in ids:
        made.add(trade(one, f"10:00:{one:02}"))
    return made


def claim(last_id: int, *, closed: bool = True) -> Claim:
    """What the exchange says of the minute of trades 1 to `last_id`."""
    made = bars_of(*range(1, last_id + 1))
    candle = made.take()[0].candle
    return claim_of(candle, closed)


def test_a_minute_of_the_same_trades_agrees() -> None:
    audit = MinuteAudit("binance")
    audit.hear(claim(3))
    audit.check({"BTC-USD": bars_of(1, 2, 3)})
    assert (audit.counts.agreeing, audit.counts.mended, audit.counts.differing) == (1, 0, 0)


def test_a_minute_that_lacks_trades_waits_for_them_and_counts_as_mended() -> None:
    audit, bars = MinuteAudit("binance"), bars_of(1, 3)
    audit.hear(claim(3))
    audit.check({"BTC-USD": bars})
    assert audit.counts.agreeing == 0
    bars.add(trade(2, "10:00:02"))
    audit.check({"BTC-USD": bars})
    assert (audit.counts.agreeing, audit.counts.mended) == (1, 1)


def test_what_is_still_going_on_is_not_checked() -> None:
    audit = MinuteAudit("binance")
    audit.hear(claim(3, closed=False))
    audit.check({"BTC-USD": bars_of(1, 2, 3)})
    assert audit.counts.agreeing == 0


def test_other_figures_of_the_same_trades_are_told_with_their_names(caplog: pytest.LogCaptureFixture) -> None:
    audit = MinuteAudit("binance")
    audit.hear(msgspec.structs.replace(claim(3), volume=claim(2).volume))
    with caplog.at_level(logging.ERROR):
        audit.check({"BTC-USD": bars_of(1, 2, 3)})
    assert audit.counts.differing == 1
    assert [record.__dict__["differing"] for record in caplog.records] == ["volume"]


def test_trades_that_fell_into_another_minute_here_are_a_difference() -> None:
    audit = MinuteAudit("binance")
    shifted = claim(3).open_time_ns + 60 * 10**9
    audit.hear(msgspec.structs.replace(claim(3), open_time_ns=shifted))
    audit.check({"BTC-USD": bars_of(1, 2, 3)})
    assert audit.counts.differing == 1


def test_a_minute_that_only_the_store_has_is_not_checked() -> None:
    audit, bars = MinuteAudit("binance"), bars_of()
    bars.resume(1, 3, nanoseconds(at("10:01")))
    audit.hear(claim(3))
    audit.check({"BTC-USD": bars})
    assert (audit.counts.unchecked, audit.counts.agreeing) == (1, 0)


def test_claims_on_symbols_that_never_trade_here_do_not_pile_up() -> None:
    audit = MinuteAudit("binance", waiting_max=3)
    for _ in range(5):
        audit.hear(claim(1))
    audit.check({})
    assert audit.counts.unchecked == 2
