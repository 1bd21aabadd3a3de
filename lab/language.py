"""Reading a proof: a tokenizer and a recursive descent parser for words and chains of relations. ASCII only.

    sentence   = { word | "," | ":" | chain } , ( "." | ";" | newline )
    chain      = [ relation ] , sum , { relation , sum } , [ "mod" , number | "(" , "mod" , number , ")" ]
    sum        = [ "-" ] , product , { ( "+" | "-" ) , product }
    product    = factor , { [ "*" ] , factor | "/" , number }
    factor     = atom , [ "^" , ( number | variable | "(" , sum , ")" ) ]
    atom       = number | variable | ( "S" | "u" ) , "(" , sum , ")" | "(" , sum , ")"

A single letter is a variable (``a`` is the article), as is each letter of a run of x, y and z; other runs are words.
Side by side is a product, but not after a division: 1/2x has two readings, so it has none here.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NoReturn

from lab.expressions import Expr, num
from lab.limits import MAX_DEPTH, MAX_DIGITS, MAX_SENTENCES, MAX_TEXT, Refused
from lab.sentences import RELATIONS, Chain, Part, Sentence

VARIABLES = frozenset("xyznkmjt")
SEQUENCES = frozenset("Su")
JOINED = frozenset("xyz")
_TOKEN = re.compile(r"[ \t\r]*(<=|>=|!=|[0-9]+(?:\.[0-9]+)?|[A-Za-z]+|[^ \t\r])")
_KINDS = (
    {sign: sign for sign in (*RELATIONS, *"+-*/^():,.")}
    | {";": ".", "\n": "."}
    | dict.fromkeys(VARIABLES, "var")
    | dict.fromkeys(SEQUENCES, "name")
)


@dataclass(slots=True)
class Tokens:
    """The words, numbers and signs of a text: kinds (num, var, name, word, the sign itself, end), texts, places."""

    kinds: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def put(self, kind: str, text: str, start: int) -> None:
        """Adds one token."""
        self.kinds.append(kind)
        self.texts.append(text)
        self.starts.append(start)

    def end(self, index: int) -> int:
        """Where a token ends."""
        return self.starts[index] + len(self.texts[index])


def read(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text. Raises Refused where it is too long, too deep, or not in the language."""
    if len(text) > MAX_TEXT:
        raise Refused(f"the text has more than {MAX_TEXT} characters")
    tokens = _tokens(text)
    parser = _Parser(tokens)
    sentences = []
    while (sentence := parser.sentence()) is not None:
        sentences.append(sentence)
        if len(sentences) > MAX_SENTENCES:
            raise Refused(f"the text has more than {MAX_SENTENCES} sentences", sentence.span[0])
    return tuple(sentences)


def read_expression(text: str) -> Expr:
    """One expression. Raises Refused for anything else."""
    sentences = read(text)
    parts = sentences[0].parts if len(sentences) == 1 else ()
    if len(parts) != 1 or not isinstance(parts[0], Chain) or len(parts[0].terms) != 1:
        raise Refused("not one expression")
    return parts[0].terms[0]


def _tokens(text: str) -> Tokens:
    tokens = Tokens()
    kinds, texts, starts = tokens.kinds, tokens.texts, tokens.starts
    for match in _TOKEN.finditer(text):
        token = match[1]
        kind = _KINDS.get(token)
        if kind is None and token.isdigit() and token.isascii() and len(token) <= MAX_DIGITS:
            kind = "num"
        if kind is None:
            _put_long(tokens, token, match.start(1))
        else:
            kinds.append(kind)
            texts.append(token)
            starts.append(match.start(1))
    tokens.put("end", "", len(text))
    return tokens


def _put_long(tokens: Tokens, token: str, start: int) -> None:
    """A number, a word or a product of variables; anything else is refused."""
    if not token.isascii() or not token.replace(".", "").isalnum():
        raise Refused(f"the character {token!a} is not in the language", start)
    if token[0].isdigit():
        if len(token) > MAX_DIGITS:
            raise Refused(f"a number has more than {MAX_DIGITS} digits", start)
        tokens.put("num", token, start)
    elif set(token) <= JOINED:
        for offset, letter in enumerate(token):
            tokens.put("var", letter, start + offset)
    else:
        tokens.put("word", token.lower(), start)


class _Parser:
    """Recursive descent over the tokens; ``at`` is the next one."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.at = 0
        self.depth = 0

    def sentence(self) -> Sentence | None:
        """The next sentence that holds anything; None at the end of the text."""
        while self.kinds[self.at] == ".":
            self.at += 1
        if self.kinds[self.at] == "end":
            return None
        start, parts = self.tokens.starts[self.at], []
        while self.kinds[self.at] not in {".", "end"}:
            parts.append(self.part())
        return Sentence(tuple(parts), (start, self.tokens.end(self.at - 1)))

    def part(self) -> Part:
        if self.kinds[self.at] in {"word", ",", ":"}:
            self.at += 1
            return self.tokens.texts[self.at - 1]
        return self.chain()

    def chain(self) -> Chain:
        lead = self.take_relation()
        terms, spans, relations = [], [], []
        while True:
            start = self.tokens.starts[self.at]
            terms.append(self.sum())
            spans.append((start, self.tokens.end(self.at - 1)))
            relation = self.take_relation()
            if not relation:
                return Chain(tuple(terms), tuple(relations), lead, self.modulus(), tuple(spans))
            relations.append(relation)

    def take_relation(self) -> str:
        """The relation that comes next, if any."""
        kind = self.kinds[self.at]
        if kind not in RELATIONS:
            return ""
        self.at += 1
        return kind

    def modulus(self) -> int:
        """The m of a closing ``mod m``; 0 without one."""
        texts, bracket = self.tokens.texts, self.kinds[self.at] == "("
        at = self.at + bracket
        if texts[at] != "mod":
            return 0
        closed = not bracket or self.kinds[at + 2 : at + 3] == [")"]
        if not texts[at + 1].isdigit() or not int(texts[at + 1]) or not closed:
            raise Refused("mod needs a positive number", self.tokens.starts[at])
        self.at = at + 2 + bracket
        return int(texts[at + 1])

    def refuse(self, reason: str) -> NoReturn:
        """Refuses the text at the next token."""
        raise Refused(reason, self.tokens.starts[self.at])

    def sum(self) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(f"more than {MAX_DEPTH} parentheses inside each other")
        terms = [self.signed()]
        while (kind := self.kinds[self.at]) in {"+", "-"}:
            self.at += 1
            product = self.product()
            terms.append(Expr("neg", (product,)) if kind == "-" else product)
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Expr("add", tuple(terms))

    def signed(self) -> Expr:
        if self.kinds[self.at] == "-":
            self.at += 1
            return Expr("neg", (self.product(),))
        return self.product()

    def product(self) -> Expr:
        factors, divided = [self.factor()], False
        while True:
            kind = self.kinds[self.at]
            if kind == "*":
                self.at += 1
                factors.append(self.factor())
                divided = False
            elif kind == "/":
                self.at += 1
                factors = [Expr("div", (_product(factors), self.divisor()))]
                divided = True
            elif kind in {"var", "name", "num"} or (kind == "(" and not self.closes_with_modulus()):
                if divided or kind == "num":
                    self.refuse("a product here needs a star")
                factors.append(self.factor())
            else:
                return _product(factors)

    def closes_with_modulus(self) -> bool:
        """Whether the parenthesis that comes next is the ``(mod m)`` of a chain."""
        return self.tokens.texts[self.at + 1] == "mod"

    def divisor(self) -> Expr:
        text = self.tokens.texts[self.at]
        if not text.isdigit() or not int(text):
            self.refuse("only a positive number may be a divisor")
        self.at += 1
        return Expr("num", (int(self.tokens.texts[self.at - 1]),))

    def factor(self) -> Expr:
        base = self.atom()
        if self.kinds[self.at] != "^":
            return base
        self.at += 1
        if self.kinds[self.at] not in {"num", "var", "("}:
            self.refuse("no exponent")
        return Expr("pow", (base, self.atom()))

    def atom(self) -> Expr:
        kind, text = self.kinds[self.at], self.tokens.texts[self.at]
        if kind == "(":
            return self.bracket()
        if kind not in {"num", "var", "name"}:
            self.refuse(f"an expression cannot have {text!r} here" if text else "cut off")
        self.at += 1
        if kind == "name":
            return Expr("call", (text, self.bracket()))
        if kind == "num":
            return Expr("num", (int(text),)) if text.isdigit() else num(Fraction(text))
        return Expr(kind, (text,))

    def bracket(self) -> Expr:
        if self.kinds[self.at] != "(":
            self.refuse("an opening parenthesis is missing")
        self.at += 1
        inner = self.sum()
        if self.kinds[self.at] != ")":
            self.refuse("a closing parenthesis is missing")
        self.at += 1
        return inner


def _product(factors: list[Expr]) -> Expr:
    return factors[0] if len(factors) == 1 else Expr("mul", tuple(factors))
