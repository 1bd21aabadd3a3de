"""What a sentence does in a proof, decided by its shape: the words that bear on the logic, and # for each chain.

Words of ``FILLERS`` carry no claim and are dropped, so wording and order may vary; any other word must fit one of the
shapes below, or the sentence is unreadable. None of the fillers negates, weakens or cites.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from lab.sentences import Chain, Sentence

_WORDS = """
a an the this that these it its we us our you hence so thus therefore then now next first second third finally
also indeed since because here again still is are be becomes become gives give giving get have has had find
obtain obtains see note observe yields yield means namely i e from with in on of to by into compute computing
calculate evaluate evaluating expand expanding multiply multiplying out collect collecting gather combine
combining like terms term simplify simplifying simplifies factor factors factoring product products rewrite
write written rearrange substitute substituting put insert inserting use using definition recurrence hypothesis
induction step left right hand side sides subtract subtracting add adding divide dividing everything one move
bring together complete completing square squares value values sum equation result direct calculation claimed
formula work working remains must respectively follows desired whole expression leaves remainder each separately
start starting nonnegative never negative any proof prove check checking clearly where begin shift zero only
solution solutions roots exactly equivalently real variable some
"""
FILLERS = frozenset(_WORDS.split())

Range = tuple[int, int]


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
    NO_SOLUTION = "no solution"


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence as a move: ``heads`` are its assignments (For x = 2), ``body`` its other chains."""

    move: Move
    heads: tuple[Chain, ...] = ()
    body: tuple[Chain, ...] = ()


_LIST = r"#(?: (?:, )?(?:and|but|while|whereas) (?:, )?#| , #)*"
_ALL = r"for (?:all|every|each)(?: real| integers?| whole| numbers?| positive| natural)* (?:#(?: (?:and|,) #)*)?"
_SHAPES: tuple[tuple[Move, re.Pattern[str]], ...] = tuple(
    (move, re.compile(pattern))
    for move, pattern in (
        (Move.COMMENT, r"(?:[,:] ?)*|by induction|(?:claim )?(?:holds )?" + _ALL),
        (Move.CLAIM_TRUE, rf"claim (?:true|holds|proved|proven|correct)(?: ,? ?{_ALL})?"),
        (Move.CLAIM_FALSE, rf"claim (?:false|fails|refuted|wrong|not true)(?: (?:for|at) (?P<body>{_LIST}))?"),
        (Move.AGREE, rf"(?:both )?(?:agree|equal|same)(?: {_ALL})?"),
        (Move.DIFFER, r"(?:both )?(?:not equal|differ|different|not same|disagree|not agree)"),
        (Move.NO_SOLUTION, r"(?:there )?no"),
        (Move.RELATE, rf"(?P<body>{_LIST})"),
        (Move.ALTERNATIVES, r"(?:either )?(?P<body>#(?: (?:, )?or #| , #)+)"),
        (
            Move.EVALUATE,
            r"(?:(?:for|at|if|when|take|let|choose|try|base cases?|case|cases?) ,? ?)+(?P<heads>#(?: (?:and|,) #)*?)"
            rf"(?: [,:])?(?: (?P<body>{_LIST}))?",
        ),
        (
            Move.ASSUME,
            r"(?:assume|suppose)(?: claim)?(?: (?:for|at) (?P<heads>#(?: (?:and|,) #)*))?(?: ,| :)?"
            rf"(?P<body>(?: {_LIST})?)(?: for (?:some )?#)?",
        ),
        (
            Move.CITE,
            r"(?:(?:well|known|theorem|identity|lemma|fermat|euler|binomial|vieta|am|gm|cauchy|schwarz|wilson|"
            rf"book|tables?|little|inequality|literature|s|as|,|:)(?: |$))+(?P<body>(?:{_LIST})?)",
        ),
    )
)
_PREFIX = re.compile(rf"{_ALL} ?[,:]? ?(?=#|claim)")
_SUFFIX = re.compile(rf"(?: ,)? {_ALL}$")


def interpret(sentence: Sentence) -> Reading | None:
    """The move of a sentence; None where its words fit no shape."""
    words = ["#" if isinstance(part, Chain) else part for part in sentence.parts]
    found = _match(" ".join(word for word in words if word not in FILLERS))
    if found is None:
        return None
    move, heads, body = found
    chains = sentence.chains
    return Reading(move, chains[heads[0] : heads[1]], chains[body[0] : body[1]])


@lru_cache(maxsize=4096)
def _match(shape: str) -> tuple[Move, Range, Range] | None:
    """The move of a shape, and which of its chains are heads and body."""
    shape = re.sub(r"^(?:[,:] )+|(?: [,:])+$", "", re.sub(r"[,:](?: [,:])+", ":", shape))
    skipped = 0
    prefix = _PREFIX.match(shape)
    if prefix:
        skipped, shape = prefix[0].count("#"), shape[prefix.end() :]
    suffix = _SUFFIX.search(shape)
    if suffix and suffix.start() > 0:
        shape = shape[: suffix.start()]
    shape = shape.replace("# : #", "# , #") if shape.startswith("#") else shape
    for move, pattern in _SHAPES:
        match = pattern.fullmatch(shape)
        if match:
            return move, _range(match, "heads", skipped), _range(match, "body", skipped)
    return None


def _range(match: re.Match[str], name: str, skipped: int) -> Range:
    """The numbers of the chains that stand in a named group of the shape."""
    if name not in match.re.groupindex or match[name] is None:
        return 0, 0
    first = skipped + match.string[: match.start(name)].count("#")
    return first, first + match[name].count("#")
