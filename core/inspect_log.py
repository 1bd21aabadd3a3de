"""Logs of inspect_ai as proofs with their scores: a .json log, or a .eval archive of the same values."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import LemmataError
from core.finish import published_reason
from core.found_proofs import AUTOMATIC, FoundGrade, FoundProof, content_text
from core.grades import Points
from core.rubric import answer_part
from core.text_files import MAX_WHOLE, check_content, whole

MAX_SAMPLE = 1 << 28  # bytes of one sample of an archive
WITHOUT_SAMPLES = "a log of inspect_ai without samples: write it with log_samples=True"
_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": None}  # inspect_ai: correct, partial, incorrect, no answer


def is_inspect_log(path: Path) -> bool:
    """True for a log of inspect_ai: an .eval archive, or a .json file that begins as such a log does."""
    if not path.is_file():
        return False
    if path.suffix == ".eval":
        return True
    if path.suffix != ".json":
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    return b'"version"' in head and b'"status"' in head and b'"eval"' in head


def inspect_proofs(path: Path) -> Iterator[tuple[str, FoundProof]]:
    """Yields every sample with its place, for messages.

    Raises:
        LemmataError: the file is no log of inspect_ai, is broken, or is too large.
    """
    check_content(path)
    header, samples = _archive(path) if path.suffix == ".eval" else _plain(path)
    model = str(_mapping(header.get("eval")).get("model") or "")
    number = 0
    for number, sample in enumerate(samples, 1):
        where = f"{path}, sample {number}"
        if not isinstance(sample, Mapping):
            raise LemmataError(f"{where}: no object, as a log of inspect_ai has")
        yield where, _proof(sample, model)
    if not number:
        raise LemmataError(f"{path}: {WITHOUT_SAMPLES}")


def _plain(path: Path) -> tuple[Mapping[str, Any], Iterator[Any]]:
    value = _mapping(_parse(whole(path), str(path)))
    samples = value.get("samples")
    if not isinstance(samples, list):
        raise LemmataError(f"{path}: {WITHOUT_SAMPLES}")
    return value, iter(samples)


def _archive(path: Path) -> tuple[Mapping[str, Any], Iterator[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise LemmataError(f"{path}: no .eval archive of inspect_ai ({error}): fetch the file again") from error
    header = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
    if header is None:
        raise LemmataError(f"{path}: no .eval archive of inspect_ai: it has no header.json")
    samples = sorted(name for name in names if name.startswith("samples/") and name.endswith(".json"))
    return _mapping(_member(path, header, MAX_WHOLE)), (_member(path, name, MAX_SAMPLE) for name in samples)


def _member(path: Path, name: str, most: int) -> Any:
    where = f"{path}, {name}"
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            content = file.read(most + 1)
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise LemmataError(f"{where}: cannot be unpacked ({error}): fetch the file again") from error
    if len(content) > most:
        raise LemmataError(f"{where}: more than {most >> 20} MiB: this is no sample of a proof")
    return _parse(content, where)


def _parse(content: bytes, where: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise LemmataError(f"{where}: broken JSON ({error}): fetch the file again") from error


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _proof(sample: Mapping[str, Any], model: str) -> FoundProof:
    asked, output = sample.get("input"), _mapping(sample.get("output"))
    messages = [each for each in asked if _mapping(each).get("role") == "user"] if isinstance(asked, list) else []
    statement = (
        asked if isinstance(asked, str) else content_text(_mapping(messages[-1]).get("content")) if messages else ""
    )
    choices = output.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message, end = _mapping(choice.get("message")), choice.get("stop_reason")
    text = content_text(message.get("content")) or str(output.get("completion") or "")
    target, epoch = sample.get("target"), sample.get("epoch")
    scores = _mapping(sample.get("scores"))
    return FoundProof(
        statement=statement,
        proof=(answer_part(text) or "").strip(),
        model=str(output.get("model") or model),
        name=str(sample.get("id") or ""),
        answer=target if isinstance(target, str) and target.strip() else None,
        attempt=epoch if isinstance(epoch, int) else None,
        finish_reason=published_reason(end),
        grades=tuple(grade for name, score in scores.items() for grade in _grades(name, _mapping(score))),
    )


def _grades(name: str, score: Mapping[str, Any]) -> Iterator[FoundGrade]:
    value = score.get("value")
    number = _VALUES.get(value) if isinstance(value, str) else value
    if isinstance(number, int | float) and 0 <= number <= 1:  # another scale is not stated in a log
        reason = score.get("explanation")
        yield FoundGrade(
            AUTOMATIC, f"inspect {name}", Points(float(number), 1.0), reason if isinstance(reason, str) else ""
        )
