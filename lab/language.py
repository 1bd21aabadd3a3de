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
from typing import NamedTuple

from lab.expressions import Expr
from lab.limits import MAX_DEPTH, MAX_DIGITS, MAX_SENTENCES, MAX_TEXT, Refused
from lab.sentences import RELATIONS, Chain, Part, Sentence

VARIABLES = frozenset("xyznkmjt")
SEQUENCES = frozenset("Su")
_TOKEN = re.compile(
    r"(?P<sign><=|>=|!=|[-+*/^()=<>,:])|(?P<num>[0-9]+)|(?P<letters>[A-Za-z]+)|(?P<stop>[.;\n])|[ \t\r]+|(?P<other>[\s\S])"
)


class Token(NamedTuple):
    """A word, number or sign; ``kind`` is num, var, name, word, the sign itself, or end."""

    kind: str
    text: str
    start: int


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


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind, token, start = match.lastgroup, match[0], match.start()
        if kind == "sign":
            tokens.append(Token(token, token, start))
        elif kind == "num":
            if len(token) > MAX_DIGITS:
                raise Refused(f"a number has more than {MAX_DIGITS} digits", start)
            tokens.append(Token("num", token, start))
        elif kind == "letters":
            tokens.extend(_letters(token, start))
        elif kind == "stop":
            tokens.append(Token(".", token, start))
        elif kind == "other":
            raise Refused(f"the character {ascii(token)} is not in the language", start)
    tokens.append(Token("end", "", len(text)))
    return tokens


def _letters(letters: str, start: int) -> list[Token]:
    if letters in SEQUENCES:
        return [Token("name", letters, start)]
    if letters in VARIABLES:
        return [Token("var", letters, start)]
    if set(letters) <= set("xyz"):
        return [Token("var", letter, start + offset) for offset, letter in enumerate(letters)]
    return [Token("word", letters.lower(), start)]


class _Parser:
    """Recursive descent over the tokens; ``at`` is the next one."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def sentence(self) -> Sentence | None:
        """The next sentence that holds anything; None at the end of the text."""
        tokens = self.tokens
        while tokens[self.at].kind == ".":
            self.at += 1
        if tokens[self.at].kind == "end":
            return None
        start, parts = tokens[self.at].start, []
        while tokens[self.at].kind not in {".", "end"}:
            parts.append(self.part())
        last = tokens[self.at - 1]
        return Sentence(tuple(parts), (start, last.start + len(last.text)))

    def part(self) -> Part:
        token = self.tokens[self.at]
        if token.kind in {"word", ",", ":"}:
            self.at += 1
            return token.text
        return self.chain()

    def chain(self) -> Chain:
        lead = self.take_relation()
        terms, spans, relations = [], [], []
        while True:
            start = self.tokens[self.at].start
            terms.append(self.sum())
            last = self.tokens[self.at - 1]
            spans.append((start, last.start + len(last.text)))
            relation = self.take_relation()
            if not relation:
                return Chain(tuple(terms), tuple(relations), lead, self.modulus(), tuple(spans))
            relations.append(relation)

    def take_relation(self) -> str:
        """The relation that comes next, if any."""
        kind = self.tokens[self.at].kind
        if kind not in RELATIONS:
            return ""
        self.at += 1
        return kind

    def modulus(self) -> int:
        """The m of a closing ``mod m``; 0 without one."""
        ahead = self.tokens[self.at : self.at + 4]
        bracket = ahead[0].kind == "("
        if ahead[bracket].text != "mod":
            return 0
        number = ahead[1 + bracket] if len(ahead) > 1 + bracket else ahead[-1]
        if number.kind != "num" or not int(number.text) or (bracket and (len(ahead) < 4 or ahead[3].kind != ")")):
            raise Refused("mod needs a positive number", ahead[bracket].start)
        self.at += 4 if bracket else 2
        return int(number.text)

    def sum(self) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Refused(f"more than {MAX_DEPTH} parentheses inside each other", self.tokens[self.at].start)
        terms = [self.signed()]
        while (kind := self.tokens[self.at].kind) in {"+", "-"}:
            self.at += 1
            product = self.product()
            terms.append(Expr("neg", (product,)) if kind == "-" else product)
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Expr("add", tuple(terms))

    def signed(self) -> Expr:
        if self.tokens[self.at].kind == "-":
            self.at += 1
            return Expr("neg", (self.product(),))
        return self.product()

    def product(self) -> Expr:
        factors, divided = [self.factor()], False
        while True:
            token = self.tokens[self.at]
            if token.kind == "*":
                self.at += 1
                factors.append(self.factor())
                divided = False
            elif token.kind == "/":
                self.at += 1
                factors = [Expr("div", (_product(factors), self.divisor()))]
                divided = True
            elif token.kind in {"var", "name", "num"} or (token.kind == "(" and not self.closes_with_modulus()):
                if divided or token.kind == "num":
                    raise Refused("a product here needs a star", token.start)
                factors.append(self.factor())
            else:
                return _product(factors)

    def closes_with_modulus(self) -> bool:
        """Whether the parenthesis that comes next is the ``(mod m)`` of a chain."""
        return self.tokens[self.at + 1].text == "mod"

    def divisor(self) -> Expr:
        token = self.tokens[self.at]
        if token.kind != "num" or not int(token.text):
            raise Refused("only a positive number may be a divisor", token.start)
        self.at += 1
        return Expr("num", (int(token.text),))

    def factor(self) -> Expr:
        base = self.atom()
        if self.tokens[self.at].kind != "^":
            return base
        self.at += 1
        token = self.tokens[self.at]
        if token.kind not in {"num", "var", "("}:
            raise Refused("no exponent", token.start)
        return Expr("pow", (base, self.atom()))

    def atom(self) -> Expr:
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "num":
            return Expr("num", (int(token.text),))
        if token.kind == "var":
            return Expr("var", (token.text,))
        if token.kind == "name":
            return Expr("call", (token.text, self.bracket()))
        if token.kind == "(":
            self.at -= 1
            return self.bracket()
        raise Refused(f"an expression cannot have {token.text!r} here" if token.text else "cut off", token.start)

    def bracket(self) -> Expr:
        if self.tokens[self.at].kind != "(":
            raise Refused("an opening parenthesis is missing", self.tokens[self.at].start)
        self.at += 1
        inner = self.sum()
        if self.tokens[self.at].kind != ")":
            raise Refused("a closing parenthesis is missing", self.tokens[self.at].start)
        self.at += 1
        return inner


def _product(factors: list[Expr]) -> Expr:
    return factors[0] if len(factors) == 1 else Expr("mul", tuple(factors))
