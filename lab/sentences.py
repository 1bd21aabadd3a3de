"""Sentences of a derivation: words and chains of relations, the same whether written by us or read from a text."""

from dataclasses import dataclass, field

from lab.expressions import Expr, render

RELATIONS = ("=", "!=", "<=", ">=", "<", ">")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Chain:
    """Expressions joined by relations, ``a = b >= c``; ``lead`` where it goes on from the chain before (``= b``).

    ``modulus`` m makes every = and != of the chain a statement modulo m. ``spans`` are the places of the expressions in
    the text that was read.
    """

    terms: tuple[Expr, ...]
    relations: tuple[str, ...] = ()
    lead: str = ""
    modulus: int = 0
    spans: tuple[Span, ...] = field(default=(), compare=False)

    def __hash__(self) -> int:
        """Of what is short alone: parts of sentences are looked for among words all the time."""
        return hash((self.relations, self.lead, self.modulus))

    @property
    def text(self) -> str:
        """The chain as it is written."""
        pieces = [self.lead + " "] if self.lead else []
        pieces.append(render(self.terms[0]))
        for relation, term in zip(self.relations, self.terms[1:], strict=True):
            pieces.append(f" {relation} {render(term)}")
        if self.modulus:
            pieces.append(f" mod {self.modulus}")
        return "".join(pieces)


Part = str | Chain


@dataclass(frozen=True, slots=True)
class Sentence:
    """A step of a derivation: words, punctuation and chains in their order, without the final stop."""

    parts: tuple[Part, ...]
    span: Span = field(default=(0, 0), compare=False)

    @property
    def text(self) -> str:
        """The sentence with a capital and its stop."""
        joined = ""
        for part in self.parts:
            piece = part if isinstance(part, str) else part.text
            joined += piece if not joined or piece in {",", ":"} else " " + piece
        return joined[0].upper() + joined[1:] + "." if self._starts_with_word else joined + "."

    @property
    def chains(self) -> tuple[Chain, ...]:
        """The chains, in order."""
        return tuple(part for part in self.parts if isinstance(part, Chain))

    @property
    def words(self) -> set[str]:
        """The words and marks that occur."""
        return {part for part in self.parts if isinstance(part, str)}

    @property
    def _starts_with_word(self) -> bool:
        return isinstance(self.parts[0], str)


@dataclass(frozen=True, slots=True)
class Derivation:
    """A proof as its steps, in order."""

    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """One sentence a line."""
        return "\n".join(sentence.text for sentence in self.sentences)


def equation(*terms: Expr, modulus: int = 0, lead: str = "") -> Chain:
    """The chain ``a = b = c``."""
    return Chain(terms, ("=",) * (len(terms) - 1), lead, modulus)


def say(*parts: Part) -> Sentence:
    """A sentence of words and chains; a string may hold several words and punctuation."""
    return Sentence(tuple(piece for part in parts for piece in _pieces(part)))


def _pieces(part: Part) -> list[Part]:
    if isinstance(part, Chain):
        return [part]
    return list(part.replace(",", " , ").replace(":", " : ").split())
