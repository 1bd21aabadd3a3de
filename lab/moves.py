"""Moves: what a sentence does in a proof, decided by a grammar that accounts for every word.

A sentence is its words and a symbol for each chain: @ for a value such as x = 2, % for n >= 1, # for other relations,
$ for an expression alone. Phrases that say nothing of their own (``lab.phrases``: "so", "expand both sides:", "by the
induction hypothesis") become ~, the longest first. What then stands there must fit one of the shapes below as a whole.
No word is skipped: what fits no shape is not understood.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from lab.expressions import Expr, is_numeral
from lab.phrases import (
    AGREES,
    ALL,
    ANY_PHRASE,
    CITATION,
    CLAIM,
    COMMENT,
    DIFFERS,
    DONE,
    EQUIVALENT,
    GOAL,
    IS_FALSE,
    IS_TRUE,
    NO_SOLUTION,
    PHRASES,
)
from lab.sentences import Chain, Sentence


class Move(StrEnum):
    """The kinds of sentences."""

    COMMENT = "comment"
    RELATE = "relate"
    EVALUATE = "evaluate"
    ASSUME = "assume"
    ALTERNATIVES = "alternatives"
    CITE = "cite"
    CLAIM_TRUE = "claim true"
    CLAIM_FALSE = "claim false"
    AGREE = "agree"
    DIFFER = "differ"
    DONE = "done"
    NO_SOLUTION = "no solution"
    SOLVES = "solves"
    GOAL = "goal"
    CONSIDER = "consider"
    CONSECUTIVE = "consecutive"
    NAMED = "named"


class Remark(NamedTuple):
    """A phrase that says something in passing: its words, the expressions in it, and the chains before and behind."""

    words: str
    chains: tuple[Chain, ...]
    preceding: Chain | None
    following: Chain | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence as a move: ``heads`` are its values (For x = 2), ``body`` its other relations, ``scope`` the variables
    of "for all x", ``bound`` that of "for some k", ``passed`` other chains, ``words`` its words and symbols of chains.
    """

    move: Move
    heads: tuple[Chain, ...] = ()
    body: tuple[Chain, ...] = ()
    scope: tuple[Chain, ...] = ()
    bound: tuple[Chain, ...] = ()
    passed: tuple[Chain, ...] = ()
    remarks: tuple[Remark, ...] = ()
    words: str = ""

    @property
    def bounds(self) -> frozenset[str]:
        """The words "integers", "positive" and the like of "for all positive integers n"."""
        return frozenset(_BOUNDS.findall(self.words)) if self.scope else frozenset()

    @property
    def values(self) -> dict[str, Expr]:
        """The values that it gives to variables, as in: for x = 2."""
        return {
            head.terms[0].args[0]: head.terms[1]
            for head in self.heads
            if head.relations == ("=",) and head.terms[0].op == "var" and not head.modulus
        }

    @property
    def everywhere(self) -> bool:
        """Returns whether it is said of all values."""
        return bool(self.scope)

    @property
    def asserts_claim(self) -> bool:
        """Returns whether it says in passing that the claim holds."""
        return self.move is Move.COMMENT and self.everywhere and "claim" in self.words


Phrase = tuple[str, tuple[int, ...], int, int | None]
_NEXT = r"(?: (?:,|:|~|and|but|while|whereas|where|however))+ "
_LIST = rf"[#@](?:{_NEXT}[#@])*(?:(?: [,:])? ~)*"
_HEADS = r"@(?:(?: and| ,| , and) @)*"
_IN = (
    r"(?:(?:in|in the|the|this|a|now|and|but|while|whereas|~|,|:) )*"
    r"(?:(?:for|at|if|when|take|let|choose|try|put|set|with|base cases?|base|case \$|case|cases|"
    r"plugging in|setting|putting|substituting|inserting|taking|choosing|trying|"
    r"(?:a )?counterexample)(?: (?:is|of|where|that))?(?: [,:])? )+"
)
_ASSUME = (
    r"(?:(?:let us|we|now|~|[,:]) )*"
    r"(?:let (?P<first>[$%])(?: be (?:given|arbitrary|fixed))? (?:(?:and|,|such that|with|~) )+)?"
    r"(?:assume|suppose|(?:the )?(?:induction|inductive) hypothesis(?: is)?)"
    r"(?: (?:now|next|for induction|that|~))*"
)
_SHAPES: tuple[tuple[Move, re.Pattern[str]], ...] = tuple(
    (move, re.compile(pattern))
    for move, pattern in (
        (
            Move.EVALUATE,
            rf"(?:~ (?:[,:] )?)*(?:{IS_FALSE}) (?:for|at|when|if) (?P<heads>{_HEADS})(?: [,:~])+ (?P<body>{_LIST})",
        ),
        (
            Move.COMMENT,
            rf"(?:~ (?:[,:] )?)*(?:{CLAIM}|it) (?:holds|is true) (?:for|at) (?P<heads>[$#@])(?: whenever it "
            rf"(?:holds|is true) (?:for|at) [$#@])?(?: (?:too|also|"
            rf"as well|~))?(?: (?:, )?and (?:~ (?:, )?)*it (?:holds|is true)(?: ~)?|(?: ,)?(?: and)? (?:{DONE})|"
            rf" ,? ?(?:which|this) (?:proves|shows|establishes) {CLAIM})?",
        ),
        (
            Move.EVALUATE,
            rf"(?:~ (?:[,:] )?)*(?:{CLAIM}) (?:holds|is true) (?:for|at) (?P<heads>@)(?: [,:~])+ (?P<body>{_LIST})",
        ),
        (
            Move.COMMENT,
            r"(?:~ (?:[,:] )?)*(?:the )?base case (?:holds|is true|is done|is clear)",
        ),
        (
            Move.CONSIDER,
            r"(?:~ (?:, )?)*(?:let us |we )?consider(?: the (?:difference|expression|sum|product|value))?"
            r"(?P<heads> \$)",
        ),
        (
            Move.CONSECUTIVE,
            r"(?:~ (?:, )?)*(?:(?P<heads>[#$]) (?:, which )?is|this is|it is) (?:a|the) product of (?P<count>two|"
            r"three|four) "
            r"consecutive (?:integers|whole numbers|numbers)(?:(?: ,)?(?: ~)*(?P<body> #))?",
        ),
        (Move.GOAL, rf"(?:~ (?:[,:] )?)*(?:{GOAL})(?: that)? (?P<heads>#)"),
        (Move.GOAL, rf"(?:~ (?:[,:] )?)*(?:{EQUIVALENT})(?: ,)?(?P<heads> #)(?:{_NEXT}(?P<body>{_LIST}))?"),
        (
            Move.SOLVES,
            rf"(?:~ (?:[,:] )?)*(?P<heads>[@$]) is (?:(?:not|~) )*a (?:real )?(?:solution|root|zero)"
            rf"(?: of the equation)?(?:(?: [,:~])+ (?P<body>{_LIST}))?",
        ),
        (Move.AGREE, rf"{_IN}(?P<heads>{_HEADS})(?: [,:~])* (?:{AGREES})"),
        (Move.COMMENT, rf"|(?:{COMMENT})|(?:~ (?:, )?)*(?:the )?claim holds ALLOF(?: ~)?|~ ALLOF"),
        (Move.CLAIM_TRUE, rf"(?:{DONE} [:,] )?(?:~ (?:[,:] )?)*(?:{IS_TRUE})(?: ,)?(?: ALLOF)?(?: ,? ?(?:~|{DONE}))?"),
        (
            Move.CLAIM_FALSE,
            rf"(?:~ (?:[,:] )?)*(?:{IS_FALSE})(?: , with exceptions in \$| (?:for|at|when|if) (?P<heads>{_HEADS}))?"
            rf"(?: and (?:~ )*(?:it )?is (?:false|wrong|not true))?(?: ,? ?{DONE})?",
        ),
        (Move.AGREE, rf"(?:~ (?:[,:] )?)*(?:{AGREES})(?: ,)?(?: ALLOF)?(?: ,? ?(?:{DONE}))?"),
        (Move.DIFFER, rf"(?:~ (?:[,:] )?)*(?:{DIFFERS})"),
        (Move.DONE, rf"(?:~ (?:[,:] )?)*(?:{DONE})"),
        (Move.NO_SOLUTION, rf"(?:~ (?:[,:] )?)*(?:{NO_SOLUTION})"),
        (
            Move.ALTERNATIVES,
            r"(?:~ (?:[,:] )?)*(?:either )?(?P<body>[#@](?: (?:, )?(?:or|or else)(?: ~)* [#@]|"
            rf" , [#@])*(?: (?:, )?(?:or|or else)(?: ~)* [#@]))(?: ,? ?(?:{DONE}))?",
        ),
        (
            Move.ALTERNATIVES,
            rf"(?:~ (?:[,:] )?)*=(?: :)? (?P<body>[#@](?: (?:, )?(?:or|and) [#@]| , [#@])+)(?: ,? ?(?:{DONE}))?",
        ),
        (
            Move.EVALUATE,
            rf"{_IN}(?P<heads>{_HEADS}|#)(?: for (?:some|a) (?P<bound>[$%]))?(?: (?:[,:~]|"
            rf"then|gives?|yields?|leads to))*(?: (?P<body>{_LIST.replace('[#@]', '[#@$]')}))?",
        ),
        (
            Move.ASSUME,
            rf"{_ASSUME}(?: {CLAIM}(?: (?:holds|is true|is correct))?)?(?: (?:for|"
            rf"at)(?: some)? (?P<heads>[$#@](?:(?: and| ,) [$#@])*))?"
            rf"(?: (?:[,:~]|that is))*(?: (?P<body>{_LIST}))?(?: (?:holds|is true))?(?: (?:, )?(?:ALLOF|"
            rf"for (?:some|a|this|any|an arbitrary|a fixed|some fixed|a given)"
            r"(?: (?:integer|natural number|number))? (?P<bound>[$%])))?",
        ),
        (
            Move.ASSUME,
            rf"(?:~ (?:[,:] )?)*let (?P<first>[$%])(?: be (?:given|arbitrary|fixed))? "
            rf"(?:with|such that|where|be such that) (?P<body>{_LIST})",
        ),
        (Move.NAMED, rf"(?:~ (?:[,:] )?)+(?P<heads>\$)(?: ,? ?(?:{DONE}))?"),
        (Move.CITE, rf"(?:{CITATION})(?:(?: [,:~])* (?P<body>{_LIST}))?"),
        (Move.EVALUATE, rf"(?P<heads>@) : (?P<body>{_LIST})"),
        (Move.EVALUATE, rf"(?:[~,:] |base case : )*(?P<body>{_LIST}) (?:for|at|when) (?P<heads>@)"),
        (Move.RELATE, rf"(?:(?:[~,:=]|and|but|while|whereas) )*(?P<body>{_LIST})(?: ,? ?ALLOF)?(?: ,? ?(?:{DONE}))?"),
        (
            Move.CLAIM_FALSE,
            r"(?:~ (?:[,:] )?)*@ is not the only (?:real )?(?:solution|root)",
        ),
        (
            Move.RELATE,
            r"(?:~ (?:[,:] )?)*with equality exactly when (?P<heads>@)",
        ),
        (
            Move.RELATE,
            rf"(?:~ (?:[,:] )?)*(?P<body>{_LIST})(?: ,)? with equality (?:exactly |precisely |only )?"
            r"(?:if and only if|iff|when|if|at|for) (?P<heads>@)",
        ),
    )
)
_MARKS = re.compile(r"[,:](?: [,:])+")
_ALL = re.compile(ALL)
_BOUNDS = re.compile(r"\b(?:integers?|whole|positive|natural)\b")
_PREFIX = re.compile(r"^(?:~ (?:, )?)*ALLOF ?[,:]? ?(?=[~#@]|the claim|claim)")
_SOLUTIONS = re.compile(
    r"(?:the )?(?:only )?(?:real )?(?:solutions?|roots?|zeros?)(?: of the equation)? (?:is|"
    r"are)(?: (?:exactly|precisely|therefore|thus|hence|then))*(?= (?:: )?[#@])"
)


def interpret(sentence: Sentence) -> Reading | None:
    """The move of a sentence; None where its words fit no shape. Only at values may an expression stand alone."""
    shape = shape_of(sentence)
    found = _match(shape)
    if found is None:
        return None
    move, places, phrases = found
    chains = sentence.chains
    heads, body, scope, bound, passed = (tuple(chains[place] for place in some) for some in places)
    remarks = tuple(
        Remark(
            words,
            tuple(chains[place] for place in inside),
            chains[before - 1] if before else None,
            None if after is None else chains[after],
        )
        for words, inside, before, after in phrases
    )
    return Reading(move, heads, body, scope, bound, passed, remarks, shape)


def shape_of(sentence: Sentence) -> str:
    """The words of a sentence, and the symbols of its chains."""
    words = (symbol(part) if isinstance(part, Chain) else part for part in sentence.parts)
    return _MARKS.sub(":", " ".join(words)).strip(",: ")


def symbol(chain: Chain) -> str:
    """The sign of a chain in a shape."""
    if chain.lead:
        return "#"
    if not chain.relations:
        return "$"
    if chain.terms[0].op == "var" and len(chain.terms) == 2 and is_numeral(chain.terms[1]):
        return "@" if chain.relations == ("=",) else "%" if chain.relations == (">=",) and not chain.modulus else "#"
    return "#"


def why_not_understood(sentence: Sentence) -> str:
    """The message for a sentence that fits no shape: its words, and the forms that are read."""
    words = [word for word in _compressed(shape_of(sentence))[0].split() if word not in {*"~#@$%=", ",", ":"}]
    if not words:
        return "an expression stands alone here: write what it is equal to, such as (x + 1)^2 = x^2 + 2x + 1"
    forms = 'write relations after "then", "For x = 2:", "Suppose S(k) = ..." or nothing, and "The claim is true."'
    return f'the words "{" ".join(words[:8])}" are not understood here: {forms}'


def _compressed(shape: str) -> tuple[str, list[int], list[Phrase]]:
    """A shape with ~ for each phrase and = for "the solutions are"; the numbers of the chains that its symbols stand
    for; and the phrases, with the numbers of the chains within, how many stand before, and the one behind."""
    found: list[str] = []
    order: list[int] = []
    phrases: list[Phrase] = []
    at = chain = 0
    while at < len(shape):
        solutions = _SOLUTIONS.match(shape, at)
        end = at
        if ANY_PHRASE.match(shape, at):
            end = max(match.end() for phrase in PHRASES if (match := phrase.match(shape, at)))
        if solutions:
            found.append("=")
            end = solutions.end()
        elif end > at:
            found.append("~")
            inside = shape.count("$", at, end)
            behind = chain + inside if shape[end + 1 : end + 2] in {*"#@$%"} else None
            phrases.append((shape[at:end], tuple(range(chain, chain + inside)), chain, behind))
            chain += inside
        else:
            space = shape.find(" ", at)
            end = space if space >= 0 else len(shape)
            word = shape[at:end]
            found.append(word)
            if word in {*"#@$%"}:
                order.append(chain)
                chain += 1
        at = end + 1
    return " ".join(found), order, phrases


@lru_cache(maxsize=4096)
def _match(shape: str) -> tuple[Move, tuple[tuple[int, ...], ...], tuple[Phrase, ...]] | None:
    """The move of a shape; which of its chains are heads, body, variables of "for all", bounds, and passed over; and
    its phrases."""
    text, order, phrases = _compressed(shape)
    within = [place for _, inside, _, _ in phrases for place in inside]
    scope: list[int] = []
    every = _ALL.search(text)
    if every:
        first = sum(map(text[: every.start()].count, "#@$%"))
        scope = order[first : first + sum(map(every[0].count, "#@$%"))]
        text = re.sub(
            r"^(?:~ (?:, )?)*ALLOF ?[,:]? ?(?=[~#@]|the claim|claim)",
            "~ ",
            text[: every.start()] + "ALLOF" + text[every.end() :],
        )
        del order[first : first + len(scope)]
    for move, pattern in _SHAPES:
        match = pattern.fullmatch(text)
        if match:
            places = tuple(tuple(_places(match, name, order)) for name in ("heads", "body"))
            bound = tuple(place for name in ("first", "bound") for place in _places(match, name, order))
            used = {*places[0], *places[1], *bound}
            passed = (*within, *(place for place in order if place not in used))
            return move, (*places, tuple(scope), bound, passed), tuple(phrases)
    return None


def _places(match: re.Match[str], name: str, order: list[int]) -> Iterator[int]:
    """The chains that stand in a named group of the shape."""
    if name in match.re.groupindex and match[name] is not None:
        first = sum(map(match.string[: match.start(name)].count, "#@$%"))
        yield from order[first : first + sum(map(match[name].count, "#@$%"))]
