"""Tables of theorems, labeled proofs and labeled analyses: as JSONL, parquet, or a folder of Hugging Face `datasets`.

Columns of every table:

| column | |
|---|---|
| name | the theorem's id |
| statement | the problem |
| prompt | the whole message to the model, from ``lab/prompts`` |
| reference | the written derivation |
| truth | whether the claim is true |
| family, level, seed, split | coordinates of the theorem |
| left_side | its subject, whatever is claimed of it: clusters of intervals are by it |
| ground_truth | for ``lab.scorers``: what the reward is drawn again from |
| data_source | ``lemmata_lab`` |

Proofs and analyses have also ``proof``, ``label`` (the checker's score), ``planted`` (kind of the planted defect or
null), ``defects`` (the complaints of a right analysis) and ``right_analysis``; analyses have ``analysis``, ``score``
(its own), ``quality``, ``fault`` and ``right_review``. Theorems have ``right_answer``.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import LemmataError
from lab.analyses import parse_analysis
from lab.items import Item, Stream

Row = dict[str, Any]
WHAT = {"theorems": "prove", "proofs": "verify", "analyses": "review"}
ROWS_AT_ONCE = 1000
_TYPES: dict[str, pa.DataType] = {
    "truth": pa.bool_(),
    "level": pa.int64(),
    "seed": pa.int64(),
    "label": pa.float64(),
    "score": pa.float64(),
    "quality": pa.float64(),
}


def rows(stream: Stream, count: int) -> Iterator[Row]:
    """The first ``count`` rows of a stream's table."""
    return (row(stream.item(number)) for number in range(count))


def row(item: Item) -> Row:
    """One item as a row."""
    theorem = item.theorem
    found: Row = {
        "name": theorem.id,
        "statement": theorem.statement,
        "prompt": item.prompt,
        "reference": theorem.derivation,
        "truth": theorem.truth,
        "family": item.family,
        "level": item.level,
        "seed": item.seed,
        "split": item.split,
        "left_side": theorem.left_side,
        "ground_truth": item.ground_truth,
        "data_source": "lemmata_lab",
    }
    if item.role == "prove":
        return found | {"right_answer": item.answer}
    found |= _proof_columns(item)
    return found | _analysis_columns(item) if item.role == "review" else found


def _proof_columns(item: Item) -> Row:
    proof = item.proof
    right = Item("verify", item.family, item.level, item.seed, item.split, item.draw).answer
    return {
        "proof": proof.text,
        "label": proof.label,
        "planted": proof.planted.value if proof.planted else None,
        "defects": "; ".join(defect.kind.value for defect in proof.verdict.defects),
        "right_analysis": right,
    }


def _analysis_columns(item: Item) -> Row:
    analysis = item.analysis
    return {
        "analysis": analysis.text,
        "score": parse_analysis(analysis.text).score,
        "quality": analysis.quality,
        "fault": analysis.planted.value if analysis.planted else None,
        "right_review": item.answer,
    }


def write_table(out: Path, found: Iterable[Row]) -> int:
    """Writes rows as the suffix of ``out`` says; gives their number.

    Raises:
        LemmataError: the suffix is unknown, ``out`` exists, or it can't be written. Nothing is left behind then.
    """
    writers: dict[str, Callable[[Path, Iterable[Row]], int]] = {".jsonl": _jsonl, ".parquet": _parquet, "": _folder}
    if out.suffix not in writers:
        raise LemmataError(f"out={out}: end it in .jsonl or .parquet, or give a folder without a dot in its name")
    if out.exists():
        raise LemmataError(f"{out} exists already: choose another out, or delete it")
    partial = out.with_name(f"{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        count = writers[out.suffix](partial, found)
        partial.rename(out)
    except OSError as error:
        raise LemmataError(
            f"{out} can't be written ({error.strerror or error}): give another out, or make room"
        ) from error
    finally:
        _remove(partial)
    return count


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _jsonl(path: Path, found: Iterable[Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for count, item in enumerate(found, 1):  # noqa: B007
            file.write(json.dumps(item, ensure_ascii=False) + "\n")
    return count


def _parquet(path: Path, found: Iterable[Row]) -> int:
    rest, count = iter(found), 0
    batch = list(islice(rest, ROWS_AT_ONCE))
    with pq.ParquetWriter(path, _schema(batch)) as writer:
        while batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=writer.schema))
            count += len(batch)
            batch = list(islice(rest, ROWS_AT_ONCE))
    return count


def _folder(path: Path, found: Iterable[Row]) -> int:
    from datasets import Dataset  # noqa: PLC0415 (takes seconds to import)

    batch = list(found)
    Dataset(pa.Table.from_pylist(batch, schema=_schema(batch))).save_to_disk(str(path))
    return len(batch)


def _schema(batch: list[Row]) -> pa.Schema:
    return pa.schema([(name, _TYPES.get(name, pa.string())) for name in (batch[0] if batch else ())])
