"""Items: a prompt of one of the three roles, drawn again from a compact string, with its reference answer and score.

The string is the ground truth of other libraries' data sets: ``prove/identities/3/17/train``, and with the number of
the draw of the labeled proof (and analysis), ``verify/identities/3/17/train/5``, ``review/identities/3/17/train/5``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.sections import split_proof
from lab.analyses import analysis_quality, write_analysis
from lab.answers import write_answer
from lab.checker import check
from lab.faulty import LabeledAnalysis, labeled_analysis
from lab.generator import HELD_OUT_LEVEL, LEVELS, SPLITS, families, generate
from lab.planter import LabeledProof, labeled_proof
from lab.prompts import templates
from lab.reviews import write_review
from lab.theorem import Theorem
from meta_verifier.reward import meta_verifier_reward
from verifier.reward import verifier_reward

ROLES = ("prove", "verify", "review")
MAX_DRAWS = 20  # for every distinct item wanted


@dataclass(frozen=True, slots=True)
class Item:
    """Coordinates of an item; ``draw`` numbers the labeled proof and analysis of the theorem."""

    role: str
    family: str
    level: int
    seed: int
    split: str
    draw: int = 0

    @property
    def ground_truth(self) -> str:
        """The compact string."""
        start = f"{self.role}/{self.family}/{self.level}/{self.seed}/{self.split}"
        return start if self.role == "prove" else f"{start}/{self.draw}"

    @property
    def theorem(self) -> Theorem:
        """The theorem."""
        return _theorem(self.family, self.level, self.seed, self.split)

    @property
    def proof(self) -> LabeledProof:
        """The proof to be verified."""
        return _proof(self.family, self.level, self.seed, self.split, self.draw)

    @property
    def analysis(self) -> LabeledAnalysis:
        """The analysis to be reviewed."""
        return labeled_analysis(self.theorem, self.proof.text, self.draw)

    @property
    def prompt(self) -> str:
        """The user's message."""
        statement = self.theorem.statement
        if self.role == "prove":
            return templates().proof(statement)
        if self.role == "verify":
            return templates().verification(statement, self.proof.text)
        return templates().meta_verification(statement, self.proof.text, self.analysis.text)

    @property
    def answer(self) -> str:
        """A right answer."""
        theorem = self.theorem
        if self.role == "prove":
            return write_answer(theorem, theorem.derivation, seed=self.seed)
        if self.role == "verify":
            return write_analysis(theorem, self.proof.text, self.proof.verdict, self.draw)
        return write_review(theorem, self.proof.text, self.analysis.text, self.draw)

    def score(self, answer: str) -> float:
        """The reward of an answer, exact, in [0, 1].

        prove: the checker's score of the proof. verify: (1 - |s' - label|) * quality. review: 1 - |s' - quality|.
        An answer without its role's format gets 0.
        """
        if self.role == "prove":
            body = split_proof(answer).body
            return 0.0 if body is None else check(self.theorem, body).score
        return self._score_analysis(answer) if self.role == "verify" else self._score_review(answer)

    def _score_analysis(self, answer: str) -> float:
        proof = self.proof
        quality = analysis_quality(self.theorem, proof.text, answer)
        return verifier_reward(answer, proof.label, quoted=proof.text, r_meta=quality).total or 0.0

    def _score_review(self, answer: str) -> float:
        analysis = self.analysis
        quoted = f"{self.proof.text}\n{analysis.text}"
        return meta_verifier_reward(answer, analysis.quality, quoted=quoted).total or 0.0


def read_item(ground_truth: str) -> Item:
    """The item of a compact string. Raises ValueError for any other string."""
    role, *rest = ground_truth.split("/")
    if role not in ROLES or len(rest) != (4 if role == "prove" else 5):
        raise ValueError(f"{ground_truth[:80]!r} is not the ground truth of an item of the lab")
    family, level, seed, split = rest[:4]
    return Item(role, family, int(level), int(seed), split, int(rest[4]) if role != "prove" else 0)


@dataclass(frozen=True, slots=True)
class Stream:
    """Items number 0, 1, 2, ... of a role, families and levels in turn; another ``seed`` gives other theorems."""

    role: str
    families: Sequence[str]
    levels: Sequence[int]
    split: str = "train"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for what does not exist."""
        known = families()
        if unknown := [name for name in self.families if name not in known]:
            raise ValueError(f"no family {unknown[0]!r}; there are {', '.join(known)}")
        if self.role not in ROLES or self.split not in SPLITS:
            raise ValueError(f"no role {self.role!r} or split {self.split!r}; there are {ROLES} and {SPLITS}")
        if unknown := [level for level in self.levels if level not in LEVELS]:
            raise ValueError(f"no level {unknown[0]}; there are {LEVELS}")
        if self.split == "train" and HELD_OUT_LEVEL in self.levels:
            raise ValueError(f"level {HELD_OUT_LEVEL} is kept for generalization: it has no training split")
        if not self.families or not self.levels:
            raise ValueError("at least one family and one level are needed")

    def item(self, number: int) -> Item:
        """Item ``number``."""
        turn, place = divmod(number, len(self.families) * len(self.levels))
        level, family = divmod(place, len(self.families))
        seed, draw = self.seed * 1_000_000 + turn, 0 if self.role == "prove" else turn
        return Item(self.role, self.families[family], self.levels[level], seed, self.split, draw)

    def distinct(self, count: int) -> Iterator[Item]:
        """The first ``count`` items with a statement of their own; fewer where the lowest levels have no more."""
        seen: set[str] = set()
        for number in range(MAX_DRAWS * count):
            item = self.item(number)
            if item.theorem.statement not in seen:
                seen.add(item.theorem.statement)
                yield item
            if len(seen) == count:
                return


@lru_cache(maxsize=4096)
def _theorem(family: str, level: int, seed: int, split: str) -> Theorem:
    return generate(family, level, seed, split)


@lru_cache(maxsize=4096)
def _proof(family: str, level: int, seed: int, split: str, draw: int) -> LabeledProof:
    return labeled_proof(_theorem(family, level, seed, split), draw)
