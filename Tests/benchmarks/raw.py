"""Raw SQLite: the rows that Parley writes for an append, written without Parley.

What an append writes is learned from the store's file itself: two rounds of one append per conversation show
which rows are new, which rows changed, and how their columns move from one append to the next. The imitation
goes on from there on a copy of the file, so its schema, its page size and its first rows are the same.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from load import BenchmarkError, contents

Value = int | float | str | bytes | None
Row = tuple[Value, ...]
CACHE_KIB = 64 * 1024


@dataclass(frozen=True)
class Table:
    """An ordinary table: its columns, what tells its rows apart, and the columns that SQLite numbers itself."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    counted_by_sqlite: frozenset[str]

    def rows(self, file: sqlite3.Connection) -> dict[Row, Row]:
        """Return all rows by key, in the order of the key or, without one, of insertion."""
        listed = ", ".join(_quoted(name) for name in (*self.key, *self.columns))
        order = ", ".join(_quoted(name) for name in self.key)
        size = len(self.key)
        found = file.execute(f"SELECT {listed} FROM {_quoted(self.name)} ORDER BY {order}")
        return {row[:size]: row[size:] for row in found}


@dataclass(frozen=True)
class Move:
    """How one column of one row goes on: from `first` to `second`, and so further.

    `newest` is the greatest value of the column in the round, so that ids stay ordered by time across conversations.
    """

    first: Value
    second: Value
    newest: Value
    is_content: bool

    def at(self, turn: int, serial: int, texts: Sequence[str]) -> Value:
        """Return the value `turn` appends later; `serial` counts the appends of all conversations."""
        if self.is_content:
            return texts[serial % len(texts)]
        if self.first == self.second or self.second is None:
            return self.second
        if isinstance(self.second, bytes):
            return self.newest[:-8] + serial.to_bytes(8, "big")
        if isinstance(self.second, str):
            return self.newest[:-12] + f"{serial:012x}"
        return self.second + (self.second - (self.first or 0)) * turn


@dataclass(frozen=True)
class Statement:
    """A prepared statement of the imitation and, for each row it writes, how its values move and what stays."""

    sql: str
    rows: tuple[tuple[tuple[Move, ...], Row], ...]

    def values(self, turn: int, texts: Sequence[str]) -> list[Row]:
        """Return the parameters of every row for one transaction."""
        count = len(self.rows)
        return [
            (*(move.at(turn, turn * count + index, texts) for move in moves), *fixed)
            for index, (moves, fixed) in enumerate(self.rows)
        ]


def learn(database: Path, copy: Path, append_round: Callable[[], None]) -> tuple[Statement, ...]:
    """Let every conversation append twice, return the statements that go on so, and leave the file's `copy`."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as file:
        tables = _tables(file)
        rounds = [_snapshot(file, tables)]
        for _ in range(2):
            append_round()
            rounds.append(_snapshot(file, tables))
        statements = tuple(statement for table in tables for statement in _statements(table, *(r[table.name] for r in rounds)))
        with closing(sqlite3.connect(copy)) as target:
            file.backup(target)
    if not any(statement.sql.startswith('INSERT INTO "pam_messages"') for statement in statements):
        raise BenchmarkError("The store's file shows no new row in pam_messages after an append.")
    return statements


def run(copy: Path, statements: tuple[Statement, ...], rows_a_transaction: int, seconds: float) -> float:
    """Write transactions for some seconds and return messages per second; making up values is not measured."""
    texts = contents()
    with closing(sqlite3.connect(copy, isolation_level=None)) as file:
        _make_durable(file)
        elapsed, turn = 0.0, 0
        while elapsed < seconds:
            turn += 1
            batches = [(statement.sql, statement.values(turn, texts)) for statement in statements]
            start = time.perf_counter()
            file.execute("BEGIN IMMEDIATE")
            for sql, rows in batches:
                file.executemany(sql, rows)
            file.execute("COMMIT")
            elapsed += time.perf_counter() - start
    return turn * rows_a_transaction / elapsed


def _make_durable(file: sqlite3.Connection) -> None:
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = FULL")
    file.execute("PRAGMA foreign_keys = ON")
    file.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    mode = (file.execute("PRAGMA journal_mode").fetchone()[0], file.execute("PRAGMA synchronous").fetchone()[0])
    if mode != ("wal", 2):
        raise BenchmarkError(f"Raw SQLite is not durable: journal mode and synchronous are {mode}.")


def _tables(file: sqlite3.Connection) -> list[Table]:
    """Return the ordinary tables; the search index and its inner tables are left out of the imitation."""
    names = [row[1] for row in file.execute("PRAGMA table_list") if row[2] == "table" and not row[1].startswith("sqlite_")]
    return [_table(file, name) for name in sorted(names)]


def _table(file: sqlite3.Connection, name: str) -> Table:
    described = file.execute(f"PRAGMA table_info({_quoted(name)})").fetchall()
    keys = [row for row in sorted(described, key=lambda row: row[5]) if row[5]]
    counted = keys[0][1] if len(keys) == 1 and keys[0][2].upper() == "INTEGER" else None
    without_rowid = any(row[1] == name and row[4] for row in file.execute("PRAGMA table_list"))
    return Table(
        name=name,
        columns=tuple(row[1] for row in described),
        key=tuple(row[1] for row in keys) if without_rowid else ("rowid",),
        counted_by_sqlite=frozenset([counted] if counted and not without_rowid else []),
    )


def _snapshot(file: sqlite3.Connection, tables: Sequence[Table]) -> dict[str, dict[Row, Row]]:
    return {table.name: table.rows(file) for table in tables}


def _statements(table: Table, start: dict[Row, Row], once: dict[Row, Row], twice: dict[Row, Row]) -> list[Statement]:
    """Return the insertion and the update that two rounds of appends did to one table, if any."""
    firsts = [row for key, row in once.items() if key not in start]
    seconds = [row for key, row in twice.items() if key not in once]
    if len(firsts) != len(seconds):
        raise BenchmarkError(f"Two equal rounds of appends wrote {len(firsts)} and {len(seconds)} rows into {table.name}.")
    changed = {key: (once[key], row) for key, row in twice.items() if key in once and once[key] != row}
    statements = []
    if seconds:
        statements.append(_insertion(table, firsts, seconds))
    if changed:
        statements.append(_update(table, changed))
    return statements


def _insertion(table: Table, firsts: Sequence[Row], seconds: Sequence[Row]) -> Statement:
    places = [place for place, name in enumerate(table.columns) if name not in table.counted_by_sqlite]
    names = ", ".join(_quoted(table.columns[place]) for place in places)
    marks = ", ".join("?" for _ in places)
    return Statement(
        f"INSERT INTO {_quoted(table.name)} ({names}) VALUES ({marks})",
        tuple((moves, ()) for moves in _moves(table, places, firsts, seconds)),
    )


def _update(table: Table, changed: dict[Row, tuple[Row, Row]]) -> Statement:
    firsts, seconds = [first for first, _ in changed.values()], [second for _, second in changed.values()]
    pairs = list(zip(firsts, seconds))
    places = [place for place in range(len(table.columns)) if any(first[place] != second[place] for first, second in pairs)]
    sets = ", ".join(f"{_quoted(table.columns[place])} = ?" for place in places)
    where = " AND ".join(f"{_quoted(name)} = ?" for name in table.key)
    return Statement(
        f"UPDATE {_quoted(table.name)} SET {sets} WHERE {where}",
        tuple(zip(_moves(table, places, firsts, seconds), changed.keys())),
    )


def _moves(table: Table, places: Sequence[int], firsts: Sequence[Row], seconds: Sequence[Row]) -> list[tuple[Move, ...]]:
    newest = {place: max((row[place] for row in seconds if row[place] is not None), default=None) for place in places}
    return [
        tuple(Move(first[p], second[p], newest[p], table.columns[p] == "content") for p in places)
        for first, second in zip(firsts, seconds)
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
