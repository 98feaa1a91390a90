"""Everything that a deployment may choose, as one value; or a sentence that names each choice that is wrong.

Made by app.py out of the context (cdk.json, `-c name=value`) and the environment (MARKETDATA_DEPLOY_NAME), which wins.
The defaults cost about 45 dollars a month at 100 symbols, Supabase included: docs/cost.md has the sum.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from infra.catalog import SCHEDULES
from infra.needs import SECRETS

ENVIRONMENT_PREFIX = "MARKETDATA_DEPLOY_"

FARGATE_MEMORY_MEGABYTES = {256: (512, 2_048), 512: (1_024, 4_096), 1_024: (2_048, 8_192), 2_048: (4_096, 16_384)}
"""Which memory Fargate has for so much of a processor (1024 is a whole one): from, to."""

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)
"""How long CloudWatch can keep a log."""

_OPTIONAL_SOURCES = frozenset(secret.name for secret in SECRETS if secret.optional)
_JOBS = frozenset(schedule.job for schedule in SCHEDULES)


class DeploymentInvalid(ValueError):
    """The operator must change a setting; the message has a line for each."""


def _listed(value: object) -> object:
    """`a, b` as ("a", "b")."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _parsed(value: object) -> object:
    """A JSON object that came as text, as it does from a command line."""
    return json.loads(value) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Minutes = Annotated[dict[str, int], BeforeValidator(_parsed)]


class DeploySettings(BaseModel):
    """The choices of one deployment, each with the default that most people want."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack_name: str = Field(default="MarketData", pattern=r"^[A-Z][A-Za-z0-9]{0,39}$")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_days: int = 30
    keep_ticks: bool = False
    """Whether each trade is kept beside the candles: some 100 bytes a trade: Supabase's 8 GB are full in weeks."""
    history_days: int = Field(default=365, ge=1, le=7_300)
    """How far back history is fetched of an instrument that is new."""

    feed_exchanges: Names = ()
    """Which exchanges are followed; none named means every one that has active instruments."""
    feed_cpu: Literal[256, 512, 1_024, 2_048] = 256
    feed_memory_megabytes: int = 512
    feed_shards: int = Field(default=1, ge=1, le=20)
    """Over how many tasks the symbols are spread: one follows some hundred busy symbols at 256 of CPU."""

    api: Literal["http", "rest"] = "http"
    """`rest` has keys, usage plans and a firewall, at 3.50 dollars a million requests instead of 1."""
    requests_a_second: int = Field(default=100, ge=1, le=10_000)
    requests_burst: int = Field(default=200, ge=1, le=5_000)
    requests_a_day_of_key: int = Field(default=100_000, ge=1)
    """The quota of a key's usage plan; REST only."""
    domain_name: str = ""
    certificate_arn: str = ""
    """The certificate of domain_name in us-east-1, where CloudFront looks for it."""

    schedule_minutes: Minutes = Field(default_factory=dict)
    """Other paces than the catalog's, by job: {"roi_stats": 60}."""
    paused_jobs: Names = ()
    """Jobs whose schedule is made, but does not run."""
    reserve_concurrency: bool = True
    """Off for a new account, whose ten executions at once leave nothing to reserve; see docs/deploy.md."""

    sources: Names = ()
    """What needs a key or an address of ours: oanda, coingecko, redis, alerts. Each makes a secret."""
    coingecko_ids: str = ""
    alert_email: str = ""
    """Gets each alarm too, once it has confirmed the mail that AWS sends it."""
    runbook_url: str = "docs/runbook-aws.md"
    """Where alarms send their reader, before the `#section`."""

    live_gateway: bool = False
    """A load balancer in front of the live stream, some 20 dollars a month."""
    live_gateways: int = Field(default=0, ge=0, le=20)
    """Over how many tasks of their own the stream's clients are spread, a thousand each, with a Valkey between them and
    the feeds, some 19 dollars a month and 11 a task; 0: the feed serves them itself."""
    live_gateway_cpu: Literal[256, 512, 1_024, 2_048] = 256
    live_gateway_memory_megabytes: int = 512
    live_ring_node: str = Field(default="cache.t4g.micro", pattern=r"^cache\.[a-z0-9]+\.[a-z0-9]+$")
    """Half a gigabyte holds the fifteen minutes of a thousand busy symbols."""
    exports: bool = False
    """A bucket for files of candles, each deleted after export_days."""
    export_days: int = Field(default=7, ge=1, le=3_650)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = [sentence for holds, sentence in self._rules() if not holds]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _rules(self) -> list[tuple[bool, str]]:
        paces = self.schedule_minutes
        return [
            (self.log_days in LOG_DAYS, f"log_days must be one of {', '.join(map(str, LOG_DAYS))}"),
            _fits_fargate("feed_memory_megabytes", self.feed_cpu, self.feed_memory_megabytes),
            _fits_fargate("live_gateway_memory_megabytes", self.live_gateway_cpu, self.live_gateway_memory_megabytes),
            (bool(self.domain_name) == bool(self.certificate_arn), "domain_name and certificate_arn go together"),
            (
                not self.certificate_arn or self.certificate_arn.startswith("arn:aws:acm:us-east-1:"),
                "certificate_arn must be of us-east-1, where CloudFront looks for it",
            ),
            (
                not self.live_gateway or self.feed_shards == 1 or self.live_gateways > 0,
                "live_gateway over several feed_shards needs live_gateways: a feed serves its own symbols only",
            ),
            (not self.live_gateways or self.live_gateway, "live_gateways need live_gateway, the balancer before them"),
            (set(self.sources) <= _OPTIONAL_SOURCES, f"sources are {', '.join(sorted(_OPTIONAL_SOURCES))}"),
            (set(self.paused_jobs) <= _JOBS, f"paused_jobs are of {', '.join(sorted(_JOBS))}"),
            (set(paces) <= _JOBS, f"schedule_minutes are of {', '.join(sorted(_JOBS))}"),
            (
                all(
                    minutes > 0 and 1_440 % minutes == 0 and (60 % minutes == 0 or minutes % 60 == 0)
                    for minutes in paces.values()
                ),
                "schedule_minutes must divide an hour, or be hours that divide a day",
            ),
        ]


def _fits_fargate(name: str, cpu: int, megabytes: int) -> tuple[bool, str]:
    """A rule: whether Fargate has that memory for so much of a processor, and what to say if not."""
    least, most = FARGATE_MEMORY_MEGABYTES[cpu]
    fits = least <= megabytes <= most and (megabytes == least or megabytes % 1_024 == 0)
    return fits, f"{name} must be {least}, or whole gigabytes up to {most}"


def settings_from(context: Mapping[str, object], environment: Mapping[str, str]) -> DeploySettings:
    """The choices in `context`, with those of `environment` over them; what is empty is not chosen.

    Raises: DeploymentInvalid with a line for each that is wrong or unknown.
    """
    chosen = {name: value for name, value in context.items() if value is not None and value != ""}
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and text.strip():
            chosen[variable.removeprefix(ENVIRONMENT_PREFIX).lower()] = text.strip()
    try:
        return DeploySettings.model_validate(chosen)
    except ValidationError as error:
        raise DeploymentInvalid("\n".join(map(_sentence, error.errors(include_url=False)))) from None


def _sentence(problem: Mapping[str, object]) -> str:
    location = problem["loc"]
    assert isinstance(location, tuple)
    name = ".".join(map(str, location))
    return f"{name}: {problem['msg']}" if name else str(problem["msg"]).removeprefix("Value error, ")
