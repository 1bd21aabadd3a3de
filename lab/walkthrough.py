"""Going through a proof as an analysis does: what is to be judged, in its order, and what is worked out before.

To work something out before it is judged is what makes a judgment more than a guess: a sum is added up again, two
numbers are compared, a product is multiplied out (``lab.workings``), and before the verdict what was found is put
beside what is claimed.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lab.claims import Solutions
from lab.complaints import quotation, quote_at
from lab.expressions import Number, render
from lab.language import read
from lab.limits import Refused
from lab.moves import Move, Reading, interpret
from lab.sentences import Chain, Sentence, Span
from lab.theorem import Proposition
from lab.workings import Workings, listed, matched

HOLDS = {Move.CLAIM_TRUE, Move.AGREE}
VERDICTS = {*HOLDS, Move.CLAIM_FALSE, Move.DIFFER}


@dataclass(frozen=True, slots=True)
class Passage:
    """Passage of a proof that is judged at once: a line, the quote (empty for words), and its workings, if any."""

    line: int
    quote: str
    working: str = ""


def items(theorem: Proposition, proof: str) -> tuple[Passage, ...]:
    """All that is to be judged in a proof; of a text that can't be read, its lines."""
    try:
        sentences = read(proof)
    except Refused:
        return tuple(
            Passage(number, quotation(line)) for number, line in enumerate(proof.split("\n"), 1) if line.strip()
        )
    return tuple(_Reader(theorem, proof).items(sentences))


class _Reader:
    """Reads one proof."""

    def __init__(self, theorem: Proposition, proof: str) -> None:
        self.theorem = theorem
        self.proof = proof
        self.workings = Workings(theorem.claim)
        self.found = "nothing"
        self.solutions: set[Number] = set()

    def items(self, sentences: Sequence[Sentence]) -> Iterator[Passage]:
        for sentence in sentences:
            line = self.proof.count("\n", 0, sentence.span[0]) + 1
            reading = interpret(sentence)
            chains = tuple(chain for chain in reading.body if chain.relations or chain.lead) if reading else ()
            if reading and reading.move in VERDICTS:
                yield Passage(line, "", self._verdict(reading.move))
            elif reading and chains:
                yield from self._relations(line, sentence, reading, chains)
                self.found = self._shown(chains)
                self.solutions = {value for chain in chains if (value := self.workings.solution(chain)) is not None}
            else:
                yield Passage(line, quotation(self._text(*sentence.span)))

    def _relations(self, line: int, sentence: Sentence, reading: Reading, chains: Sequence[Chain]) -> Iterator[Passage]:
        """One item for each relation; the alternatives of an equation are judged together."""
        if isinstance(self.theorem.claim, Solutions) and reading.move is Move.ALTERNATIVES:
            yield Passage(line, quotation(self._text(*sentence.span)))
            return
        point = {head.terms[0].args[0]: head.terms[1] for head in reading.heads if _names_value(head)}
        for chain in chains:
            terms = chain.terms if not chain.lead else (None, *chain.terms)
            signs = chain.relations if not chain.lead else (chain.lead, *chain.relations)
            for place, sign in enumerate(signs):
                left, right = terms[place], terms[place + 1]
                working = ""
                if left is not None and right is not None and not chain.modulus:
                    working = self.workings.of(left, sign, right, point)
                yield Passage(line, quote_at(self.proof, *_span(chain, place)), working)

    def _shown(self, chains: Sequence[Chain]) -> str:
        """The last relations, or of the values of both sides how they compare."""
        solving = isinstance(self.theorem.claim, Solutions)
        if not solving and len(chains) == 2 and all(chain.relations[-1:] == ("=",) for chain in chains):
            with suppress(Refused):
                if order := self.workings.compared(*(chain.terms[-1] for chain in chains)):
                    return order
        return ", ".join(self._text(*_last(chain)) for chain in chains)

    def _verdict(self, move: Move) -> str:
        """The findings beside the claim, and whether it holds beside what the proof states."""
        claim, said = self.theorem.claim, "hold" if move in HOLDS else "fail"
        verdict = f"it {'holds' if self.theorem.truth else 'fails'}; said to {said}"
        if not isinstance(claim, Solutions):
            return f"found {self.found}; claimed {claim.relation} {render(claim.right)}: {verdict}"
        names = sorted(claim.claimed)
        if not self.solutions:
            return f"found {self.found}; claimed {listed(names)}: {verdict}"
        found = sorted(self.solutions)
        return f"found {listed(found)}; claimed {listed(names)}; {'; '.join(matched(found, names))}: {verdict}"

    def _text(self, start: int, end: int) -> str:
        return " ".join(self.proof[start:end].split())


def _names_value(head: Chain) -> bool:
    """Returns whether it says what a variable is, as in: for x = 2."""
    return head.relations == ("=",) and head.terms[0].op == "var" and not head.modulus


def _span(chain: Chain, place: int) -> Span:
    """The place of a chain's relation; one that goes on from the line before begins with its right side."""
    spans = (chain.spans[0], *chain.spans) if chain.lead else chain.spans
    return spans[place][0], spans[place + 1][1]


def _last(chain: Chain) -> Span:
    return _span(chain, len(chain.relations) - 1 + bool(chain.lead))
