"""What an operator asks of the database itself: is it consistent, where is its room, what is too old."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from marketdata.errors import RequestInvalid
from marketdata.model.timeframe import TIMEFRAMES

KEPT = (*(timeframe.name for timeframe in TIMEFRAMES), "ticks", "quotes")
PARENTS = ("parts.candles_1m", "parts.candles_5m", "public.ticks", "public.quotes")
TABLES = ("public.candles", "public.ticks", "public.quotes", "public.coverage", "public.candle_gaps")
STEPS_MAX = 100_000

# Minutes held, by rows and by the coverage that is kept of them; they may differ only while the queue is not empty.
_COVERAGE_AGREES = """
with held as (
  select instrument_id, date_trunc('month', open_time, 'UTC')::date as month, count(*) as minutes
  from public.candles where timeframe = 1 and source > 1 group by 1, 2
), known as (
  select instrument_id, month, coalesce((
    select sum(extract(epoch from upper(part) - lower(part)) / 60)::bigint from unnest(covered) as part
  ), 0) as minutes
  from public.coverage where timeframe = 1
)
select instrument.exchange || ' ' || instrument.symbol || ' ' || to_char(month, 'YYYY-MM')
  || ': ' || coalesce(held.minutes, 0) || ' minutes held, ' || coalesce(known.minutes, 0) || ' in the coverage'
from held full join known using (instrument_id, month)
join public.instruments as instrument on instrument.id = instrument_id
where coalesce(held.minutes, 0) <> coalesce(known.minutes, 0)
order by 1
"""
_ROLLUPS_AGREE = """
with hours as (
  select instrument_id, date_trunc('hour', open_time, 'UTC') as open_time, sum(volume) as volume, max(high) as high,
    min(low) as low
  from public.candles where timeframe = 1 group by 1, 2
)
select instrument.exchange || ' ' || instrument.symbol || ' ' || to_char(hour.open_time, 'YYYY-MM-DD HH24:MI')
  || ': the hour is not what its minutes are'
from hours join public.candles as hour using (instrument_id, open_time)
join public.instruments as instrument on instrument.id = instrument_id
where hour.timeframe = 60 and hour.derived
  and (hours.volume, hours.high, hours.low) is distinct from (hour.volume, hour.high, hour.low)
order by 1 limit 100
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: the time it is of, its size, and about how many rows it has."""

    name: str
    start: datetime
    end: datetime
    bytes: int
    rows: int


def problems(connection: psycopg.Connection) -> list[str]:
    """What is wrong, a sentence each; nothing if all is well. Reads every minute: seconds a symbol-year."""
    waiting = _number(connection, "select count(*) from internal.dirty")
    found = [f"{waiting} changes wait to be rolled up; run `marketdata jobs run roll_up` first"] if waiting else []
    for query in (_COVERAGE_AGREES, _ROLLUPS_AGREE):
        found += [str(row[0]) for row in connection.execute(query).fetchall()]
    room = _number(connection, "select count(*) from internal.partitions_of('parts.candles_1m') where ends > now()")
    if not room:
        found.append("there is no room for the candles of this month; run `marketdata db partitions --ahead 90d`")
    return found


def analyze(connection: psycopg.Connection) -> None:
    """Bring the planner's statistics up to date."""
    for table in TABLES:
        connection.execute(f"analyze {table}")


def partitions(connection: psycopg.Connection) -> list[Partition]:
    """Every partition by time, oldest first within its table."""
    query = (
        "select part.name, starts, ends, pg_total_relation_size(relation.oid), greatest(reltuples, 0)::bigint"
        " from internal.partitions_of(%s::regclass) as part"
        " join pg_class as relation on relation.oid = ('parts.' || quote_ident(part.name))::regclass order by starts"
    )
    return [Partition(*row) for parent in PARENTS for row in connection.execute(query, (parent,)).fetchall()]


def make_room(connection: psycopg.Connection, now: datetime, ahead: timedelta) -> int:
    """Make partitions for so long ahead; how many were new."""
    total = 0
    # A call makes at most 100 days of ticks.
    while made := _number(connection, "select public.ensure_partitions_v1(%s, %s)", now, now + ahead):
        total += made
    return total


def keep(connection: psycopg.Connection, rules: Mapping[str, timedelta]) -> None:
    """From now on keep so much of what is named."""
    for what, age in rules.items():
        connection.execute(
            "insert into public.retention (what, keep) values (%s, %s)"
            " on conflict (what) do update set keep = excluded.keep",
            (what, age),
        )


def kept(connection: psycopg.Connection) -> dict[str, timedelta]:
    """How much is kept of what, where that is limited."""
    return dict(connection.execute("select what, keep from public.retention order by what").fetchall())


def prune(connection: psycopg.Connection, now: datetime, on_step: Callable[[int], object]) -> int:
    """Forget what is older than is kept, step by step; how many steps."""
    for step in range(STEPS_MAX):
        if not _number(connection, "select public.prune_history_v1(%s)", now):
            return step
        on_step(step + 1)
        _number(connection, "select public.drain_dirty_v1()")
    return STEPS_MAX


def rules_from(texts: list[str], history: timedelta) -> dict[str, timedelta]:
    """`1m=400d` as a rule. Raises: RequestInvalid; minutes are kept for as long as their gaps are looked for."""
    rules = {}
    for text in texts:
        what, _, days = text.partition("=")
        number = days.removesuffix("d")
        if what not in KEPT or not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 36_500:
            raise RequestInvalid(
                "--keep", f"{text!r} is not one of {', '.join(KEPT)} = a number of days: 1m=400d", KEPT
            )
        rules[what] = timedelta(days=int(number))
    if rules.get("1m", history) < history:
        raise RequestInvalid(
            "--keep", f"1m: gaps are looked for {history.days} days back (GAP_HISTORY_DAYS) and would be fetched again"
        )
    return rules


def _number(connection: psycopg.Connection, query: LiteralString, *parameters: object) -> int:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None, query
    return int(row[0])
