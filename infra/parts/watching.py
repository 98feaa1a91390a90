"""CloudWatch: one page, and the alarms of infra/alarms.py, each told to the alert webhooks with its runbook."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.alarms import API_ERRORS, DEAD_LETTERS, JOB_ERRORS, NAMESPACE, OWN_ALARMS, SERVICE, OwnAlarm
from infra.catalog import NOTICES, SCHEDULES
from infra.parts.http_door import HttpDoor
from infra.parts.rest_door import RestDoor
from infra.settings import DeploySettings

NEVER_BAD = cloudwatch.TreatMissingData.NOT_BREACHING


class Watching(Construct):
    """The topic that every alarm is told to, who hears it, the alarms, and the page."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: DeploySettings,
        functions: Mapping[str, lambda_.Function],
        dead_letters: sqs.Queue,
        api: HttpDoor | RestDoor,
    ) -> None:
        super().__init__(scope, name)
        self._settings, self._functions = settings, functions
        self._topic = sns.Topic(self, "Topic", enforce_ssl=True)
        for listener in NOTICES:
            self._topic.add_subscription(
                subscriptions.LambdaSubscription(functions[listener], dead_letter_queue=dead_letters)
            )
        if settings.alert_email:
            mail = subscriptions.EmailSubscription(settings.alert_email, dead_letter_queue=dead_letters)
            self._topic.add_subscription(mail)
        self.alarms = [
            *map(self._own, OWN_ALARMS),
            *(self._job_errors(function) for function in sorted({schedule.function for schedule in SCHEDULES})),
            self._dead_letters(dead_letters),
            self._api_errors(api),
        ]
        self._page(api, dead_letters)

    def _own(self, alarm: OwnAlarm) -> cloudwatch.Alarm:
        return self._alarm(
            alarm.name,
            alarm.name,
            alarm.sentence,
            own_metric(alarm.metric),
            above=alarm.above,
            seen=alarm.minutes_seen,
            bad=alarm.minutes_bad,
            silence=cloudwatch.TreatMissingData.BREACHING if alarm.silence_rings else NEVER_BAD,
        )

    def _job_errors(self, function: str) -> cloudwatch.Alarm:
        errors = self._functions[function].metric_errors(period=cdk.Duration.minutes(5))
        return self._alarm(
            f"{JOB_ERRORS}-{function}", JOB_ERRORS, f"The job {function} failed.", errors, above=0, seen=3, bad=2
        )

    def _dead_letters(self, queue: sqs.Queue) -> cloudwatch.Alarm:
        waiting = queue.metric_approximate_number_of_messages_visible(statistic="max")
        return self._alarm(
            DEAD_LETTERS, DEAD_LETTERS, "Something could not be done and was put aside.", waiting, above=0
        )

    def _api_errors(self, api: HttpDoor | RestDoor) -> cloudwatch.Alarm:
        return self._alarm(
            API_ERRORS, API_ERRORS, "The API answers with faults of its own.", _faults(api), above=5, seen=3, bad=2
        )

    def _alarm(
        self,
        name: str,
        section: str,
        sentence: str,
        metric: cloudwatch.Metric,
        *,
        above: float,
        seen: int = 1,
        bad: int = 1,
        silence: cloudwatch.TreatMissingData = NEVER_BAD,
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            "".join(part.title() for part in name.replace("_", "-").split("-")),
            alarm_name=f"{cdk.Stack.of(self).stack_name}-{name}",
            alarm_description=f"{sentence} {self._settings.runbook_url}#{section}",
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=seen,
            datapoints_to_alarm=bad,
            treat_missing_data=silence,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        alarm.add_ok_action(actions.SnsAction(self._topic))
        return alarm

    def _page(self, api: HttpDoor | RestDoor, dead_letters: sqs.Queue) -> None:
        jobs = [self._functions[schedule.function] for schedule in SCHEDULES]
        cloudwatch.Dashboard(
            self,
            "Page",
            widgets=[
                [cloudwatch.AlarmStatusWidget(alarms=self.alarms, width=24)],
                [
                    _graph("Feed: seconds since it heard something", own_metric("FeedAgeSeconds")),
                    _graph("Feed: trades a minute", own_metric("FeedTrades", "sum")),
                    _graph("Candles waiting for the store", own_metric("FeedSpooled")),
                ],
                [
                    _graph("Oldest open gap, seconds", own_metric("gap_scan_unresolved_seconds")),
                    _graph("Jobs: faults", *(job.metric_errors() for job in jobs)),
                    _graph("Dead letters", dead_letters.metric_approximate_number_of_messages_visible()),
                ],
                [
                    _graph("API: milliseconds, 95 of 100", self._functions["api"].metric_duration(statistic="p95")),
                    _graph("API: faults", _faults(api)),
                ],
            ],
        )


def own_metric(name: str, statistic: str = "max") -> cloudwatch.Metric:
    """A metric that the feed or a function writes into its log (marketdata/observe.py)."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": SERVICE},
        statistic=statistic,
        period=cdk.Duration.minutes(1),
    )


def _faults(api: HttpDoor | RestDoor) -> cloudwatch.Metric:
    return api.api.metric_server_error(statistic="sum", period=cdk.Duration.minutes(5))


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)
