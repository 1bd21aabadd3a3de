"""Chat rendering and parsing: messages to token ids by the tokenizer's chat template, and answers to their parts.

Content of messages is only ever text. If it contains the text of a special token, that is replaced by a placeholder
before the template runs, and put back afterwards as plain text, encoded by a tokenizer without special tokens. So no
content can begin a turn, end one, or imitate a tool's result.
"""

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from jinja2 import TemplateError
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from model.errors import ModelError
from model.tokenizer import END_THINK, THINK
from model.tools import settled

Message = Mapping[str, Any]
T = TypeVar("T")


class PromptTooLong(ModelError):
    """The prompt leaves no room for an answer."""


class Chat:
    """Renders chats for one tokenizer. Raises ModelError if it has no chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if not tokenizer.chat_template:
            raise ModelError(
                "the tokenizer has no chat template; save one in the model's folder as chat_template.jinja"
            )
        self.tokenizer = tokenizer
        self._added = dict(tokenizer.get_added_vocab())
        by_length = sorted(self._added, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, by_length)) or r"(?!)")
        self._plain = _without_added_tokens(tokenizer.backend_tokenizer)
        self._longest = max(len(text.encode()) for text in tokenizer.get_vocab())

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Message] = (),
        thinking: bool = True,
        limit: int | None = None,
        discard: bool = True,
    ) -> Sequence[int]:
        """Returns the token ids of the chat, up to the beginning of the assistant's next answer.

        If it has more than ``limit`` tokens and ``discard`` is set, its tool calls and their results are dropped.
        Raises PromptTooLong if it is still too long, and ModelError if the template refuses it.
        """
        chats = [messages, discard_all(messages)] if discard and limit is not None else [messages]
        for chat in chats:
            ids = self._ids(chat, tools, thinking, limit)
            if limit is None or len(ids) <= limit:
                return ids
        raise PromptTooLong(
            f"the prompt has more than {limit} tokens, the maximum that leaves room for an answer; shorten it"
        )

    def reasoning_tokens(self, text: str, token_ids: Sequence[int], *, opened: bool) -> int:
        """Returns the number of a completion's tokens that are reasoning."""
        reasoning, _ = split_thinking(text, opened=opened)
        if not reasoning:
            return 0
        if END_THINK not in text:
            return len(token_ids)
        end = self.tokenizer.get_vocab().get(END_THINK)
        if end is not None and end in token_ids:
            return list(token_ids).index(end)
        # The model wrote the end marker in several plain tokens.
        return len(self.tokenizer.encode(reasoning, add_special_tokens=False))

    def opens_thinking(self, ids: Sequence[int]) -> bool:
        """Returns True if a rendered prompt ends inside the reasoning."""
        end = self.tokenizer.decode(list(ids[-4:]))
        assert isinstance(end, str)
        return end.rstrip().endswith(THINK)

    def _ids(
        self, messages: Sequence[Message], tools: Sequence[Message], thinking: bool, limit: int | None
    ) -> Sequence[int]:
        marks = _Marks(self._special)
        chat: list[Any] = [marks.hide(message) for message in messages]
        schemas: list[Any] = [marks.hide(tool) for tool in tools]
        try:
            text = self.tokenizer.apply_chat_template(
                chat,
                tools=schemas or None,
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=thinking,
                thinking=thinking,  # the name in DeepSeek's own templates
            )
        except (TemplateError, TypeError, ValueError, AttributeError, KeyError) as error:
            raise ModelError(f"the chat template refuses these messages: {error}") from error
        assert isinstance(text, str)
        if not marks.hidden:
            return self.encode(text, limit)
        return self._lower_bound(marks.reveal(text), limit) or list(self._segments(text, marks))

    def encode(self, text: str, limit: int | None = None, *, special: bool = False) -> Sequence[int]:
        """Returns the token ids of a text, in which special tokens are recognized.

        ``special``: with the tokens that the tokenizer adds to a text, such as one that begins it.
        A text so long that it must have more than ``limit`` tokens is not tokenized: the ids returned are then
        meaningless, and their number is a lower bound.
        """
        return self._lower_bound(text, limit) or list(self.tokenizer.encode(text, add_special_tokens=special))

    def _lower_bound(self, text: str, limit: int | None) -> Sequence[int]:
        """Returns as many ids as the text has tokens at least if that exceeds ``limit``, else none."""
        least = len(text) // self._longest
        return range(least) if limit is not None and least > limit else ()

    def _segments(self, text: str, marks: "_Marks") -> Iterator[int]:
        """Yields the ids of the template's own special tokens, and of the text between them without placeholders."""
        end = 0
        for found in self._special.finditer(text):
            yield from self._plain.encode(marks.reveal(text[end : found.start()])).ids
            yield self._added[found.group()]
            end = found.end()
        yield from self._plain.encode(marks.reveal(text[end:])).ids


def _without_added_tokens(tokenizer: Tokenizer) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str()) | {"added_tokens": [], "post_processor": None}))


class _Marks:
    """Placeholders for special tokens in message content, drawn anew for each rendering so that none can be guessed."""

    def __init__(self, special: re.Pattern[str]) -> None:
        self._special = special
        self._name = secrets.token_hex(8)
        self.hidden: list[str] = []

    def hide(self, value: T) -> T:
        """Returns ``value`` with a placeholder for every special token in its texts, at any depth."""
        return _each_text(value, lambda text: self._special.sub(self._mark, text))

    def reveal(self, text: str) -> str:
        """Returns ``text`` with the hidden texts in place of their placeholders."""
        return re.sub(rf"\[{self._name}:(\d+)\]", lambda mark: self.hidden[int(mark.group(1))], text)

    def _mark(self, found: re.Match[str]) -> str:
        self.hidden.append(found.group())
        return f"[{self._name}:{len(self.hidden) - 1}]"


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_each_text(key, change): _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    return value


def discard_all(messages: Sequence[Message]) -> list[Message]:
    """Returns the chat without its tool calls and their results, for a context that has overflowed."""
    return [message for message in messages if message["role"] != "tool" and not message.get("tool_calls")]


def split_thinking(text: str, *, opened: bool) -> tuple[str, str]:
    """Returns reasoning and answer of a completion, split at the first ``</think>``.

    If the prompt has ``opened`` the reasoning, or the text begins with ``<think>``, a text without ``</think>`` is
    truncated reasoning. Otherwise all of it is the answer.
    """
    if not opened:
        begin = text.lstrip()
        if not begin.startswith(THINK):
            return "", text
        text = begin.removeprefix(THINK)
    reasoning, _, answer = text.partition(END_THINK)
    return reasoning, answer


def settled_thinking(text: str, *, opened: bool) -> tuple[str, str]:
    """Returns those parts of ``split_thinking`` that no continuation of an unfinished text can change."""
    if not opened and THINK.startswith(text.lstrip()):
        return "", ""
    reasoning, answer = split_thinking(text, opened=opened)
    if reasoning and not answer and END_THINK not in text:
        reasoning = settled(reasoning, END_THINK)
    return reasoning, answer
