"""Parquet tables written row by row, so that memory does not grow with them."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import LemmataError

GROUP = 1000  # rows held at a time


def write_parquet(path: Path, schema: pa.Schema, rows: Iterable[Mapping[str, Any]], setting: str) -> int:
    """Write ``rows``; returns how many. The file appears only when it is complete, in place of an existing one.

    Raises LemmataError where it cannot be written; ``setting`` is the one that names another place.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = _write(temporary, schema, rows)
        temporary.replace(path)
    except OSError as error:
        raise LemmataError(f"cannot write {path}: {error}. Choose another {setting}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def _write(path: Path, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> int:
    count, group = 0, []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for row in rows:
            group.append(row)
            count += 1
            if len(group) == GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
    return count
