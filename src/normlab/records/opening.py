"""Opening a records file: whatever can be wrong with it is found here, before hours of work."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path

from normlab.errors import RecordsError, not_one_of
from normlab.records.schema import (
    APPLICATION_ID,
    CREATION,
    TABLE_STATEMENTS,
    VERSION,
    VIEW_STATEMENT,
)
from normlab.records.updates import UPDATES

MODES = ("a", "r")
SILENT_WAIT = 2_000  # milliseconds


class WaitingWarning(UserWarning):
    """Somebody else writes the same records, and this program waits."""


def open_records(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    """A connection to the records file at `path`; mode 'a' (read and add) creates it.

    Raises RecordsError for a file that is missing (mode 'r'), is damaged, belongs to another
    program or a newer normlab, or (mode 'a') cannot be written to. Such a file is left as it was.
    """
    if mode not in MODES:
        raise not_one_of("mode", mode, MODES)
    try:
        missing, homeless = not path.exists(), not path.parent.is_dir()
    except OSError as error:  # a folder on the way to it may not be searched
        raise RecordsError(
            f"the records {path} cannot be reached: {error.strerror}; name another file"
        ) from error
    if mode == "r" and missing:
        raise RecordsError(
            f"there are no records at {path}; check the name, or train something into it first"
        )
    if homeless:
        raise RecordsError(
            f"the folder {path.parent} for the records {path.name} does not exist; make it first"
        )
    # A reader, too, opens for writing where it may: a file left by a killed writer must first be
    # rolled back.
    address = f"{path.absolute().as_uri()}?mode={'rwc' if mode == 'a' else 'rw'}"
    with in_sentences(path):
        # isolation_level=None: transactions are ours to begin and end, not the module's to guess
        connection = sqlite3.connect(
            address, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
        )
    try:
        with in_sentences(path):
            # SQLite's default rollback journal, not the faster write-ahead log: between
            # transactions the results are one file, which can be copied, mailed, and read from a
            # read-only or network folder. EXTRA is FULL and also forces the folder to the disk,
            # without which a power cut could undo the last run.
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute(f"PRAGMA query_only = {'ON' if mode == 'r' else 'OFF'}")
            if mode == "a":
                _create_where_empty(connection)
            version = _recognize(connection, path)
            if mode == "a":
                _try_writing(connection)
                _bring_up_to_date(connection, version)
            elif version < VERSION:
                connection = _copy_of_today(connection, version)
            _check_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block's changes or, when anything stops it, none."""
    _begin(connection)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may already have ended it
            connection.execute("ROLLBACK")
        raise


def _begin(connection: sqlite3.Connection) -> None:
    """Take the writer's place now, waiting for it if need be; a longer wait is said."""
    patience = _pragma(connection, "busy_timeout")
    try:
        connection.execute(f"PRAGMA busy_timeout = {min(patience, SILENT_WAIT)}")
        connection.execute("BEGIN IMMEDIATE")
        return
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith("SQLITE_BUSY") or patience <= SILENT_WAIT:
            raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")
    (file,) = (row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
    warnings.warn(
        f"the records {file} are being written by another process; waiting for it, up to "
        f"{(patience - SILENT_WAIT) / 1000:g} s",
        WaitingWarning,
        stacklevel=2,
    )
    connection.execute("BEGIN IMMEDIATE")


def _is_empty(connection: sqlite3.Connection) -> bool:
    (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(count == 0 and _pragma(connection, "user_version") == 0)


def _create_where_empty(connection: sqlite3.Connection) -> None:
    if _is_empty(connection):
        with transaction(connection):
            if _is_empty(connection):  # another process may have been first
                for statement in CREATION:
                    connection.execute(statement)


def _recognize(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of a sound file of records; any other file is a RecordsError."""
    if _is_empty(connection):
        raise RecordsError(
            f"{path} holds no records; check the name, or train something into it first"
        )
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise RecordsError(
            f"{path} is an SQLite file of another program, not records of normlab; name another "
            "file"
        )
    version = _pragma(connection, "user_version")
    if version > VERSION:
        raise RecordsError(
            f"the records {path} have schema version {version}, and this normlab knows up to "
            f"{VERSION}: update normlab, or name another file"
        )
    if version < 1:
        raise RecordsError(damaged(path, f"its schema version is {version}"))
    # reads the whole file: 70 ms for 20,000 runs, against the seconds or hours that trusting it may
    # cost
    findings = [finding for (finding,) in connection.execute("PRAGMA integrity_check(1)")]
    if findings != ["ok"]:
        raise RecordsError(damaged(path, findings[0]))
    return version


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    # SQLite finds nothing wrong with a letter of a column's name that has become a capital, or
    # another type
    tables = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    for table, statement in TABLE_STATEMENTS.items():
        if tables.get(table) != statement:
            raise RecordsError(damaged(path, f"the table {table} is not as it was made"))


def _bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Take the steps from `version` to today's, all or none, and make the view anew."""
    view = "SELECT sql FROM sqlite_master WHERE type = 'view' AND name = 'results'"
    if version == VERSION and connection.execute(view).fetchone() == (VIEW_STATEMENT,):
        return
    with transaction(connection):
        # another process may have been first
        for step in range(_pragma(connection, "user_version") + 1, VERSION + 1):
            UPDATES[step](connection)
        connection.execute("DROP VIEW IF EXISTS results")
        connection.execute(VIEW_STATEMENT)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _copy_of_today(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """An older file that may only be read, brought up to date in memory."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    connection.backup(copy)
    connection.close()
    _bring_up_to_date(copy, version)
    copy.execute("PRAGMA query_only = ON")
    return copy


def _try_writing(connection: sqlite3.Connection) -> None:
    """Touch the first page and take it back, which makes SQLite open its journal."""
    _begin(connection)
    try:
        connection.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def damaged(path: Path, finding: object) -> str:
    """The sentence for a file that is not what was written."""
    reason = " ".join(str(finding).split())  # SQLite's findings run over lines
    return (
        f"the records {path} are damaged ({reason}). Nothing was changed; put back a copy of the "
        "file, or move it away and train into a new one"
    )


@contextlib.contextmanager
def in_sentences(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into RecordsErrors that say what happened to `path` and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise RecordsError(_sentence(path, error)) from error
    except (
        UnicodeDecodeError
    ) as error:  # in the name of a column, where the module does not expect it
        raise RecordsError(damaged(path, error)) from error


def _sentence(path: Path, error: sqlite3.Error) -> str:
    name = getattr(
        error, "sqlite_errorname", ""
    )  # such as SQLITE_READONLY_DIRECTORY; none for Python's own
    kept = "every run recorded before is safe, and the same command continues from there"
    if name.startswith(
        ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE")
    ):
        return (
            f"the records {path} cannot grow: the disk or the allowed file size is full. Free "
            f"space; {kept}"
        )
    if name == "SQLITE_READONLY_ROLLBACK":
        return (
            f"the records {path} were left in the middle of a write, and cannot be put in order "
            "because the file or its folder is read-only: open them once where they can be "
            "written to, or copy them with their -journal"
        )
    gone = name.startswith("SQLITE_IOERR") and not path.exists()
    if name == "SQLITE_READONLY_DBMOVED" or gone:
        return (
            f"the records {path} were moved or deleted while they were in use. Put the file back, "
            "and the same command continues from the runs in it; without it, it begins anew"
        )
    if name.startswith("SQLITE_READONLY"):
        return (
            f"the records {path} cannot be written: the file or its folder is read-only (or was "
            f"opened with mode='r'). Change its permissions or name another file; {kept}"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return (
            f"{path} cannot be opened as a file of records: it is a folder, permission is missing, "
            "or this program has too many files open. Nothing was changed"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return (
            f"the records {path} are being written by another process that did not finish in "
            f"time; {kept}"
        )
    if name.startswith("SQLITE_NOTADB"):
        return (
            f"{path} is not an SQLite file, so it cannot hold records; name another file, or a "
            "new one"
        )
    # SQLITE_ERROR is a statement that does not fit the tables; ours do, so the tables are no longer
    # ours
    undecodable = not name and isinstance(
        error, sqlite3.OperationalError
    )  # the module's own, of a text column
    if undecodable or name.startswith(
        ("SQLITE_CORRUPT", "SQLITE_FORMAT", "SQLITE_IOERR_SHORT", "SQLITE_ERROR")
    ):
        return damaged(path, error)
    return f"the records {path} cannot be used: SQLite says {str(error)!r} {name}".rstrip()
