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
_TOKEN = re.compile(
    r"[ \t\r]*(<=|>=|!=|[0-9]+(?:\.[0-9]+)?|(?:[Ll]eft|[Rr]ight)-hand|AM-GM|i\.e\.|Q\.E\.D\.?|[Nn]on-negative|"
    r"[Ww]ell-known|[A-Za-z]+|"
    r"\\[A-Za-z]+|\\[^A-Za-z]|[^ \t\r])"
)
_KINDS = (
    {sign: sign for sign in (*RELATIONS, *"+-*/^():,.")}
    | {";": ";", "\n": "."}
    | dict.fromkeys(VARIABLES, "var")
    | dict.fromkeys(SEQUENCES, "name")
)


# LaTeX: commands that are signs or words of the language, and marks that are none.
_COMMANDS = {
    "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "ne": "!=", "neq": "!=",
    "lt": "<", "gt": ">", "equiv": "=", "cdot": "*", "times": "*", "pmod": "mod", "bmod": "mod", "mod": "mod",
    "iff": "iff", "Leftrightarrow": "iff", "Longleftrightarrow": "iff", "implies": "so", "Rightarrow": "so",
    "Longrightarrow": "so", "therefore": "so", "qed": "qed", "square": "qed", "blacksquare": "qed", "Box": "qed",
    "in": "in", "to": "so", "Z": "integers", "R": "reals", "N": "naturals",
    "frac": "frac", "tfrac": "frac", "dfrac": "frac",
}  # fmt: skip
_MARKS = {
    "$",
    "&",
    *("\\" + mark for mark in ("\\", "(", ")", "[", ",", ";", "!", " ", "left", "right", "quad", "qquad")),
}
# Signs outside ASCII (and abbreviations) that are read; letters and a minus that look like others are not.
_SYMBOLS: dict[str, tuple[str, ...]] = {
    "\u00b2": ("^", "2"), "\u00b3": ("^", "3"), "\u2261": ("=",), "\u2265": (">=",), "\u2264": ("<=",),
    "\u2260": ("!=",),
    "\u00b7": ("*",), "\u00d7": ("*",), "\u25a1": ("qed",), "\u220e": ("qed",), "\u25a0": ("qed",), "\u21d4": ("iff",),
    "\u21d2": ("so",), "i.e.": ("namely",), "Q.E.D.": ("qed",), "Q.E.D": ("qed",),
}  # fmt: skip
_BULLET = re.compile(r"(?m)^[ \t]*(?:[-*\u2022]|[0-9]{1,2}\.|\([0-9a-z]\)|[0-9]\))[ \t]+(?=[A-Za-z]{2,}[ :,]|S\()")
_EMPHASIS = re.compile(  # headings and bold words
    r"(?m)^#{1,6} (?=[A-Za-z])|(?<![*\w)])(\*\*?|__?)(?=[A-Z][A-Za-z ,:.()0-9-]*\1)|"
    r"(?<=[A-Za-z.:])(?:\*\*?|__?)(?=[\s.:,]|$)"
)
_STYLED = re.compile(r"\\(?:textbf|textit|emph|text|textrm|mathrm|underline)\{([^{}$\\]*)\}")
_DISPLAYED = re.compile(
    r"\\begin\{(align|aligned|gather|split|cases)(\*?)\}.*?\\end\{\1\2\}|\\\[.*?\\\]|\$\$.*?\$\$", re.DOTALL
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{(?:align|aligned|equation|gather|cases|proof|displaymath|split)\*?\}")
_SETS = re.compile(r"\\mathbb\{?([RZN])\}?")
_FORMULA = re.compile(r"\$?(?:D|\\Delta) ?= ?b\^2 ?- ?4ac\$?(?= (?:of|is|equals))|\$?b\^2 ?- ?4ac ?=(?= )")
_ASIDE = re.compile(r"\(((?!mod\b)[A-Za-z]{2,}[ ,](?:[^()\n]|\([^()\n]*\))*)\)")  # (both are 0)
_BRACKETED = re.compile(r"\b([Cc]ase )\(([a-z] = -?[0-9]{1,6})\)")  # base case (n = 1)
SIDES = frozenset({"lhs", "rhs"})
_HEADS = frozenset({"for", "at", "if", "when", "case", "base"})


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
        """The end of a token."""
        return self.starts[index] + len(self.texts[index])


def read(text: str, sides: tuple[Expr, Expr] | None = None) -> tuple[Sentence, ...]:
    """The sentences of a text; LHS and RHS stand for ``sides``.

    Raises Refused where it is too long, too deep, or not in the language.
    """
    if len(text) > MAX_TEXT:
        raise Refused(f"the text has more than {MAX_TEXT} characters")
    parser = _Parser(_tokens(_plain(text)), sides)
    sentences = []
    while (sentence := parser.sentence()) is not None:
        sentences.append(sentence)
        if len(sentences) > MAX_SENTENCES:
            raise Refused(f"the text has more than {MAX_SENTENCES} sentences", sentence.span[0])
    return tuple(sentences)


def _plain(text: str) -> str:
    """The text without marks of layout, every character in its place."""
    text = _DISPLAYED.sub(lambda mark: mark[0].replace("\n", " "), text) if "\\" in text or "$$" in text else text
    text = _ENVIRONMENT.sub(_blank, text) if "\\" in text else text
    text = _STYLED.sub(lambda mark: mark[1].rjust(len(mark[0]) - 1) + " ", text) if "\\" in text else text
    text = _SETS.sub(lambda mark: f"\\{mark[1]}".ljust(len(mark[0])), text) if "\\" in text else text
    text = _FORMULA.sub(_blank, text) if "4ac" in text else text
    text = _BRACKETED.sub(r"\1 \2 ", text)
    text = _ASIDE.sub(r",\1,", text) if "(" in text else text
    return _BULLET.sub(_blank, _EMPHASIS.sub(_blank, text))


def _blank(mark: re.Match[str]) -> str:
    """Spaces for a mark, so that all places stay."""
    return " " * len(mark[0])


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
    """A number, a word, a product of variables or a command of LaTeX; anything else is refused."""
    if token[0] in "\\{}$&":
        _put_command(tokens, token, start)
        return
    if token in _SYMBOLS or "-" in token:
        for sign in _SYMBOLS.get(token) or token.lower().split("-"):
            tokens.put(_KINDS.get(sign, "num" if sign.isdigit() else "word"), sign, start)
        return
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
        word = token.lower()
        tokens.put("side" if word in SIDES else "word", word, start)


def _put_command(tokens: Tokens, token: str, start: int) -> None:
    """A command or mark of LaTeX; braces are parentheses, and a displayed formula ends a sentence."""
    if token in _MARKS:
        return
    if token == "\\]":
        tokens.put(".", token, start)
        return
    meaning = {"{": "(", "}": ")"}.get(token) or _COMMANDS.get(token[1:])
    if meaning is None:
        raise Refused(f"the command {token} is not in the language", start)
    if meaning == "frac":
        tokens.put("frac", token, start)
    else:
        tokens.put(_KINDS.get(meaning, "word"), meaning, start)


class _Parser:
    """Recursive descent over the tokens; ``at`` is the next one."""

    def __init__(self, tokens: Tokens, sides: tuple[Expr, Expr] | None) -> None:
        self.tokens = tokens
        self.sides = sides
        self.kinds = tokens.kinds
        self.at = 0
        self.depth = 0

    def sentence(self) -> Sentence | None:
        """The next sentence that holds anything; None at the end of the text."""
        while self.kinds[self.at] in {".", ";"}:
            self.at += 1
        if self.kinds[self.at] == "end":
            return None
        start, parts = self.tokens.starts[self.at], []
        while self.kinds[self.at] not in {".", "end"}:
            if self.kinds[self.at] != ";":
                parts.append(self.part())
            elif parts[0] in _HEADS and self.kinds[self.at + 1] in {"num", "var", "name", "(", "-", "side"}:
                self.at += 1  # the values that the sentence begins with hold for what follows, too
                parts.append(",")
            else:
                break
        return Sentence(tuple(parts), (start, self.tokens.end(self.at - 1)))

    def part(self) -> Part:
        kind = self.kinds[self.at]
        if kind == "," and self.within_number():
            self.refuse("a comma within a number: write 1000, 0.5, or a space behind the comma")
        if kind in {"word", ",", ":"} or (
            kind == "side" and (not self.sides or self.kinds[self.at + 1] not in {*RELATIONS, "+", "-"})
        ):
            self.at += 1
            return self.tokens.texts[self.at - 1]
        return self.chain()

    def within_number(self) -> bool:
        """Returns whether the comma that comes next stands between two digits."""
        kinds, starts, at = self.kinds, self.tokens.starts, self.at
        between = at > 0 and kinds[at - 1] == kinds[at + 1] == "num"
        return between and self.tokens.end(at - 1) == starts[at] == starts[at + 1] - 1

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
        texts, kinds = self.tokens.texts, self.kinds
        at = self.at
        bracket = kinds[at] == "("
        if texts[at + bracket] != "mod":
            return 0
        at += bracket + 1
        inner = kinds[at] == "("  # of \\pmod{3}
        closing = [")"] * (bracket + inner)
        if (
            not texts[at + inner].isdigit()
            or not int(texts[at + inner])
            or kinds[at + inner + 1 :][: len(closing)] != closing
        ):
            raise Refused("mod needs a positive number", self.tokens.starts[at - 1])
        self.at = at + inner + 1 + len(closing)
        return int(texts[at + inner])

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
            elif kind in {"var", "name", "num", "frac"} or (kind == "(" and not self.closes_with_modulus()):
                if divided or kind == "num":
                    self.refuse("a product here needs a star")
                factors.append(self.factor())
            else:
                return _product(factors)

    def closes_with_modulus(self) -> bool:
        """Returns whether the parenthesis that comes next is the ``(mod m)`` of a chain."""
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
        if kind == "var":
            self.at += 1
            return Expr(kind, (text,))
        if kind == "(":
            return self.bracket()
        if kind == "frac":
            return self.fraction()
        if kind == "side" and self.sides is not None:
            self.at += 1
            return self.sides[text == "rhs"]
        if kind not in {"num", "name"}:
            self.refuse(f"an expression cannot have {text!r} here" if text else "cut off")
        self.at += 1
        if kind == "name":
            return Expr("call", (text, self.bracket()))
        return Expr("num", (int(text),)) if text.isdigit() else num(Fraction(text))

    def fraction(self) -> Expr:
        """A fraction as LaTeX writes it, over a positive number."""
        self.at += 1
        above, below = self.bracket(), self.bracket()
        if below.op != "num" or not below.args[0]:
            self.refuse("only a positive number may be a divisor")
        return Expr("div", (above, below))

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
