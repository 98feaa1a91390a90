"""Figures in the text format of Prometheus."""

from marketdata.serve.metrics import Metric, metrics_json, metrics_text

from tests.market import at


def test_labels_are_escaped() -> None:
    odd = Metric("gauge", "x", 1, {"symbol": 'a"b\\c\nd'})
    assert metrics_text([odd]) == '# TYPE marketdata_x gauge\nmarketdata_x{symbol="a\\"b\\\\c\\nd"} 1\n'


def test_help_is_told_once_a_name_and_figures_without_labels_have_none() -> None:
    both = [Metric("counter", "x_total", 1.5, {"a": "1"}, "How many."), Metric("counter", "x_total", 2, {"a": "2"})]
    assert metrics_text([*both, Metric("gauge", "y", 0)]).splitlines() == [
        "# HELP marketdata_x_total How many.",
        "# TYPE marketdata_x_total counter",
        'marketdata_x_total{a="1"} 1.5',
        'marketdata_x_total{a="2"} 2',
        "# TYPE marketdata_y gauge",
        "marketdata_y 0",
    ]


def test_nothing_is_nothing() -> None:
    assert (metrics_text([]), metrics_json([], at("12:00"))) == ("", "[]")
