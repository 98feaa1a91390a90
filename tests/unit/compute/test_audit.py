"""Our minutes against the exchange's own: the same ids must fold to the same figures."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from marketdata.compute.audit import FIGURES, Auditor, compare
from marketdata.model.candle import Candle
from marketdata.model.events import Claim

from tests.market import BTC, at, candle, trade

CANDLE = replace(candle(at("10:00"), BTC), trades=2, first_id=1, last_id=2, high=Decimal(101))


def claim_of(one: Candle, closed: bool = True) -> Claim:
    figures = {name: getattr(one, name) for name in FIGURES}
    opens = round(one.open_time.timestamp()) * 10**9
    said = {"symbol": one.symbol, "open_time_ns": opens, "said_at_ns": opens, "closed": closed}
    return msgspec.convert({**figures, **said}, Claim)


def test_equal_figures_agree_however_many_zeros_they_carry() -> None:
    assert compare(claim_of(CANDLE), CANDLE) == ()
    assert compare(msgspec.structs.replace(claim_of(CANDLE), volume=Decimal("0.10000")), CANDLE) == ()


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_compared(name: str) -> None:
    changed = msgspec.structs.replace(claim_of(CANDLE), **{name: getattr(CANDLE, name) + 1})
    assert compare(changed, CANDLE) == (name,)


def test_a_claim_waits_until_its_minute_is_settled() -> None:
    auditor = Auditor("coinbase", "BTC-USD")
    auditor.add(trade(1, "10:00:01"))
    auditor.claim(msgspec.structs.replace(claim_of(CANDLE), first_id=1, last_id=2))
    noon = claim_of(CANDLE).open_time_ns
    assert auditor.take(noon) == []
    auditor.add(trade(2, "10:00:02"))
    (verdict,) = auditor.take(None)
    assert verdict.covered
    assert auditor.take(None) == []
