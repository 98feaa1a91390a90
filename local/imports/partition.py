"""One month (or day) of one table: loaded beside its parent and attached where it is new, else staged and merged.

A new one is copied into a table that nobody sees, gets its key once, and is attached in one step: no index is dropped,
no reader is ever without one. Whether it is new is asked again under the lock of all who make partitions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from marketdata.compute.months import day_of, month_of
from marketdata.model.span import Span
from psycopg import sql

from local.imports.copy_text import CANDLE_COLUMNS, QUOTE_COLUMNS, TICK_COLUMNS

_SPAN = sql.Identifier("of_this_time")
_LOCK = "select pg_advisory_xact_lock(hashtext('market data: ensure partitions'))"


@dataclass(frozen=True, slots=True)
class Table:
    """A partitioned table as imports write it: its parts hang from `parent`, and are told apart by the column `time`.

    `fixed` is what else holds of every row of a part. `merges`: a row that is there may change, as the table's own
    rule decides; else it stays.
    """

    name: tuple[str, str]
    parent: tuple[str, str]
    part_of: Callable[[datetime], Span]
    part_format: str
    time: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    fixed: LiteralString
    merges: bool


QUOTES = Table(
    ("public", "quotes"),
    ("public", "quotes"),
    month_of,
    "quotes_%Y%m",
    "time",
    QUOTE_COLUMNS,
    ("instrument_id", "time", "ordinal"),
    "true",
    merges=False,
)
CANDLES = Table(
    ("public", "candles"),
    ("parts", "candles_1m"),
    month_of,
    "candles_1m_%Y%m",
    "open_time",
    CANDLE_COLUMNS,
    ("instrument_id", "timeframe", "open_time"),
    "timeframe = 1",
    merges=True,
)
TICKS = Table(
    ("public", "ticks"),
    ("public", "ticks"),
    day_of,
    "ticks_%Y%m%d",
    "time",
    TICK_COLUMNS,
    ("instrument_id", "time", "trade_id"),
    "true",
    merges=False,
)


@dataclass(frozen=True, slots=True)
class LoadedPartition:
    """How many rows were copied, and whether their partition was new."""

    rows: int
    attached: bool


class PartitionLoad:
    """The rows of the part that holds `time` on their way in, inside the caller's transaction."""

    def __init__(self, connection: psycopg.Connection, table: Table, time: datetime) -> None:
        self._connection = connection
        self._table = table
        self._span = table.part_of(time)
        self._name = self._span.start.strftime(table.part_format)
        self._beside = sql.Identifier("parts", f"importing_{self._name}")

    def load(self, chunks: Iterable[str]) -> LoadedPartition:
        """Load lines for COPY, all of this part; loaded twice they change nothing.

        Raises: psycopg.Error, after which the transaction is lost.
        """
        if self._exists():
            return LoadedPartition(self.merge(chunks), attached=False)
        rows = self._copy_beside(chunks)
        self._connection.execute(_LOCK)
        if self._exists():
            # Somebody made it meanwhile, and may have put rows there.
            self._merge(self._beside)
            self._run(sql.SQL("drop table {}").format(self._beside))
            return LoadedPartition(rows, attached=False)
        self._attach()
        return LoadedPartition(rows, attached=True)

    def _copy_beside(self, chunks: Iterable[str]) -> int:
        whole = sql.SQL("create table {} (like {} including defaults including constraints)")
        self._run(whole.format(self._beside, self._parent()))
        # Frozen: nobody can see the table before this transaction ends, so its rows need no vacuum later.
        rows = self._copy(self._beside, chunks, sql.SQL(" with (freeze)"))
        self._run(
            sql.SQL("alter table {} add constraint {} primary key ({}), add constraint of_this_time check ({})").format(
                self._beside, sql.Identifier(f"{self._name}_pkey"), _names(self._table.key), self._of_this_time()
            )
        )
        return rows

    def _attach(self) -> None:
        partition = sql.Identifier("parts", self._name)
        self._run(sql.SQL("alter table {} rename to {}").format(self._beside, sql.Identifier(self._name)))
        self._run(
            sql.SQL("alter table {} attach partition {} for values from ({}) to ({})").format(
                sql.Identifier(*self._table.parent),
                partition,
                sql.Literal(self._span.start),
                sql.Literal(self._span.end),
            )
        )
        self._run(sql.SQL("alter table {} drop constraint {}").format(partition, _SPAN))
        if self._table.merges:
            # Triggers of the parent tell the drain what changed; they did not see this.
            self._connection.execute("select internal.queue_loaded(%s::regclass)", (f"parts.{self._name}",))

    def merge(self, chunks: Iterable[str]) -> int:
        """Stage lines for COPY and merge them by the table's own rule; returns how many. Raises: psycopg.Error."""
        stage = sql.Identifier("pg_temp", "import_stage")
        self._run(sql.SQL("drop table if exists {}").format(stage))
        self._run(
            sql.SQL("create temp table import_stage (like {} including defaults) on commit drop").format(self._parent())
        )
        rows = self._copy(stage, chunks, sql.SQL(""))
        self._run(sql.SQL("analyze {}").format(stage))
        self._merge(stage)
        return rows

    def _merge(self, stage: sql.Identifier) -> None:
        """Sorted by key, so that two writers never wait for each other in a circle."""
        key = _names(self._table.key)
        # A reported row over a rolled up one stops being a rollup.
        written = (*self._table.columns, "derived") if self._table.merges else self._table.columns
        others = [sql.Identifier(name) for name in written if name not in self._table.key]
        changes = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in others)
        action = sql.SQL("do update set {}").format(changes) if self._table.merges else sql.SQL("do nothing")
        self._run(
            sql.SQL("insert into {} ({}) select {} from {} order by {} on conflict ({}) {}").format(
                self._parent(), _names(written), _names(written), stage, key, key, action
            )
        )

    def _copy(self, into: sql.Identifier, chunks: Iterable[str], options: sql.SQL) -> int:
        statement = sql.SQL("copy {} ({}) from stdin{}").format(into, _names(self._table.columns), options)
        with self._connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for chunk in chunks:
                    copy.write(chunk)
            return cursor.rowcount

    def _of_this_time(self) -> sql.Composed:
        return sql.SQL("{0} >= {1} and {0} < {2} and {3}").format(
            sql.Identifier(self._table.time),
            sql.Literal(self._span.start),
            sql.Literal(self._span.end),
            sql.SQL(self._table.fixed),
        )

    def _exists(self) -> bool:
        row = self._connection.execute("select to_regclass(%s) is not null", (f"parts.{self._name}",)).fetchone()
        return bool(row and row[0])

    def _parent(self) -> sql.Identifier:
        return sql.Identifier(*self._table.name)

    def _run(self, statement: sql.Composed) -> None:
        self._connection.execute(statement)


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
