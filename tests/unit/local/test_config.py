"""The instruments that a new database starts with."""

from pathlib import Path

import pytest
from marketdata.errors import RequestInvalid
from marketdata.model.instrument import Calendar

from local.config import instruments, read_config, simulated_name


def config_of(tmp_path: Path, *exchanges: str) -> Path:
    path = tmp_path / "config.yaml"
    lines = [f"  {exchange}:\n    instruments:\n      - symbol: EUR-USD\n" for exchange in exchanges]
    path.write_text("exchanges:\n" + "".join(lines))
    return path


def test_an_exchange_is_simulated_under_another_name_and_an_invented_one_under_its_own(tmp_path: Path) -> None:
    config = read_config(config_of(tmp_path, "coinbase", "synthetic", "synthetic_quotes"))
    made = instruments(config, simulated=True)
    assert [one.exchange for one in made] == ["coinbase-simulated", "synthetic", "synthetic_quotes"]
    assert all(one.simulated for one in made)
    assert [simulated_name(name) for name in ("coinbase", "synthetic")] == ["coinbase-simulated", "synthetic"]


def test_a_live_house_leaves_invented_exchanges_out(tmp_path: Path) -> None:
    config = read_config(config_of(tmp_path, "coinbase", "synthetic", "synthetic_quotes"))
    assert [(one.exchange, one.simulated) for one in instruments(config, simulated=False)] == [("coinbase", False)]


def test_nobody_closes_an_invented_market(tmp_path: Path) -> None:
    config = read_config(config_of(tmp_path, "oanda", "synthetic_quotes"))
    assert [one.calendar for one in instruments(config, simulated=True)] == [Calendar.FX, Calendar.ALWAYS]


def test_an_index_has_no_place_in_it(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="COINGECKO_IDS"):
        read_config(config_of(tmp_path, "coingecko"))
