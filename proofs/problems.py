"""Problem sets and tables of proofs, from files or the Hugging Face hub, read row by row.

A file of millions of rows is never held in memory (JSON, which cannot be read in parts, excepted). Whatever is wrong
with a table is one LemmataError that names the file and the row.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from proofs.columns import (
    Cells,
    Columns,
    ProofColumns,
    Row,
    find,
    listing,
    optional_text,
    other_columns,
    required_text,
    type_name,
    visible_text,
)
from proofs.errors import LemmataError
from proofs.ids import clean_text, digest
from proofs.records import Problem

HEAD = 100  # rows looked through for the columns that the user named, before the first row is handed out
MAX_CELL = 1 << 24  # characters of one CSV cell; the default of 2**17 is less than a long proof
Errors = type[Exception] | tuple[type[Exception], ...]
BOM = b"\xef\xbb\xbf"
CSV_END = "\x00end of table\x00"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[\w.-]+)?")


class ProblemSet(Iterator[Problem]):
    """The problems of one source, each statement once. ``rows`` and ``duplicates`` count what was read so far."""

    def __init__(self, rows: Iterator[Row], columns: Columns, limit: int | None) -> None:
        self.rows = 0
        self.duplicates = 0
        self._problems = islice(self._unique(rows, columns), limit)

    def __next__(self) -> Problem:
        return next(self._problems)

    def _unique(self, rows: Iterator[Row], columns: Columns) -> Iterator[Problem]:
        seen: set[int] = set()  # ids as 8-byte numbers: the statements themselves would not fit
        for row in rows:
            self.rows += 1
            problem = problem_of(row, columns)
            number = int(problem.id, 16)
            if number in seen:
                self.duplicates += 1
            else:
                seen.add(number)
                yield problem


def load_problems(
    source: str,
    *,
    columns: Columns | None = None,
    split: str | None = None,
    limit: int | None = None,
    revision: str | None = None,
) -> ProblemSet:
    """Problems of a file, a folder of files or a Hugging Face data set, each statement once, at most ``limit``.

    ``source`` is a .json, .jsonl, .ndjson, .csv or .parquet file, a folder of such files, or, where nothing of that
    name exists, a data set id ``owner/name`` or ``owner/name:configuration``. ``split`` chooses a split of a data set,
    or in a folder the files called ``<split>`` or ``<split>-...``; ``revision`` is for data sets only.

    Raises LemmataError here for a source that is not there, and on iteration for a row that cannot be read. Iterating
    reads the first rows ahead when columns are named, to find a misspelt name before any work is done.
    """
    columns = columns or Columns()
    _check_limit(limit)
    return ProblemSet(_table(source, columns, split, revision), columns, limit)


def load_proofs(
    source: str,
    columns: ProofColumns | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
    revision: str | None = None,
) -> Iterator[tuple[Problem, str, Mapping[str, Any]]]:
    """Problem, proof and other columns of each row of a table of proofs; sources and errors as of ``load_problems``.

    Rows on the same problem are all handed out. The other columns belong to the proof, so ``Problem.extra`` is empty.
    """
    columns = columns or ProofColumns()
    _check_limit(limit)
    return islice(_proofs(_table(source, columns, split, revision), columns), limit)


def single_problem(statement: str) -> Problem:
    """The problem of a statement given on the command line. Raises LemmataError when it is empty."""
    text = visible_text(statement, "the given statement", "write the problem between the quotes")
    return Problem(id=problem_id(text), statement=text)


def problem_id(statement: str) -> str:
    """The id of a statement: the same for every spelling of its white space."""
    return digest("problem", _fold(statement))


def problem_of(row: Row, columns: Columns, *, with_extra: bool = True) -> Problem:
    """The problem that a row holds. Raises LemmataError for a statement or another text that cannot be read."""
    statement = required_text(row, columns, "statement")
    return Problem(
        id=problem_id(statement),
        statement=statement,
        name=_fold(optional_text(row, columns, "name") or ""),
        source=clean_text(row.source),
        reference=optional_text(row, columns, "reference"),
        answer=optional_text(row, columns, "answer"),
        guidelines=optional_text(row, columns, "guidelines"),
        extra=other_columns(row, columns) if with_extra else {},
    )


def jsonl_rows(path: Path) -> Iterator[Row]:
    """Rows of a file with one JSON object per line; blank lines are passed over."""
    for number, line in _text_lines(path):
        where = f"{path}:{number}"
        if line.strip():
            yield Row(where, path.name, _as_object(_parse_json(line.strip(), where), where))


def _proofs(rows: Iterator[Row], columns: ProofColumns) -> Iterator[tuple[Problem, str, Mapping[str, Any]]]:
    for row in rows:
        proof = required_text(row, columns, "proof")
        yield problem_of(row, columns, with_extra=False), proof, other_columns(row, columns)


def _fold(text: str) -> str:
    return " ".join(text.split())


# Where rows come from


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise LemmataError(f"limit={limit}: it must be at least 1, or null for all rows")


def _table(source: str, columns: Columns, split: str | None, revision: str | None) -> Iterator[Row]:
    return _with_columns(_open(source, split, revision), source, columns)


def _with_columns(rows: Iterator[Row], source: str, columns: Columns) -> Iterator[Row]:
    # Several rows, since one of them may well lack an optional column.
    head = list(islice(rows, HEAD if columns.named() else 1))
    if not head:
        raise LemmataError(f"{source} holds no rows")
    for name in columns.named():
        if not any(find(row.cells, name) for row in head):
            raise LemmataError(
                f"{source} has no column {name!r} in its first {len(head)} rows; columns there: {_columns_of(head)}. "
                "Mend the name under columns, or leave it null to have the column found"
            )
    yield from chain(head, rows)


def _columns_of(rows: list[Row]) -> str:
    cells: dict[str, Any] = {}
    for row in rows:
        cells.update({key: value for key, value in row.cells.items() if key not in cells or value is not None})
    return listing(cells)


def _open(source: str, split: str | None, revision: str | None) -> Iterator[Row]:
    path = _local(source)
    if path is None:
        if HUB_ID.fullmatch(source) and Path(source).suffix.lower() not in READERS:
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
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS and path.name[0] != ".")
    if not files:
        raise LemmataError(f"folder {folder} holds no file of a known kind: {', '.join(READERS)}")
    chosen = [path for path in files if split is None or path.stem == split or path.stem.startswith(f"{split}-")]
    if not chosen:
        names = ", ".join(path.name for path in files)
        raise LemmataError(f"folder {folder} holds no split {split!r}; choose another, its files are: {names}")
    return chosen


def _file_rows(path: Path) -> Iterator[Row]:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise LemmataError(f"{path}: unknown kind of file {path.suffix!r}; known: {', '.join(READERS)}")
    return _guarded(reader(path), str(path), OSError, "see that the file is there and may be read")


def _guarded(rows: Iterable[Any], what: str, errors: Errors, mend: str) -> Iterator[Any]:
    # What the caller does with a row is not guarded: its errors do not pass through this generator.
    try:
        yield from rows
    except errors as error:
        raise LemmataError(f"{what}: cannot be read ({_said(error)}): {mend}") from error


def _said(error: Exception) -> str:
    return _fold(f"{type(error).__name__}: {error}")[:300]


def _text_lines(path: Path) -> Iterator[tuple[int, str]]:
    # Only \n ends a line: str.splitlines would also cut a text at U+2028. Decoded by line, so that an error has one.
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            yield number, _decode(raw.removeprefix(BOM) if number == 1 else raw, path, number)


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
        raise LemmataError(f"{where}: broken JSON ({error.msg} at {place}): mend or delete it") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of nested lists
        raise LemmataError(f"{where}: JSON that cannot be read ({error}): mend or delete it") from error


def _as_object(value: Any, where: str) -> Cells:
    if not isinstance(value, dict):
        raise LemmataError(f'{where}: {type_name(value)} where an object {{"statement": ...}} must stand')
    return value


def _json_rows(path: Path) -> Iterator[Row]:
    text = _decode(path.read_bytes().removeprefix(BOM), path, 1)
    value = _parse_json(text, str(path)) if text.strip() else []
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
    # Not strict, since published files break strict rules; so the end is marked, to see a quote left open.
    reader = csv.reader(chain((line for _, line in _text_lines(path)), [CSV_END]))
    start = 1
    try:
        for cells in reader:
            if cells == [CSV_END]:
                return
            if cells and cells[-1].endswith(CSV_END):
                raise LemmataError(
                    f"{path}:{start}: a quote that opens in this row never closes: mend the row's quotes"
                )
            if any(cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise LemmataError(f"{path}:{start}: broken CSV ({error}): mend the row's quotes") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa  # noqa: PLC0415  slow to import, and the other formats do without it
    import pyarrow.parquet as pq  # noqa: PLC0415

    def rows() -> Iterator[dict[str, Any]]:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # pre-buffering would hold a whole row group
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
            f"({_said(error)}): check the name and the network"
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
    ".parquet": _parquet_rows,
}
