"""What a sentence does in a proof, decided by its shape: the words that bear on the logic, and # for each chain.

Words of ``FILLERS`` carry no claim and are dropped, so wording and order may vary; any other word must fit one of the
shapes below, or the sentence is unreadable. None of the fillers negates, weakens or cites.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from lab.sentences import Chain, Sentence

FILLERS = frozenset(
    """a an the this that these it its we us our you hence so thus therefore then now next first second third finally
    also indeed since because here again still is are be becomes become gives give giving get have has had find obtain
    obtains see note observe yields yield means namely i e from with in on of to by into compute computing calculate
    evaluate evaluating expand expanding multiply multiplying out collect collecting gather combine combining like terms
    term simplify simplifying simplifies factor factors factoring product products rewrite write written rearrange
    substitute substituting put insert inserting use using definition recurrence hypothesis induction step left right
    hand side sides subtract subtracting add adding divide dividing everything one move bring together complete
    completing square squares value values sum equation result direct calculation claimed formula work working remains
    must true-valued respectively follows desired whole expression leaves remainder each separately start starting
    square nonnegative never negative any proof prove check checking let's clearly where begin shift zero only solution solutions roots exactly equivalently real variable""".split()
) - {"case", "for", "if"}


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
        (Move.ASSUME, r"(?:assume|suppose)(?: claim)?(?: (?:for|at) (?P<heads>#(?: (?:and|,) #)*))?(?: ,| :)?"
            rf"(?P<body>(?: {_LIST})?)(?: for (?:some )?#)?"),
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
    shape = " ".join(_word(part) for part in sentence.parts if not (isinstance(part, str) and part in FILLERS))
    shape = re.sub(r"^(?:[,:] )+|(?: [,:])+$", "", re.sub(r"[,:](?: [,:])+", ":", shape))
    chains = sentence.chains
    prefix = _PREFIX.match(shape)
    if prefix:
        chains, shape = chains[prefix[0].count("#") :], shape[prefix.end() :]
    suffix = _SUFFIX.search(shape)
    if suffix and suffix.start() > 0:
        chains, shape = chains[: len(chains) - suffix[0].count("#")], shape[: suffix.start()]
    shape = shape.replace("# : #", "# , #") if shape.startswith("#") else shape
    for move, pattern in _SHAPES:
        match = pattern.fullmatch(shape)
        if match:
            return Reading(move, _group(match, "heads", chains), _group(match, "body", chains))
    return None


def _word(part: str | Chain) -> str:
    return part if isinstance(part, str) else "#"


def _group(match: re.Match[str], name: str, chains: tuple[Chain, ...]) -> tuple[Chain, ...]:
    """The chains that stand in a named group of the shape."""
    if name not in match.re.groupindex or match[name] is None:
        return ()
    first = match.string[: match.start(name)].count("#")
    return chains[first : first + match[name].count("#")]
