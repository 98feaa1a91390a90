"""A log that is kept for as long as the settings say, and deleted with the stack."""

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(scope: Construct, name: str, *, days: int) -> logs.LogGroup:
    """One log group; CloudWatch itself would keep it forever."""
    retention = next(kept for kept in logs.RetentionDays if kept.name == _WORDS[days])
    return logs.LogGroup(scope, name, retention=retention, removal_policy=cdk.RemovalPolicy.DESTROY)


# CloudWatch's own names for what infra/settings.py lists.
_WORDS = {
    1: "ONE_DAY",
    3: "THREE_DAYS",
    5: "FIVE_DAYS",
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    60: "TWO_MONTHS",
    90: "THREE_MONTHS",
    120: "FOUR_MONTHS",
    150: "FIVE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
    400: "THIRTEEN_MONTHS",
    545: "EIGHTEEN_MONTHS",
    731: "TWO_YEARS",
}
