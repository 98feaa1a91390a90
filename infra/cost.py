"""What a deployment costs a month, in dollars of us-east-1: the formula behind docs/cost.md.

    python -m infra.cost        the table

Prices are of the vendors' public pages and change; free tiers are left out. Pure arithmetic, and read by a test that
holds the page to it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from infra.catalog import SCHEDULES, function_named
from infra.needs import SECRETS

HOURS = 730
MINUTES = 43_200
BYTES_PER_CANDLE = 120

FARGATE_ARM_CPU_HOUR, FARGATE_ARM_GIGABYTE_HOUR, PUBLIC_ADDRESS_HOUR = 0.03238, 0.00356, 0.005
BALANCER_HOUR, BALANCER_UNIT_HOUR, RING_NODE_HOUR, RING_NODES = 0.0225, 0.008, 0.0128, 2
LAMBDA_ARM_GIGABYTE_SECOND, LAMBDA_REQUEST = 0.0000133334, 0.20e-6
HTTP_REQUEST, REST_REQUEST, SCHEDULED_RUN = 1.00e-6, 3.50e-6, 1.00e-6
SECRET, LOG_GIGABYTE, ALARM, METRIC, EGRESS_GIGABYTE = 0.40, 0.50, 0.10, 0.30, 0.09
SUPABASE_PRO, SUPABASE_GIGABYTES, SUPABASE_GIGABYTE, SUPABASE_COMPUTE = 25.0, 8, 0.125, 50.0

SECONDS_OF_RUN: Mapping[str, tuple[float, float]] = {
    "roll_up": (0.5, 0.002),
    "gap_scan": (1.0, 0.01),
    "backfill": (3.0, 0.05),
    "roi_stats": (2.0, 0.02),
    "reconcile": (5.0, 2.0),
    "audit_coverage": (5.0, 1.0),
    "fetch_snapshots": (1.0, 0.01),
    "ordered": (0.5, 0.0),
}
"""How long a run lasts: so many seconds, and so many more for each symbol. Estimates, to be replaced by one's own."""


@dataclass(frozen=True, slots=True)
class Month:
    """One month's load: how many symbols, requests of the API, and months of minutes that are kept."""

    symbols: int
    requests: float = 1e6
    months_kept: int = 12
    rest: bool = False
    feed_cpu: float = 0.25
    feed_gigabytes: float = 0.5
    feeds: int = 1
    gateways: int = 0
    """Tasks that serve the live stream; with any there are a load balancer and a Valkey of two nodes."""


def cost(month: Month) -> dict[str, float]:
    """Dollars by part, and their `total`."""
    parts = {
        "feed": month.feeds * _task(month.feed_cpu, month.feed_gigabytes),
        "live": _live(month),
        "jobs": sum(_job(schedule.function, schedule.every_minutes, month.symbols) for schedule in SCHEDULES),
        "api": month.requests * ((REST_REQUEST if month.rest else HTTP_REQUEST) + _answer()),
        "supabase": _supabase(month),
        "watching": _watching(month),
        "egress": max(0.0, month.requests * 20_000 / 1e9 - 100) * EGRESS_GIGABYTE,
    }
    return {**parts, "total": sum(parts.values())}


def _task(cpu: float, gigabytes: float) -> float:
    """One that is always there, with its public address."""
    return HOURS * (cpu * FARGATE_ARM_CPU_HOUR + gigabytes * FARGATE_ARM_GIGABYTE_HOUR + PUBLIC_ADDRESS_HOUR)


def _live(month: Month) -> float:
    if not month.gateways:
        return 0.0
    between = BALANCER_HOUR + BALANCER_UNIT_HOUR + RING_NODES * RING_NODE_HOUR
    return HOURS * between + month.gateways * _task(0.25, 0.5)


def _job(function: str, every_minutes: int, symbols: int) -> float:
    least, more = SECONDS_OF_RUN.get(function, (1.0, 0.01))
    known = function_named(function)
    seconds = min(least + more * symbols, known.timeout_seconds)
    run = seconds * known.memory_megabytes / 1024 * LAMBDA_ARM_GIGABYTE_SECOND + LAMBDA_REQUEST + SCHEDULED_RUN
    return MINUTES / every_minutes * run


def _answer() -> float:
    """One answer of the API: 50 ms of half a gigabyte."""
    return 0.05 * 0.5 * LAMBDA_ARM_GIGABYTE_SECOND + LAMBDA_REQUEST


def _supabase(month: Month) -> float:
    gigabytes = month.symbols * MINUTES * BYTES_PER_CANDLE * month.months_kept / 1e9
    compute = SUPABASE_COMPUTE if month.symbols > 100 else 0.0
    return SUPABASE_PRO + compute + max(0.0, gigabytes - SUPABASE_GIGABYTES) * SUPABASE_GIGABYTE


def _watching(month: Month) -> float:
    """Secrets, alarms, our own metrics, and logs."""
    secrets = len([secret for secret in SECRETS if not secret.optional])
    alarms = 5 + len({schedule.function for schedule in SCHEDULES})
    return secrets * SECRET + alarms * ALARM + 12 * METRIC + (1 + 0.002 * month.symbols) * LOG_GIGABYTE


MONTHS: Mapping[str, Month] = {
    "10": Month(10),
    "100": Month(100),
    "1,000": Month(1_000, feed_cpu=0.5, feed_gigabytes=1.0),
    "1,000, two shards and two gateways": Month(1_000, feeds=2, gateways=2),
    "1,000, 50 million requests": Month(1_000, requests=50e6, feed_cpu=0.5, feed_gigabytes=1.0),
    "1,000, 50 million requests, REST": Month(1_000, requests=50e6, rest=True, feed_cpu=0.5, feed_gigabytes=1.0),
}


def table() -> str:
    """The table of docs/cost.md."""
    names = ("feed", "live", "jobs", "api", "supabase", "watching", "egress", "total")
    lines = [f"| symbols | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for name, month in MONTHS.items():
        found = cost(month)
        lines.append(f"| {name} | {' | '.join(f'{found[part]:.2f}' for part in names)} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table."""
    sys.stdout.write(f"{table()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
