"""JSON Lines files: one JSON object per line, written whole or not at all."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import LemmataError


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Writes the rows in place of an existing file, whole or not at all; returns their number.

    Raises LemmataError where it cannot be written.
    """
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text("".join(lines), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise LemmataError(f"{path} cannot be written: {error}. Free disk space, and repeat the command") from error
    return len(lines)
