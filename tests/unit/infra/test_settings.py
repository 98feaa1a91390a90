"""The choices of a deployment: what may be chosen, where from, and what is said of a wrong one."""

import pytest

from infra.settings import DeploymentInvalid, DeploySettings, settings_from


def test_nothing_need_be_chosen() -> None:
    assert settings_from({}, {}) == DeploySettings()


def test_the_environment_is_over_the_context() -> None:
    chosen = settings_from({"log_days": 7, "api": "rest"}, {"MARKETDATA_DEPLOY_LOG_DAYS": "14", "OTHER": "1"})
    assert (chosen.log_days, chosen.api) == (14, "rest")


def test_lists_and_tables_come_as_text_too() -> None:
    chosen = settings_from({"sources": "oanda, coingecko", "schedule_minutes": '{"roi_stats": 60}'}, {})
    assert chosen.sources == ("oanda", "coingecko")
    assert chosen.schedule_minutes == {"roi_stats": 60}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"api": "soap"}, "api: Input should be 'http' or 'rest'"),
        ({"log_days": 8}, "log_days must be one of 1, 3, 5"),
        ({"feed_cpu": 256, "feed_memory_megabytes": 8192}, "feed_memory_megabytes must be 512"),
        ({"domain_name": "market.example.com"}, "domain_name and certificate_arn go together"),
        (
            {"domain_name": "m.example", "certificate_arn": "arn:aws:acm:eu-west-1:1:certificate/x"},
            "must be of us-east-1",
        ),
        ({"sources": ["bloomberg"]}, "sources are alerts, coingecko, oanda, redis"),
        ({"paused_jobs": ["sleep"]}, "paused_jobs are of alerts, audit_coverage"),
        ({"schedule_minutes": {"roi_stats": 7}}, "schedule_minutes must divide an hour"),
        ({"live_gateway": True, "feed_shards": 2}, "live_gateway over several feed_shards needs live_gateways"),
        ({"live_gateways": 2}, "live_gateways need live_gateway"),
        ({"live_gateway_memory_megabytes": 600}, "live_gateway_memory_megabytes must be 512"),
        ({"live_ring_node": "t4g.micro"}, "live_ring_node: String should match"),
    ],
)
def test_a_wrong_choice_is_named(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(DeploymentInvalid) as told:
        settings_from(wrong, {})
    assert sentence in str(told.value)


def test_feeds_that_share_the_symbols_may_have_gateways() -> None:
    chosen = settings_from({"live_gateway": "true", "live_gateways": "3", "feed_shards": "2"}, {})
    assert (chosen.live_gateways, chosen.feed_shards) == (3, 2)


def test_every_wrong_choice_is_named_at_once() -> None:
    with pytest.raises(DeploymentInvalid) as told:
        settings_from({"api": "soap", "feed_shards": 0}, {})
    assert len(str(told.value).splitlines()) == 2
