"""Grades by people: cells of tables read as points, and the labels of several graders combined into one grade."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from core.records import Label

HUMAN = "human"
# Cells that state no grade: the proof is not graded yet.
_MISSING = frozenset(["", "-", "–", "—", "?", "n/a", "na", "nan", "null", "none", "ungraded", "not graded", "tbd"])
_FULL = frozenset(["pass", "passed", "correct", "true", "yes", "y", "right", "accept", "accepted", "✓", "✔"])
_ZERO = frozenset(["fail", "failed", "incorrect", "false", "no", "n", "wrong", "reject", "rejected", "✗", "✘"])
_NUMBER = r"[+-]?(?:[0-9]+(?:[.,][0-9]+)?|[.,][0-9]+)(?:e[+-]?[0-9]+)?"
_FRACTION = re.compile(rf"({_NUMBER})\s*(?:/|of|out of)\s*({_NUMBER})(?:\s*(?:points?|pts?\.?))?", re.IGNORECASE)
_PERCENT = re.compile(rf"({_NUMBER})\s*(?:%|percent)", re.IGNORECASE)
_PLAIN = re.compile(rf"({_NUMBER})(?:\s*(?:points?|pts?\.?))?", re.IGNORECASE)
# Names of columns whose numbers are on the scale from 0 to 1.
UNIT_SCALE = frozenset(["correct", "is_correct", "passed", "pass", "is_passed"])


@dataclass(frozen=True, slots=True)
class Points:
    """``points`` of ``max_points``."""

    points: float
    max_points: float

    @property
    def score(self) -> float:
        """The points as a score from 0 to 1."""
        return self.points / self.max_points


def read_points(cell: Any, max_points: float, *, stated: bool = False) -> Points | None:
    """The points that a cell of a table states; None where it states none (the proof is ungraded).

    Reads ``6``, ``6.5``, ``6,5``, ``6 points``, ``6/7``, ``6 out of 7``, ``70%``, pass and fail, true and false.

    Args:
        cell: a number, a text, true, false or null.
        max_points: points of a complete proof, for cells that do not state their own.
        stated: the row itself states ``max_points``, so that a cell such as ``6/10`` must agree with it.

    Raises:
        ValueError: the cell is no grade, or off its scale. The message is a predicate, to follow the cell.
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    text = str(cell).strip()
    word = text.casefold()
    if word in _MISSING:
        return None
    if word in _FULL or word in _ZERO:
        return Points(max_points if word in _FULL else 0.0, max_points)
    points, maximum = _stated_points(text, max_points)
    if stated and maximum != max_points:
        raise ValueError(f"states another maximum than max_points={max_points:g}: correct one of them")
    return _checked(points, maximum)


def _stated_points(text: str, max_points: float) -> tuple[float, float]:
    if percent := _PERCENT.fullmatch(text):
        return _number(percent[1]) / 100 * max_points, max_points
    if fraction := _FRACTION.fullmatch(text):
        return _number(fraction[1]), _number(fraction[2])
    if plain := _PLAIN.fullmatch(text):
        return _number(plain[1]), max_points
    raise ValueError("is no grade: write points such as 6, 6/7, 70%, pass or fail, or leave it empty")


def _checked(points: float, max_points: float) -> Points:
    if not (math.isfinite(points) and math.isfinite(max_points) and max_points > 0):
        raise ValueError("is no grade of a scale: the maximum must be a number above 0")
    if points < 0:
        raise ValueError("is below 0: correct it")
    if points > max_points * (1 + 1e-12):
        raise ValueError(f"is above max_points={max_points:g}: correct one of them")
    return Points(min(points, max_points), max_points)


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def scale_warning(grades: Iterable[Points], what: str) -> str | None:
    """A warning where the grades look like scores from 0 to 1 that were read as points of more; None otherwise."""
    found = list(grades)
    highest = max((grade.points for grade in found), default=0.0)
    maximum = max((grade.max_points for grade in found), default=1.0)
    if maximum <= 1 or not 0 < highest <= 1:
        return None
    return (
        f"{what}: no score exceeds 1 of {maximum:g} points. If the scale is 0 to 1, import it again with max_points=1 "
        "into a copy of the run without these grades"
    )


@dataclass(frozen=True, slots=True)
class CombinedGrade:
    """Mean of the latest grades of each person. ``scores``: score from 0 to 1 by author.

    ``points`` of ``max_points`` where all that grade in points use one scale, else None.
    """

    score: float
    points: float | None
    max_points: float | None
    scores: Mapping[str, float]

    @property
    def spread(self) -> float:
        """Difference of the highest and the lowest score; 0 for one grader."""
        return max(self.scores.values()) - min(self.scores.values())


def latest_by_author(labels: Iterable[Label]) -> list[Label]:
    """The last label of each author, in the order of their first labels."""
    return list({label.author: label for label in labels}.values())


def combined(labels: Sequence[Label]) -> CombinedGrade | None:
    """Combines the labels of one proof by people; None where nobody gave a score.

    A later label of the same author replaces the earlier one; labels of several authors are averaged.
    """
    latest = [label for label in latest_by_author(labels) if label.score is not None]
    scores = {label.author: label.score for label in latest if label.score is not None}
    if not scores:
        return None
    maxima = {label.max_points for label in latest if label.points is not None and label.max_points}
    maximum = maxima.pop() if len(maxima) == 1 else None
    if maximum is not None and all(label.points is not None for label in latest):
        points: float | None = fmean(label.points for label in latest if label.points is not None)
        score = points / maximum if points is not None else 0.0
    else:
        score = fmean(scores.values())
        points = score * maximum if maximum is not None else None
    return CombinedGrade(score, points, maximum, scores)
