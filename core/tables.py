"""Rows of tables: .json, .jsonl, .csv, .tsv and .parquet files, folders of them, and Hugging Face data sets.

Text may be gzip (``.csv.gz``) and UTF-16; a CSV file may have semicolons or tabs.

A file of millions of rows is never held in memory (JSON, which cannot be read in parts, excepted). Whatever is wrong
with a file is one LemmataError that names the file and the row.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from core.columns import (
    Cells,
    Row,
    type_name,
)
from core.errors import LemmataError
from core.nested_rows import is_nested
from core.text_files import check_content, raw_lines, suffix_of, whole

MAX_CELL = 1 << 24  # characters of one CSV cell; the default of 2**17 is less than a long proof
Errors = type[Exception] | tuple[type[Exception], ...]
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[\w.-]+)?")


def open_table(source: str, split: str | None, revision: str | None) -> Iterator[Row]:
    """The rows of a file, a folder of files or a data set. Raises LemmataError where there is none of that name."""
    path = _local(source)
    if path is None:
        if HUB_ID.fullmatch(source) and suffix_of(Path(source)) not in READERS:
            return _hub_rows(source, split, revision)
        raise LemmataError(
            f"no file or folder {source!r} (seen from {Path.cwd()}), and it is no data set id owner/name"
        )
    if revision is not None:
        raise LemmataError(f"revision={revision!r}: {source} is on this disk and has no revisions; leave revision out")
    if path.is_dir():
        return chain.from_iterable(_file_rows(file) for file in _folder_files(path, split))
    if split is not None:
        raise LemmataError(f"split={split!r}: {source} is one file and has no splits; leave split out")
    return _file_rows(path)


def _local(source: str) -> Path | None:
    try:
        path = Path(source).expanduser()
        return path if source.strip() and path.exists() else None
    except (OSError, RuntimeError):  # a statement given as source is too long for a file name; ~somebody has no home
        return None


def _folder_files(folder: Path, split: str | None) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if suffix_of(path) in READERS and path.name[0] != ".")
    if not files:
        raise LemmataError(f"folder {folder} holds no file of a known kind: {', '.join(READERS)}")
    chosen = [
        path
        for path in files
        if split is None or path.name.partition(".")[0] == split or path.stem.startswith(f"{split}-")
    ]
    if not chosen:
        names = ", ".join(path.name for path in files)
        raise LemmataError(f"folder {folder} holds no split {split!r}; choose another, its files are: {names}")
    return chosen


def _file_rows(path: Path) -> Iterator[Row]:
    reader = READERS.get(suffix_of(path))
    if reader is None:
        raise LemmataError(f"{path}: unknown kind of file {path.suffix!r}; known: {', '.join(READERS)}, also with .gz")
    return _guarded(_checked(path, reader), str(path), OSError, "see that the file is there and may be read")


def _checked(path: Path, reader: Callable[[Path], Iterator[Row]]) -> Iterator[Row]:
    check_content(path)
    yield from reader(path)


def _guarded(rows: Iterable[Any], what: str, errors: Errors, fix: str) -> Iterator[Any]:
    # What the caller does with a row is not guarded: its errors do not pass through this generator.
    try:
        yield from rows
    except errors as error:
        raise LemmataError(f"{what}: cannot be read ({_message(error)}): {fix}") from error


def _message(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _text_lines(path: Path) -> Iterator[tuple[int, str]]:
    # Only \n ends a line: str.splitlines would also cut a text at U+2028. Decoded by line, so that an error has one.
    for number, raw in raw_lines(path):
        yield number, _decode(raw, path, number)


def _decode(raw: bytes, path: Path, line: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line += raw.count(b"\n", 0, error.start)
        raise LemmataError(
            f"{path}:{line}: not UTF-8 (byte {raw[error.start]:#04x}): save the file as UTF-8"
        ) from error


def _parse_json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"column {error.colno}"
        raise LemmataError(f"{where}: broken JSON ({error.msg} at {place}): fix or delete it") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of nested lists
        raise LemmataError(f"{where}: JSON that cannot be read ({error}): fix or delete it") from error


def _as_object(value: Any, where: str) -> Cells:
    if not isinstance(value, dict):
        raise LemmataError(f'{where}: {type_name(value)} where an object {{"statement": ...}} must stand')
    return value


def jsonl_rows(path: Path) -> Iterator[Row]:
    """Rows of a file with one JSON object per line; blank lines are passed over."""
    for number, line in _text_lines(path):
        where = f"{path}:{number}"
        if line.strip():
            yield Row(where, path.name, _as_object(_parse_json(line.strip(), where), where))


def _json_rows(path: Path) -> Iterator[Row]:
    text = _decode(whole(path), path, 1)
    value = _parse_json(text, str(path)) if text.strip() else []
    if isinstance(value, dict) and is_nested(value):
        value = [value]
    if isinstance(value, dict):
        lists = {key: item for key, item in value.items() if isinstance(item, list)}
        if len(lists) != 1:
            found = ", ".join(lists) or "none"
            raise LemmataError(f"{path}: an object must hold exactly one list, the rows; lists in it: {found}")
        value = next(iter(lists.values()))
    if not isinstance(value, list):
        raise LemmataError(f"{path}: {type_name(value)} where a list of objects must stand")
    for number, item in enumerate(value, 1):
        where = f"{path}, row {number}"
        yield Row(where, path.name, _as_object(item, where))


def _csv_rows(path: Path) -> Iterator[Row]:
    header: list[str] | None = None
    for number, cells in _csv_cells(path):
        where = f"{path}:{number}"
        if header is None:
            header = _csv_header(cells, where)
            continue
        if any(cells[len(header) :]):
            raise LemmataError(
                f"{where}: {len(cells)} cells in a table of {len(header)} columns: put cells that hold commas in quotes"
            )
        # Missing cells at the end of a row are let through: the published IMO-AnswerBench has such a row.
        yield Row(where, path.name, dict(zip(header, cells, strict=False)))


def _csv_header(cells: list[str], where: str) -> list[str]:
    twice = sorted({name for name in cells if name and cells.count(name) > 1})
    if twice:
        raise LemmataError(f"{where}: column {twice[0]!r} stands twice in the first line: rename one of them")
    return cells


def _csv_cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(MAX_CELL)
    ended = False

    def lines() -> Iterator[str]:
        nonlocal ended
        for _, line in _text_lines(path):
            yield line
        ended = True
        yield "end"

    # Not strict, since published files break strict rules; so a line is added at the end, to see a quote left open.
    reader = csv.reader(lines(), delimiter=_delimiter(path))
    start = 1
    try:
        for cells in reader:
            if ended and start == reader.line_num:
                return
            if ended:
                raise LemmataError(f"{path}:{start}: a quote that opens in this row never closes: fix its quotes")
            if any(cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise LemmataError(f"{path}:{start}: broken CSV ({error}): fix the row's quotes") from error


def _delimiter(path: Path) -> str:
    """A tab in .tsv files; else the most frequent of comma, semicolon and tab in the first line, outside quotes."""
    if suffix_of(path) == ".tsv":
        return "\t"
    first = next((line for _, line in _text_lines(path) if line.strip()), "")
    unquoted = re.sub(r'"(?:[^"]|"")*"', "", first)
    return max(",;\t", key=unquoted.count)


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa  # noqa: PLC0415  slow to import, and the other formats do without it
    import pyarrow.parquet as pq  # noqa: PLC0415

    def rows() -> Iterator[dict[str, Any]]:
        # Without these two a whole row group, which may be the whole file, is held in memory.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            for batch in file.iter_batches(batch_size=256):
                yield from batch.to_pylist()

    errors = (pa.ArrowException, ValueError, OverflowError)
    for number, cells in enumerate(_guarded(rows(), str(path), errors, "write the Parquet file again"), 1):
        yield Row(f"{path}, row {number}", path.name, cells)


def _hub_rows(source: str, split: str | None, revision: str | None) -> Iterator[Row]:
    import datasets  # noqa: PLC0415  takes seconds to import, and files do without it

    name, _, configuration = source.partition(":")
    try:
        splits = datasets.load_dataset(name, configuration or None, revision=revision, streaming=True)
    except Exception as error:  # each of the libraries below raises errors of its own, with no common base
        raise LemmataError(
            f"no file {source!r} (seen from {Path.cwd()}), and the Hugging Face data set {source} cannot be opened "
            f"({_message(error)}): check the name and the network"
        ) from error
    names = [str(key) for key in splits]
    chosen = split or (names[0] if len(names) == 1 else "")
    if chosen not in names:
        problem = f"has no split {split!r}" if split else "has several splits"
        raise LemmataError(f"data set {source} {problem}: choose one with split=<name>: {', '.join(names)}")
    rows = _guarded(splits[chosen], f"data set {source}", Exception, "check the network")
    return (Row(f"{source} ({chosen}), row {number}", source, cells) for number, cells in enumerate(rows, 1))


READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".json": _json_rows,
    ".jsonl": jsonl_rows,
    ".ndjson": jsonl_rows,
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".parquet": _parquet_rows,
}
