"""What a month costs, and the page that says it."""

import pytest

from infra.bundle import ROOT
from infra.cost import MONTHS, Month, cost, table


def test_the_page_has_the_table_that_the_formula_gives() -> None:
    assert table() in (ROOT / "docs/cost.md").read_text()


def test_the_defaults_cost_about_45_dollars_at_100_symbols() -> None:
    assert 40 < cost(MONTHS["100"])["total"] < 50


def test_a_feed_costs_its_task_and_its_address() -> None:
    assert cost(Month(10))["feed"] == pytest.approx(730 * (0.25 * 0.03238 + 0.5 * 0.00356 + 0.005))


def test_gateways_cost_themselves_and_what_is_between_them_and_the_feeds() -> None:
    without, two, three = (cost(Month(10, gateways=number))["live"] for number in (0, 2, 3))
    assert without == 0
    assert three - two == pytest.approx(cost(Month(10))["feed"])
    assert two == pytest.approx(730 * (0.0225 + 0.008 + 2 * 0.0128) + 2 * (three - two))


def test_the_store_is_what_grows() -> None:
    few, many = cost(Month(100)), cost(Month(2_000))
    assert many["supabase"] - few["supabase"] > sum(many[part] - few[part] for part in ("feed", "api", "watching"))
