"""Texts of a run that are the same for different problems: copies of an example, or words that fit any problem."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from core.copies import COPY, own_words
from core.ids import digest
from core.records import Analysis, Comparison, Grading, Proof, Record, Review
from core.sections import answer_part, split_proof

R = TypeVar("R", Proof, Analysis, Review, Grading, Comparison)
MIN_WORDS = 25  # below which two problems may have the same answer by chance


class Duplicates:
    """The texts of a run by their digest. ``records``: those that the run holds already."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._problem: dict[str, str] = {}  # of each text, the problem where it was first written
        self._shared: set[str] = set()  # texts that another problem has too
        for record in records:
            if isinstance(record, Proof | Analysis | Review | Grading | Comparison):
                self._add(record)

    def checked(self, record: R) -> R:
        """``record``, with a fault and without a score where another problem of the run has the same text."""
        key = self._add(record)
        if key not in self._shared:
            return record
        fault = f"{COPY}another problem of this run has the same {record.kind}, word for word"
        if isinstance(record, Proof):
            copied = any(known.startswith(COPY) for known in record.faults)
            return record if copied else replace(record, self_score=None, faults=(*record.faults, fault))
        if isinstance(record, Grading):
            return replace(record, points=None, fault=record.fault or fault)
        return replace(record, score=None, fault=record.fault or fault)

    def _add(self, record: Proof | Analysis | Review | Grading | Comparison) -> str:
        text = split_proof(record.answer).body if isinstance(record, Proof) else answer_part(record.answer)
        words = own_words(text or "")
        if len(words) < MIN_WORDS:
            return ""
        key = digest(record.kind, *words)
        if self._problem.setdefault(key, record.problem_id) != record.problem_id:
            self._shared.add(key)
        return key
