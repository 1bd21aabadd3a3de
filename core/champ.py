"""CHAMP data set: 540 model solutions of 270 competition problems, with the first wrong step annotated by people.

Read from the data file of the package `champ-dataset` (Mao, Kim and Zhou, 2024, MIT license), without importing it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import LemmataError
from core.ids import digest
from core.imported import Group, imported_proof
from core.problems import problem_id
from core.records import Label, Problem, Proof
from core.store import now

AUTHOR = "CHAMP, first wrong step"
_STEP = re.compile(r"first wrong step: characters ([0-9]+) to ([0-9]+)")


def champ_file() -> Path:
    """Path of the data file of the installed package. Raises LemmataError where it is not installed."""
    spec = find_spec("champ_dataset")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise LemmataError("CHAMP needs the package champ-dataset: pip install '.[champ]'")
    return Path(next(iter(folders))) / "dataset_files" / "v0.json"


def is_champ(path: Path) -> bool:
    """True for a file that begins as the data file of champ-dataset does."""
    if path.suffix != ".json" or not path.is_file():
        return False
    with path.open("rb") as file:
        return b"".join(file.read(64).split()).startswith(b'{"problems":{')


def read_champ(path: Path) -> Iterator[Group]:
    """Yields each problem with its annotated solutions and a label on each: 1 without a wrong step, else 0.

    Raises:
        LemmataError: the file is not that of champ-dataset 1.0.
    """
    try:
        problems: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["problems"]
        for name, value in problems.items():
            yield _group(name, value)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LemmataError(
            f"{path} is not the data file of champ-dataset 1.0 ({type(error).__name__}: {error})"
        ) from error


def _group(name: str, value: Mapping[str, Any]) -> Group:
    statement = value["_text"]
    problem = Problem(
        id=problem_id(statement),
        statement=statement,
        name=name,
        source=f"CHAMP {value['category']}",
        reference="\n".join(step["_text"] for step in value["solution"]["steps"]),
        answer=value["_answer"],
    )
    records: dict[str, Proof | Label] = {}
    for annotated in value["fws_annotations"].values():
        proof = imported_proof(problem, annotated["text"], model=annotated["author"])
        label = _label(proof, annotated["start_idx"], annotated["end_idx"])
        records |= {proof.id: proof, label.id: label}
    return problem, list(records.values())


def _label(proof: Proof, start: int | None, end: int | None) -> Label:
    reason = "no wrong step" if start is None else f"first wrong step: characters {start} to {end}"
    return Label(
        id=digest("label", "champ", proof.id),
        problem_id=proof.problem_id,
        proof_id=proof.id,
        grader="human",
        author=AUTHOR,
        score=1.0 if start is None else 0.0,
        reason=reason,
        created=now(),
    )


def wrong_step(label: Label) -> tuple[int, int] | None:
    """First and last character of the first wrong step that a label names; None where it names none."""
    found = _STEP.fullmatch(label.reason)
    return (int(found[1]), int(found[2])) if found else None
