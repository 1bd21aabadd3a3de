"""The process behind `rl.reward_answer`: JSON requests a line on standard input, one JSON string a line in return."""

import json
import resource
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    limit = int(sys.argv[1]) * 2**20
    replies = sys.stdout
    sys.stdout = sys.stderr  # a library that prints must not speak for us
    library = import_module("math_verify")
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _reply(replies, "ready")
    reference: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "reference" in request:
                reference = _read_reference(library, request["reference"])
                said = "ok" if reference else "it is no expression"
            else:
                said = _compare(library, reference, request["answer"])
        except Exception as error:  # noqa: BLE001  # whatever the library trips over is told, and the next one waits
            said = f"{type(error).__name__}: {error}"[:200]
        _reply(replies, said)


def _read_reference(library: Any, text: str) -> list[Any]:
    """All of a reference: of one without dollar signs the library would take a number out of the middle."""
    return _read(library, text if "$" in text else f"${text}$")


def _compare(library: Any, reference: Any, text: str) -> str:
    answer = _read(library, text)
    if not answer:
        return "no answer can be read"
    # Its own time limits rest on signals, and are off: whoever asks has a better one.
    equal = library.verify(reference, answer, timeout_seconds=None, raise_on_error=True)
    return "equal" if equal else "not equal"


def _read(library: Any, text: str) -> list[Any]:
    return library.parse(text, parsing_timeout=None, raise_on_error=True)


def _reply(stream: Any, said: str) -> None:
    stream.write(json.dumps(said) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
