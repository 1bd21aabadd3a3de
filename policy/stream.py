"""Server-sent events of a chat completion, put together as the response that an unstreamed call gets."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from policy.faults import MalformedAnswer, Passing
from policy.reasoning import AnswerParts, read_parts

BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
MAX_CHARACTERS = 64 * 2**20  # of one streamed response: a server that never ends is cut off


def is_stream(data: bytes) -> bool:
    """True for a whole body of server-sent events, whatever its content type says."""
    return data.removeprefix(BOM).lstrip().startswith(_FIELDS)


def whole_stream(data: bytes) -> Mapping[str, Any]:
    """The response in a whole body of server-sent events. Raises Passing where an event is no JSON."""
    events, assembly = Events(), Assembly()
    for chunk in (*events.feed(data), *events.close()):
        assembly.add(chunk)
    return assembly.response(done=events.done, broken=False)


class Events:
    """Decoder of server-sent events: bytes in, JSON values out. ``done``: the closing ``[DONE]`` has arrived."""

    def __init__(self) -> None:
        self.done = False
        self._begun = False
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[Any]:
        """The values of the events that ``data`` completes; comments and other fields are skipped.

        Raises:
            Passing: an event is no JSON.
        """
        *lines, self._rest = (self._rest + data.replace(b"\r", b"\n")).split(b"\n")
        for line in lines:
            yield from self._line(line if self._begun else line.removeprefix(BOM))
            self._begun = True

    def close(self) -> Iterator[Any]:
        """The value of a last event without the empty line that ends it."""
        yield from self._line(self._rest)
        self._rest = b""
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[Any]:
        if line.startswith(b"data:"):
            data = line[5:].strip()
            if data == b"[DONE]":
                self.done = True
            elif data or self._data:
                self._data.append(data)
                yield from self._parse(is_end=False)
        elif not line and self._data:
            yield from self._parse(is_end=True)

    def _parse(self, *, is_end: bool) -> Iterator[Any]:
        """The value of the data so far, which may be one line of several."""
        data = b"\n".join(self._data)
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            if is_end:
                self._data = []
                raise Passing(f"an event of the stream is not JSON: {error}") from error
            return
        self._data = []
        yield value


@dataclass
class _Call:
    """One tool call as it arrives: its id and name once, its arguments in pieces."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def add(self, piece: Mapping[str, Any]) -> int:
        """Append a piece; returns its number of characters."""
        function = piece.get("function")
        function = function if isinstance(function, Mapping) else {}
        self.id = self.id or str(piece.get("id") or "")
        self.name = self.name or str(function.get("name") or "")
        arguments = function.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments is not None else ""
        self.arguments.append(text)
        return len(text) + len(str(function.get("name") or ""))

    @property
    def value(self) -> Mapping[str, Any]:
        """The call as an unstreamed response holds it."""
        return {"id": self.id, "function": {"name": self.name or None, "arguments": "".join(self.arguments)}}


@dataclass
class _Choice:
    """One choice as it arrives."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, "_Call"] = field(default_factory=dict)
    reason: str | None = None
    error: Any = None
    has_message: bool = False

    def add(self, parts: AnswerParts) -> int:
        """Append a piece; returns its number of characters."""
        self.text.append(parts.text)
        self.reasoning.append(parts.reasoning)
        self.refusal.append(parts.refusal)
        size = sum(self._add_call(place, piece) for place, piece in enumerate(parts.calls))
        return len(parts.text) + len(parts.reasoning) + len(parts.refusal) + size

    def _add_call(self, place: int, piece: Any) -> int:
        if not isinstance(piece, Mapping):
            raise MalformedAnswer(f"a tool call of a chunk is no object: {str(piece)[:80]!r}")
        index = piece.get("index")
        call = self.calls.setdefault(index if isinstance(index, int) else place, _Call())
        return call.add(piece)

    @property
    def ended(self) -> bool:
        """True once the choice has its finish reason or its error."""
        return self.reason is not None or self.error is not None


@dataclass
class Assembly:
    """The response that the chunks so far make up. ``characters``: the length of its texts."""

    choices: dict[int, _Choice] = field(default_factory=dict)
    model: str = ""
    usage: Any = None
    groq: Any = None
    error: Any = None
    characters: int = 0

    def add(self, chunk: Any) -> bool:
        """Add one chunk; returns True where it holds more than a sign of life.

        Raises:
            MalformedAnswer: it is no chunk of a chat completion, or the response is endless.
        """
        if not isinstance(chunk, Mapping):
            raise MalformedAnswer(f"an event of the stream is not a JSON object: {str(chunk)[:80]!r}")
        self.model = self.model or str(chunk.get("model") or "")
        self.usage = chunk.get("usage") or self.usage
        self.groq = chunk.get("x_groq") or self.groq
        self.error = chunk.get("error") or (chunk if chunk.get("object") == "error" else None) or self.error
        before = self.characters
        choices = chunk.get("choices") or ()
        if not isinstance(choices, list | tuple):
            raise MalformedAnswer(f"the choices of a chunk are no list: {str(choices)[:80]!r}")
        ended = [self._add_choice(choice) for choice in choices]
        if self.characters > MAX_CHARACTERS:
            raise MalformedAnswer(f"the stream did not end within {MAX_CHARACTERS:,} characters")
        return self.characters > before or any(ended) or self.error is not None

    def _add_choice(self, value: Any) -> bool:
        if not isinstance(value, Mapping):
            raise MalformedAnswer("a choice of a chunk is no object")
        index = value.get("index")
        choice = self.choices.setdefault(index if isinstance(index, int) else 0, _Choice())
        choice.has_message = choice.has_message or "delta" in value or "message" in value
        delta = value.get("delta")
        if isinstance(delta, Mapping) and delta:
            self.characters += choice.add(read_parts(delta))
        elif isinstance(message := value.get("message"), Mapping) and not any(choice.text):
            self.characters += choice.add(read_parts(message))  # the whole message in one chunk
        choice.reason = value.get("finish_reason") or choice.reason
        choice.error = value.get("error") or choice.error
        return choice.ended

    def response(self, *, done: bool, broken: bool = False) -> Mapping[str, Any]:
        """The response as an unstreamed call gets it.

        A choice that broke off is left out where another one ended: that one is an answer all the same. ``done``: the
        server closed the stream itself, so that a choice without a finish reason has none. ``broken``: the connection
        broke, so that samples and usage may be missing (``broke_off``).

        Raises:
            Passing: the stream broke off, and no choice is whole.
        """
        whole = {index: choice for index, choice in self.choices.items() if choice.ended or done}
        if self.error is not None and not any(choice.reason for choice in whole.values()):
            return {"error": self.error, "usage": self.usage, "x_groq": self.groq}
        if not whole and (self.choices or not done):
            raise Passing(f"the stream broke off after {self.characters:,} characters")
        return {
            "model": self.model,
            "usage": self.usage,
            "x_groq": self.groq,
            "broke_off": broken,
            "choices": [
                {"index": index, "message": _message(choice), "finish_reason": choice.reason, "error": choice.error}
                for index, choice in whole.items()
            ],
        }


def _message(choice: _Choice) -> Mapping[str, Any] | None:
    if not choice.has_message:
        return None
    reasoning, refusal = "".join(choice.reasoning), "".join(choice.refusal)
    calls = [choice.calls[index].value for index in sorted(choice.calls)]
    return {
        "content": "".join(choice.text),
        "reasoning": reasoning or None,
        "refusal": refusal or None,
        "tool_calls": calls or None,
    }
