"""Going through a proof as an analysis does: first the claim beside what the proof is about and ends in, then all that
is to be judged, in its order, each with what is worked out before.

To work something out before it is judged is what makes a judgment more than a guess: a sum is added up again, two
numbers are compared, a product is multiplied out (``lab.workings``). Every decision is a word of its own, and follows
from what stands before it in the text: nothing is written that only the checker knows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.claims import ZERO, Claim, Solutions
from lab.complaints import END, quotation, quote_at
from lab.expressions import Expr, Number, holds_variable, num, render, signed_terms, sub
from lab.language import read
from lab.limits import Refused
from lab.moves import Move, Reading, interpret
from lab.pairs import NOTHING, comparison, pair, pairs, same
from lab.sentences import Chain, Sentence, Span
from lab.theorem import Proposition
from lab.workings import Workings

HOLDS = {Move.CLAIM_TRUE, Move.AGREE}
VERDICTS = {*HOLDS, Move.CLAIM_FALSE, Move.DIFFER}
STATED = {Move.CLAIM_TRUE: "it holds", Move.CLAIM_FALSE: "it fails"}
OPEN = "it is open"
CONTRARY = {">=": {"<"}, ">": {"<", "<="}}
STRONGER = {">=": {">=", ">"}, ">": {">"}}


@dataclass(frozen=True, slots=True)
class JudgedPassage:
    """Passage of a proof that is judged at once: a line, the quote (empty for words), and its workings, if any.

    The one of line ``END`` compares the claim with the whole proof; ``open``: it starts from something else.
    ``verdict``: it is what the proof states of the claim.
    """

    line: int
    quote: str
    working: str = ""
    open: bool = False
    verdict: bool = False


def items(theorem: Proposition, proof: str) -> tuple[JudgedPassage, ...]:
    """All that is to be judged in a proof; from the first line on that can't be read, the lines alone."""
    lines = proof.split("\n")
    count = (
        len(lines)
        if _readable(proof)
        else next(n for n in range(len(lines)) if not _readable("\n".join(lines[: n + 1])))
    )
    start = "\n".join(lines[:count])
    rest = (
        JudgedPassage(number, quotation(line)) for number, line in enumerate(lines[count:], count + 1) if line.strip()
    )
    return (*_ProofReader(theorem, start).items(read(start) if count else ()), *rest)


def _readable(text: str) -> bool:
    try:
        read(text)
    except Refused:
        return False
    return True


class _ProofReader:
    """Reads one proof."""

    def __init__(self, theorem: Proposition, proof: str) -> None:
        self.claim = theorem.claim
        self.proof = proof
        self.workings = Workings(theorem.claim)
        self.shown: list[tuple[Reading, Chain]] = []  # relations of the proof up to here, those of numbers left out

    def items(self, sentences: Sequence[Sentence]) -> Iterator[JudgedPassage]:
        """The passages, the comparison with the claim first."""
        readings = [interpret(sentence) for sentence in sentences]
        self.shown = [found for reading in readings if reading for found in _relations_of(reading)]
        stated = [STATED[reading.move] for reading in readings if reading and reading.move in STATED]
        texts, fits = self._fit()
        if texts:
            yield JudgedPassage(END, "", "; ".join([*texts, f"stated: {stated[-1] if stated else NOTHING}"]), not fits)
        self.shown = []
        for sentence, reading in zip(sentences, readings, strict=True):
            line = self.proof.count("\n", 0, sentence.span[0]) + 1
            chains = tuple(chain for chain in reading.body if chain.relations or chain.lead) if reading else ()
            if reading and reading.move in VERDICTS:
                yield JudgedPassage(line, "", self._verdict(reading.move), verdict=True)
            elif reading and chains:
                yield from self._relations(line, sentence, reading, chains)
            else:
                yield JudgedPassage(line, quotation(self._text(*sentence.span)))
            self.shown += _relations_of(reading) if reading else []

    def _relations(
        self, line: int, sentence: Sentence, reading: Reading, chains: Sequence[Chain]
    ) -> Iterator[JudgedPassage]:
        """One item for each relation; the alternatives of an equation are judged together."""
        if isinstance(self.claim, Solutions) and reading.move is Move.ALTERNATIVES:
            sides = [(chain.terms[0], chain.terms[1]) for chain in chains if len(chain.terms) == 2]
            working = self.workings.alternatives(sides) if len(sides) == len(chains) else ""
            yield JudgedPassage(line, quotation(self._text(*sentence.span)), working)
            return
        point = reading.values
        for chain in chains:
            terms = chain.terms if not chain.lead else (None, *chain.terms)
            signs = chain.relations if not chain.lead else (chain.lead, *chain.relations)
            for place, sign in enumerate(signs):
                left, right = terms[place] or self.workings.last, terms[place + 1]
                working = ""
                if left is not None and right is not None and not chain.modulus:
                    working = self.workings.of(left, sign, right, point)
                yield JudgedPassage(line, quote_at(self.proof, *_span(chain, place)), working)

    def _fit(self) -> tuple[list[str], bool]:
        """Pairs of claim and proof, up to the first that differs, and whether the proof starts from the claim."""
        claim = self.claim
        if isinstance(claim, Solutions):
            found = self._solutions()
            return self._matched(found), True
        if claim.modulus or claim.sequence is not None:
            return [], True
        left, right = self._subject()
        sides = claim.left, claim.right
        if claim.relation != "=" and right == ZERO != claim.right and left != claim.left:
            sides = sub(claim.left, claim.right), ZERO
        texts = list(pairs(_terms(sides[0]), _terms(left)))
        fits = same(texts)
        return (texts + list(pairs(_terms(sides[1]), _terms(right))) if fits else texts), fits

    def _subject(self) -> tuple[Expr | None, Expr | None]:
        """Both sides of what a proof is about: the start of its relations, and their end or another chain's start."""
        starts = list(dict.fromkeys(chain.terms[0] for _, chain in self.shown if not chain.lead))
        if not starts:
            return None, None
        assert isinstance(self.claim, Claim)
        if starts[0] == self.claim.right and self.claim.left in starts:
            return self.claim.left, self.claim.right
        if self.claim.relation != "=":
            reading, chain = self.shown[-1]
            if self.claim.right in starts[1:]:
                return starts[0], self.claim.right
            return starts[0], chain.terms[-1] if reading.heads or _sign(chain) != "=" else None
        others = [start for start in starts[1:] if start == self.claim.right] or starts[1:]
        ends = [chain.terms[-1] for _, chain in self.shown]
        return starts[0], others[-1] if others and ends[-1] != self.claim.right else ends[-1]

    def _verdict(self, move: Move) -> str:
        """The outcome of what was shown, beside the verdict that the proof states."""
        stated = "it holds" if move in HOLDS else "it fails"
        text, outcome = self._outcome()
        if not outcome:
            return f"stated: {stated}"
        return f"{text}: {outcome}; stated: {stated}: {'same' if stated == outcome else 'other'}"

    def _outcome(self) -> tuple[str, str]:
        """The pairs and the relation that decide the claim, and how; both empty for families without one.

        All pairs up to the first that differs: a pair that is left out would be decided before it is looked at.
        """
        claim = self.claim
        if isinstance(claim, Solutions):
            found = self._solutions()
            texts = self._matched(found)
            return "; ".join(texts), OPEN if found is None else "it holds" if same(texts) else "it fails"
        if claim.modulus or claim.sequence is not None:
            return "", ""
        if not self.shown:
            return NOTHING, OPEN
        reading, chain = self.shown[-1]
        if reading.heads and _sign(chain) in {"=", ""}:
            return self._at_point()
        if claim.relation != "=":
            return self._inequality(chain, bool(reading.heads))
        ends = [chain.terms[-1] for _, chain in self._paths()]
        other = ends[-2] if len(ends) > 1 and ends[-1] != claim.right else claim.right
        texts = list(pairs(_terms(other), _terms(ends[-1])))
        return "; ".join(texts), "it holds" if same(texts) else OPEN

    def _inequality(self, chain: Chain, at_point: bool) -> tuple[str, str]:
        """The right sides, and if they are the same, the claimed sign beside the one found.

        A relation that does not start where the last one ended, nor from the claim, decides nothing.
        """
        assert isinstance(self.claim, Claim)
        before = self.shown[-2][1].terms[-1] if len(self.shown) > 1 and not chain.lead else chain.terms[0]
        if chain.terms[0] not in (before, self.claim.left):
            return "; ".join(pairs(_terms(before), _terms(chain.terms[0]))), OPEN
        wanted, sign, last = self.claim.relation, _sign(chain), chain.terms[-1]
        of_difference = last == ZERO and self.shown[0][1].terms[0] != self.claim.left
        sides = list(pairs(_terms(ZERO if of_difference else self.claim.right), _terms(last)))
        if not same(sides):
            return "; ".join(sides), OPEN
        text = "; ".join([*sides, f"{wanted} and {sign}{' at a point' if at_point else ''}"])
        if sign in CONTRARY.get(wanted, ()):
            return text, "it fails"
        return text, "it holds" if not at_point and sign in STRONGER.get(wanted, ()) else OPEN

    def _at_point(self) -> tuple[str, str]:
        """The values of both sides at a point; of one side, beside the other where that is a number."""
        assert isinstance(self.claim, Claim)
        ends = [(reading, chain.terms[-1]) for reading, chain in self.shown if reading.heads][-2:]
        points = [", ".join(head.text for head in reading.heads) for reading, _ in ends]
        if len(set(points)) > 1:
            return pair(*points), OPEN
        values = [value for _, value in ends]
        one, other = (
            self.workings.number(value) for value in (values if len(ends) > 1 else [*values, self.claim.right])
        )
        if one is None or other is None:
            return NOTHING, OPEN
        if self.claim.relation == "=":
            return pair(render(num(one)), render(num(other))), OPEN if one == other else "it fails"
        fails = one < other or (one == other and self.claim.relation == ">")
        return comparison(one, other), "it fails" if fails else OPEN

    def _paths(self) -> list[tuple[Reading, Chain]]:
        """The last chain of each path of equations."""
        kept: list[tuple[Reading, Chain]] = []
        for found in self.shown:
            last = kept[-1][1].terms[-1] if kept else None
            if kept and (found[1].lead or found[1].terms[0] == last):
                kept.pop()
            kept.append(found)
        return kept

    def _solutions(self) -> list[Number] | None:
        """The solutions that the last relation names, or none; None where it names no solutions."""
        if not self.shown:
            return None
        reading, _ = self.shown[-1]
        found = [self._named(chain) for other, chain in self.shown if other is reading]
        if reading.move is Move.NO_SOLUTION:
            return []
        return None if None in found else sorted(number for number in found if number is not None)

    def _named(self, chain: Chain) -> Number | None:
        """The number that x = 2 names."""
        named = chain.relations == ("=",) and chain.terms[0].op == "var" and not holds_variable(chain.terms[1])
        return self.workings.number(chain.terms[1]) if named else None

    def _matched(self, found: list[Number] | None) -> list[str]:
        """The claimed solutions beside those found, in their order."""
        assert isinstance(self.claim, Solutions)
        claimed = [render(num(number)) for number in sorted(self.claim.claimed)]
        shown = None if found is None else [render(num(number)) for number in found]
        return list(pairs(claimed or ["none"], [] if shown is None else shown or ["none"]))

    def _text(self, start: int, end: int) -> str:
        return " ".join(self.proof[start:end].split())


def _relations_of(reading: Reading) -> list[tuple[Reading, Chain]]:
    """The relations of a sentence that are more than a sum of numbers by itself."""
    if reading.move is Move.NO_SOLUTION:
        return [(reading, Chain((num(0),)))]
    chains = [chain for chain in reading.body if chain.relations or chain.lead or reading.heads]
    named = any(holds_variable(term) for chain in chains for term in chain.terms) or reading.heads
    return [(reading, chain) for chain in chains] if named or any(chain.lead for chain in chains) else []


def _sign(chain: Chain) -> str:
    """The last relation of a chain."""
    return (chain.relations or (chain.lead,))[-1]


def _terms(side: Expr | None) -> list[str]:
    return [] if side is None else [render(term) for term in signed_terms(side)]


def _span(chain: Chain, place: int) -> Span:
    """The place of a chain's relation; one that goes on from the line before begins with its right side."""
    spans = (chain.spans[0], *chain.spans) if chain.lead else chain.spans
    return spans[place][0], spans[place + 1][1]
