"""Trades on their way from the database."""

import msgspec
import pytest
from marketdata.store.trade_rows import TradeColumns


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="columns of"):
        msgspec.json.decode(
            b'{"time":[1],"trade_id":[1,2],"price":[],"size":[],"taker_buy":[],"count":[]}', type=TradeColumns
        )
