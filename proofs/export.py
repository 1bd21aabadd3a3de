"""A run as parquet tables, written problem by problem so that memory does not grow with the run."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from proofs.errors import LemmataError
from proofs.log import read_log
from proofs.records import Analysis, Grading, Label, Problem, Record, Refusal, Review, Selection, Usage
from proofs.store import Run
from proofs.summary import PROOF_COLUMNS, proof_rows

Row = dict[str, Any]
ROW_GROUP = 1000

_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    str | None: pa.string(),
    int: pa.int64(),
    bool: pa.bool_(),
    float: pa.float64(),
    float | None: pa.float64(),
    tuple[str, ...]: pa.list_(pa.string()),
    Mapping[str, Any]: pa.string(),
}


def _record_schema(kind: type[Any]) -> pa.Schema:
    columns: list[tuple[str, pa.DataType]] = []
    for field in fields(kind):
        if field.name == "usage":
            columns += [(usage.name, _TYPES[usage.type]) for usage in fields(Usage)]
        else:
            columns.append((field.name, _TYPES[field.type]))
    return pa.schema(columns)


def _record_row(record: Record) -> Row:
    row = {field.name: getattr(record, field.name) for field in fields(record)}
    if "usage" in row:
        usage = row.pop("usage")
        row |= {field.name: getattr(usage, field.name, None) for field in fields(Usage)}
    if "extra" in row:
        row["extra"] = json.dumps(row["extra"], ensure_ascii=False)
    if "parents" in row:
        row["parents"] = list(row["parents"])
    if "faults" in row:
        row["faults"] = list(row["faults"])
    return row


def _rows_of(kind: type[Any]) -> Callable[[Sequence[Record]], Iterator[Row]]:
    def rows(records: Sequence[Record]) -> Iterator[Row]:
        return (_record_row(record) for record in records if isinstance(record, kind))

    return rows


TABLES: dict[str, tuple[pa.Schema, Callable[[Sequence[Record]], Iterator[Row]]]] = {
    "proofs": (pa.schema(PROOF_COLUMNS), proof_rows),
    **{
        name: (_record_schema(kind), _rows_of(kind))
        for name, kind in {
            "problems": Problem,
            "analyses": Analysis,
            "reviews": Review,
            "gradings": Grading,
            "labels": Label,
            "selections": Selection,
            "refusals": Refusal,
        }.items()
    },
}


def export_table(run: Run, table: str, out: Path) -> int:
    """Write a table of the run; returns the number of rows. The file appears only when it is complete.

    Raises:
        LemmataError: unknown table, or the file cannot be written.
    """
    if table not in TABLES:
        raise LemmataError(f"unknown table {table!r}; known: {', '.join(TABLES)}.")
    schema, rows_of = TABLES[table]
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        rows = (row for path in run.log_paths() for row in rows_of(list(read_log(path))))
        count = _write(rows, schema, temporary)
        temporary.replace(out)
    except OSError as error:
        raise LemmataError(f"cannot write {out}: {error}. Choose another out=FILE.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def _write(rows: Iterator[Row], schema: pa.Schema, path: Path) -> int:
    count, batch = 0, []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for row in rows:
            batch.append(row)
            count += 1
            if len(batch) == ROW_GROUP:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                batch = []
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema))
    return count
