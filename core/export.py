"""Parquet tables of a run, written problem by problem so that memory does not grow with the run."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.errors import LemmataError
from core.labels import read_with_labels
from core.parquet import write_parquet
from core.proof_table import PROOF_COLUMNS, proof_rows
from core.records import (
    Analysis,
    Comparison,
    Grading,
    Label,
    Problem,
    Record,
    Refusal,
    Review,
    Selection,
    StatementReport,
    ToolOutput,
    Usage,
)
from core.store import Run

Row = dict[str, Any]

_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    str | None: pa.string(),
    int: pa.int64(),
    int | None: pa.int64(),
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
            "comparisons": Comparison,
            "labels": Label,
            "reports": StatementReport,
            "selections": Selection,
            "refusals": Refusal,
            "tool_outputs": ToolOutput,
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
    rows = (row for path in run.log_paths() for row in rows_of(list(read_with_labels(path))))
    return write_parquet(out, schema, rows, "out=FILE")
