"""What a request may ask for. Every field is known, supported or refused by name; null means that it is left out."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from serving.errors import ApiError
from serving.messages import ChatMessage, Strict, Tool

MAX_SAID, MAX_LISTED = 3, 1000  # errors named in one answer; a million are not worth the memory to count them
_VARIANT = re.compile(r"str|constrained-str|list\[.*\]")  # how pydantic names the types of a field that has several
MAX_STOPS, LONGEST_STOP = 16, 256


def _off(value: Any) -> Any:
    if value:
        raise ValueError("is not supported here; leave it out")
    return value


Off = Annotated[float | bool | dict[str, Any] | None, AfterValidator(_off)]
Ignored = Any
StopString = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]


class StreamOptions(Strict):
    """``include_usage``: a last event with the tokens used."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class TemplateSettings(Strict):
    """Variables of the chat template."""

    enable_thinking: bool | None = None


class ResponseFormat(Strict):
    """Text, and nothing else."""

    type: Literal["text"]


class Asked(Strict):
    """What chats and plain completions have in common."""

    model: str
    n: Annotated[int, Field(ge=1)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)] | None = None
    stop: StopString | Annotated[list[StopString], Field(max_length=MAX_STOPS)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    ignore_eos: bool | None = None
    # Of no effect on what is generated.
    user: Ignored = None
    metadata: Ignored = None
    safety_identifier: Ignored = None
    prompt_cache_key: Ignored = None
    service_tier: Literal["auto", "default"] | None = None
    # Not supported, but sent by clients with the value that turns them off.
    frequency_penalty: Off = None
    presence_penalty: Off = None
    logit_bias: Off = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def token_limit(self) -> int | None:
        """The most tokens of a completion, if the request says."""
        return self.max_tokens

    @property
    def likeliest(self) -> int | None:
        """How many of the likeliest tokens to report with each; None: no log-probabilities at all."""
        return None


class ChatRequest(Asked):
    """POST /v1/chat/completions."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, fail_fast=True)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    chat_template_kwargs: TemplateSettings | None = None
    tools: Annotated[list[Tool], Field(fail_fast=True)] | None = None
    tool_choice: Literal["auto", "none"] | None = None
    parallel_tool_calls: Literal[True] | None = None
    response_format: ResponseFormat | None = None
    store: Off = None

    @property
    def token_limit(self) -> int | None:
        """As Asked.token_limit, by either name. Raises ApiError where the two differ."""
        given = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(given) > 1:
            raise ApiError(400, "max_tokens and max_completion_tokens differ; give one of them", param="max_tokens")
        return next(iter(given), None)

    @property
    def likeliest(self) -> int | None:
        """As Asked.likeliest. Raises ApiError for top_logprobs without logprobs."""
        if self.top_logprobs and not self.logprobs:
            raise ApiError(400, "top_logprobs needs logprobs=true", param="top_logprobs")
        return self.top_logprobs or 0 if self.logprobs else None


class CompletionRequest(Asked):
    """POST /v1/completions: a prompt of text, in which special tokens are what they are, or of token ids."""

    prompt: Annotated[str, Field(min_length=1)] | Annotated[list[int], Field(min_length=1, fail_fast=True)]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: Off = None
    best_of: Literal[1] | None = None
    suffix: Literal[""] | None = None

    @property
    def likeliest(self) -> int | None:
        """As Asked.likeliest."""
        return self.logprobs


R = TypeVar("R", bound=Asked)


def read_request(kind: type[R], body: bytes) -> R:
    """The request in a body. Raises ApiError that names every field at fault."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        if error.error_count() > MAX_LISTED:
            raise ApiError(400, f"more than {MAX_LISTED} fields of the request are unknown or wrong") from None
        found = error.errors(include_url=False, include_context=False, include_input=False)
        said = [_explain(dict(item)) for item in found[:MAX_SAID]]
        more = [f"and {len(found) - MAX_SAID} more"] if len(found) > MAX_SAID else []
        field = found[0]["loc"][0] if found[0]["loc"] else None
        raise ApiError(400, "; ".join(said + more), param=None if field is None else str(field)[:100]) from None


def _explain(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part)[:100] for part in item["loc"] if not _VARIANT.fullmatch(str(part)))
    if item["type"] == "json_invalid":
        return f"the body is no JSON: {item['msg'].removeprefix('Invalid JSON: ')}"
    if item["type"] == "extra_forbidden":
        return f"{where}: this field is unknown or not supported here; leave it out"
    if item["type"] == "missing":
        return f"{where}: this field is missing"
    if item["type"] == "value_error":
        return f"{where} {item['msg'].removeprefix('Value error, ')}"
    return f"{where}: {item['msg'][:1].lower()}{item['msg'][1:]}" if where else item["msg"]
