"""The schedules of the catalog in EventBridge Scheduler: each run is known by its scheduled time, and none is lost.

A run that is delivered twice carries the same time, and the second is skipped (jobs/run_job.py).
"""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.catalog import SCHEDULES, Schedule
from infra.cron import cron_expression
from infra.settings import DeploySettings


class Schedules(Construct):
    """One schedule for each of the catalog, with one role that may start what they start and nothing else."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: DeploySettings,
        functions: Mapping[str, lambda_.Function],
        dead_letters: sqs.Queue,
    ) -> None:
        super().__init__(scope, name)
        self._settings, self._functions, self._dead_letters = settings, functions, dead_letters
        self._group = scheduler.ScheduleGroup(self, "Group")
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
        self._role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=sorted({functions[schedule.function].function_arn for schedule in SCHEDULES}),
            )
        )
        dead_letters.grant_send_messages(self._role)
        for schedule in SCHEDULES:
            self._schedule(schedule)

    def _schedule(self, schedule: Schedule) -> None:
        every = self._settings.schedule_minutes.get(schedule.job, schedule.every_minutes)
        scheduler.Schedule(
            self,
            "".join(part.title() for part in schedule.job.split("_")),
            description=f"Runs {schedule.job}.",
            enabled=schedule.job not in self._settings.paused_jobs,
            schedule=scheduler.ScheduleExpression.expression(
                cron_expression(every, schedule.after_minutes % every), cdk.TimeZone.ETC_UTC
            ),
            schedule_group=self._group,
            time_window=scheduler.TimeWindow.off(),
            target=_target(self._functions[schedule.function], self._role, self._dead_letters, schedule, every),
        )


def _target(
    function: lambda_.Function, role: iam.Role, dead_letters: sqs.Queue, schedule: Schedule, every_minutes: int
) -> targets.LambdaInvoke:
    return targets.LambdaInvoke(
        function,
        role=role.without_policy_updates(),  # it has its rights; the kit would add those to every version too
        dead_letter_queue=dead_letters,
        retry_attempts=3,
        # The next run does what a late one would have done.
        max_event_age=cdk.Duration.minutes(min(max(every_minutes, 1), 60)),
        input=scheduler.ScheduleTargetInput.from_object(
            {"job": schedule.job, "time": scheduler.ContextAttribute.scheduled_time}
        ),
    )
