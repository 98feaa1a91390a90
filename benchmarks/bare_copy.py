"""What an import is held against: a bare COPY of the same lines, ready made, into empty tables of the same form."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

Lines = tuple[str, Sequence[str], Iterable[str]]
"""A table of `public`, its columns in the lines' order, and the lines."""


def bare_copy(connection: psycopg.Connection, tables: Iterable[Lines]) -> int:
    """Copy all of them in one transaction; how many rows there were. What was copied before is gone."""
    rows = 0
    with connection.transaction():
        for name, columns, chunks in tables:
            with _like(connection, name) as table, connection.cursor() as cursor:
                names = sql.SQL(", ").join(map(sql.Identifier, columns))
                with cursor.copy(sql.SQL("copy {} ({}) from stdin").format(table, names)) as copy:
                    for chunk in chunks:
                        copy.write(chunk)
                rows += cursor.rowcount
    return rows


def require_the_same_rows(connection: psycopg.Connection, name: str, columns: Sequence[str]) -> None:
    """Raises: AssertionError where an import made other rows than were copied."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    ours, bare = sql.Identifier("public", name), sql.Identifier(f"bare_{name}")
    minutes = sql.SQL("where timeframe = 1") if name == "candles" else sql.SQL("")
    for one, other in ((ours, bare), (bare, ours)):
        query = sql.SQL("select count(*) from (select {0} from {1} {3} except all select {0} from {2} {3}) as odd")
        found = connection.execute(query.format(names, one, other, minutes)).fetchone()
        assert found == (0,), (name, found)


@contextmanager
def _like(connection: psycopg.Connection, name: str) -> Iterator[sql.Identifier]:
    """An empty table with the columns, constraints and key of a real one."""
    table = sql.Identifier(f"bare_{name}")
    connection.execute(sql.SQL("drop table if exists {}").format(table))
    whole = sql.SQL("create table {} (like {} including defaults including constraints including indexes)")
    connection.execute(whole.format(table, sql.Identifier("public", name)))
    yield table
