"""Subprocess of `core.answer_check`: reads one JSON request per line, and writes one JSON string per line."""

import json
import math
import re
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run by its path, without the folder of the project
answer_text = import_module("core.answer_text")
sys.path.pop(0)

EQUAL, UNEQUAL, READY, OK = "equal", "not equal", "ready", "ok"
SLACK = 1  # seconds by which a limit on CPU time is rounded up, since it is a whole number of seconds
_ONE_LETTER_POWER = re.compile(r"\^\s*([A-Za-z0-9])(?=\s+[A-Za-z\\(])")


class UnreadableFormula(Exception):
    """A text that cannot be read as a formula; the message says why."""


def main() -> None:
    """Answers requests until the input ends. Arguments: memory in MiB, CPU seconds of one request."""
    memory, seconds = int(sys.argv[1]) * 2**20, float(sys.argv[2])
    replies = sys.stdout
    sys.stdout = sys.stderr  # keeps what the library prints out of the replies
    library = _Library()
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    _send(replies, READY)
    reference: list[Any] = []
    for line in sys.stdin:
        request = json.loads(line)
        _limit(seconds)
        try:
            if "reference" in request:
                reference = library.reference(request["reference"])
                reply = OK
            else:
                reply = library.compare(reference, request["answer"])
        except UnreadableFormula as error:
            reply = str(error)
        except Exception as error:  # noqa: BLE001  any error of the library is a reply, and the next request is read
            reply = f"{type(error).__name__}: {error}"[:200]
        _send(replies, reply)


def _limit(seconds: float) -> None:
    """Lets the kernel end this process when the request has used its CPU time, however busy the machine is."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds) + SLACK, hard))


class _Library:
    """math-verify and its parser, imported at the first use."""

    def __init__(self) -> None:
        self.verify = import_module("math_verify").verify
        parser = import_module("latex2sympy2_extended.latex2sympy2")
        self._parse = parser.latex2sympy
        # R and r are two variables, and m is no unit: math-verify's own settings would drop or merge them.
        self._conversion = parser.ConversionConfig(lowercase_symbols=False)
        self._normalization = parser.NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
        )
        self.is_complex = import_module("math_verify.grader").should_treat_as_complex
        self._sympy = import_module("sympy")
        self._known: dict[str, list[Any]] = {}  # the reference of the last request, which the next one often repeats

    def reference(self, text: str) -> list[Any]:
        """Items of a reference. Raises UnreadableFormula where it cannot decide answers, itself included."""
        if text not in self._known:
            self._known = {text: self._read_reference(text)}
        return self._known[text]

    def _read_reference(self, text: str) -> list[Any]:
        answer = answer_text.plain_answer(text)
        if reason := answer_text.undecidable(answer):
            raise UnreadableFormula(reason)
        number = answer_text.as_number(answer) if ", " not in answer else None
        found = self._items([number] if number else answer_text.items(answer))
        if self.compare(found, text) != EQUAL:
            raise UnreadableFormula("it does not equal itself")
        return found

    def compare(self, reference: list[Any], text: str) -> str:
        """Compares an answer with the items of a reference. Raises UnreadableFormula for an unreadable answer."""
        answer = answer_text.plain_answer(text)
        if reason := answer_text.undecidable(answer):
            raise UnreadableFormula(f"the answer cannot be read: {reason}")
        readings = [answer_text.items(answer)]
        if number := answer_text.as_number(answer):
            readings.append([number])
        return EQUAL if any(self._match(reference, self._items(reading)) for reading in readings) else UNEQUAL

    def _items(self, texts: list[str]) -> list[Any]:
        if not texts:
            raise UnreadableFormula("it is no expression")
        return [self._formula(text) for text in texts]

    def _formula(self, text: str) -> Any:
        text = _ONE_LETTER_POWER.sub(r"^{\1}", text)
        try:
            found = self._parse(
                text,
                is_real=not self.is_complex(text),
                normalization_config=self._normalization,
                conversion_config=self._conversion,
            )
        except Exception as error:
            raise UnreadableFormula(f"{text[:60]!r} is no expression ({type(error).__name__})") from error
        if found is None or isinstance(found, str):
            raise UnreadableFormula(f"{text[:60]!r} is no expression")
        if missing := answer_text.letters_of(text) - self._letters(found):
            raise UnreadableFormula(f"{text[:60]!r} is not read with all of its variables: {' '.join(sorted(missing))}")
        return found

    def _letters(self, expression: Any) -> set[str]:
        sympy = self._sympy
        names = {str(symbol) for symbol in expression.atoms(sympy.Symbol)}
        names |= {str(applied.func) for applied in expression.atoms(sympy.Function)}
        names |= {"e", "E"} if expression.has(sympy.E) or expression.atoms(sympy.exp) else set()
        names |= {"i", "I"} if expression.has(sympy.I) else set()
        sets = {"Integers": "Z", "Naturals": "N", "Reals": "R", "Rationals": "Q", "Complexes": "C"}
        names |= {letter for name, letter in sets.items() if expression == getattr(sympy.S, name)}
        return {letter for name in names for letter in re.sub(r"\\[A-Za-z]+", "", name)}

    def _match(self, reference: list[Any], answer: list[Any]) -> bool:
        """True where the items can be paired off as equals, in any order."""
        left = list(answer)
        for item in reference:
            found = next((n for n, other in enumerate(left) if self._equal(item, other)), None)
            if found is None:
                return False
            del left[found]
        return not left

    def _equal(self, reference: Any, answer: Any) -> bool:
        # The library's time limits rest on signals, and are off: this process has a limit of its own.
        return bool(self.verify(reference, answer, timeout_seconds=None, raise_on_error=True))


def _send(stream: Any, reply: str) -> None:
    stream.write(json.dumps(reply) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
