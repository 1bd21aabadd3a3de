"""Subprocess of `core.answer_check`: reads one JSON request per line, and writes one JSON string per line."""

import json
import resource
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Answers requests until the input ends."""
    limit = int(sys.argv[1]) * 2**20
    replies = sys.stdout
    sys.stdout = sys.stderr  # keeps what the library prints out of the replies
    library = import_module("math_verify")
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _send(replies, "ready")
    reference: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "reference" in request:
                reference = _parse_reference(library, request["reference"])
                reply = "ok" if reference else "it is not an expression"
            else:
                reply = _compare(library, reference, request["answer"])
        except Exception as error:  # noqa: BLE001  # any error of the library is a reply, and the next request is read
            reply = f"{type(error).__name__}: {error}"[:200]
        _send(replies, reply)


def _parse_reference(library: Any, text: str) -> list[Any]:
    """Parses a whole reference: of one without dollar signs the library would take a number out of the middle."""
    return _parse(library, text if "$" in text else f"${text}$")


def _compare(library: Any, reference: Any, text: str) -> str:
    answer = _parse(library, text)
    if not answer:
        return "no answer can be parsed"
    # The library's time limits rest on signals, and are off: the parent process has its own.
    equal = library.verify(reference, answer, timeout_seconds=None, raise_on_error=True)
    return "equal" if equal else "not equal"


def _parse(library: Any, text: str) -> list[Any]:
    return library.parse(text, parsing_timeout=None, raise_on_error=True)


def _send(stream: Any, reply: str) -> None:
    stream.write(json.dumps(reply) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
