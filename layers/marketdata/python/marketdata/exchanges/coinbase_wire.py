"""What Coinbase's feeds and its REST have in common on the wire.

All of them carry the MAKER's side; a Trade carries the taker's. For Advanced Trade the documentation is silent and
public code disagrees; a recording of 2026-08-09 settled it: 129 of 148 price moves, and 75 of 76 trades against the
best quotes, fit the maker's side only. See docs/data-semantics.md, "Side".
Source: docs/add-an-exchange.md#coinbase.
"""

from marketdata.model.trade import Side, Trade

NAME = "coinbase"

TAKER = {"buy": Side.SELL, "sell": Side.BUY, "BUY": Side.SELL, "SELL": Side.BUY}
"""The taker's side, by the maker's as it is written."""


def by_id(trades: list[Trade]) -> list[Trade]:
    """In order: a batch may come newest first, and the older trades must not look like late ones."""
    return sorted(trades, key=_id) if len(trades) > 1 else trades


def _id(trade: Trade) -> int:
    return trade.id
