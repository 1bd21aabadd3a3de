"""Request fields: every field is supported, ignored or refused by name; null means that it is left out."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator
from typing_extensions import override

from serving.errors import ApiError
from serving.messages import ChatMessage, Strict, Tool

MAX_REPORTED, MAX_LISTED = 3, 1000  # errors named in one response; more than MAX_LISTED are not even counted
_VARIANT = re.compile(r"str|constrained-str|list\[.*\]")  # pydantic's names for the types of a union
MAX_STOPS, MAX_STOP_LENGTH, MAX_PROMPTS = 16, 256, 1024


def _off(value: Any) -> Any:
    if value:
        raise ValueError("is not supported by this server; leave it out")
    return value


def _one(value: float | None) -> float | None:
    if value not in (None, 1):
        raise ValueError("other than 1 is not supported by this server; leave it out")
    return value


Off = Annotated[float | bool | dict[str, Any] | list[Any] | None, AfterValidator(_off)]
One = Annotated[float | None, AfterValidator(_one)]
Ignored = Any
StopString = Annotated[str, Field(min_length=1, max_length=MAX_STOP_LENGTH)]


class StreamOptions(Strict):
    """Options of a stream. ``include_usage``: send a last event with the token counts."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class TemplateSettings(Strict):
    """Variables of the chat template: thinking, by either of the names that templates have for it."""

    enable_thinking: bool | None = None
    thinking: bool | None = None

    @model_validator(mode="after")
    def _same(self) -> Self:
        if None not in (self.enable_thinking, self.thinking) and self.enable_thinking != self.thinking:
            raise ValueError("enable_thinking and thinking differ; give one of them")
        return self

    @property
    def requested(self) -> bool | None:
        """The value given, None if none was."""
        return self.thinking if self.enable_thinking is None else self.enable_thinking


class ResponseFormat(Strict):
    """Response format: only plain text is supported."""

    type: Literal["text"]


Text = Annotated[str, Field(min_length=1)]
TokenIds = Annotated[list[int], Field(min_length=1, fail_fast=True)]


class BaseRequest(Strict):
    """Fields that chats and plain completions have in common."""

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
    # Accepted without effect on the completions, or with the value that changes nothing.
    user: Ignored = None
    metadata: Ignored = None
    safety_identifier: Ignored = None
    prompt_cache_key: Ignored = None
    service_tier: Literal["auto", "default"] | None = None
    add_generation_prompt: Literal[True] | None = None
    continue_final_message: Literal[False] | None = None
    length_penalty: One = None
    repetition_penalty: One = None
    skip_special_tokens: Literal[True] | None = None
    modalities: list[Literal["text"]] | None = None
    # Not supported; clients send them with the value that turns them off.
    allowed_token_ids: Off = None
    bad_words: Off = None
    early_stopping: Off = None
    include_stop_str_in_output: Off = None
    min_p: Off = None
    min_tokens: Off = None
    return_tokens_as_token_ids: Off = None
    stop_token_ids: Off = None
    truncate_prompt_tokens: Off = None
    use_beam_search: Off = None
    frequency_penalty: Off = None
    presence_penalty: Off = None
    logit_bias: Off = None

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def include_usage(self) -> bool:
        """True if a stream ends with its usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def token_limit(self) -> int | None:
        """Maximum number of tokens of a completion, if given. Raises ApiError if given twice with different values."""
        return self.max_tokens

    @property
    def num_top_logprobs(self) -> int | None:
        """Number of likeliest tokens to report with each token; None: no log-probabilities.

        Raises ApiError for top_logprobs without logprobs.
        """
        return None


class ChatRequest(BaseRequest):
    """Body of POST /v1/chat/completions."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, fail_fast=True)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    chat_template_kwargs: TemplateSettings | None = None
    tools: Annotated[list[Tool], Field(fail_fast=True)] | None = None
    tool_choice: Literal["auto", "none"] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    store: Off = None

    @property
    @override
    def token_limit(self) -> int | None:
        given = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(given) > 1:
            raise ApiError(400, "max_tokens and max_completion_tokens differ; give one of them", param="max_tokens")
        return next(iter(given), None)

    @property
    @override
    def num_top_logprobs(self) -> int | None:
        if self.top_logprobs and not self.logprobs:
            raise ApiError(400, "top_logprobs needs logprobs=true", param="top_logprobs")
        return self.top_logprobs or 0 if self.logprobs else None


class CompletionRequest(BaseRequest):
    """Body of POST /v1/completions: prompts as text, in which special tokens are recognized, or as token ids.

    ``echo``: the prompt comes before the completion, with its log-probabilities too; then ``max_tokens`` may be 0.
    """

    prompt: Text | TokenIds | Annotated[list[Text] | list[TokenIds], Field(min_length=1, max_length=MAX_PROMPTS)]
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    add_special_tokens: bool | None = None
    best_of: int | None = None
    suffix: Literal[""] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.max_tokens == 0 and not self.echo:
            raise ValueError("max_tokens=0 needs echo=true, or there is nothing to return")
        if self.best_of not in (None, self.n or 1):
            raise ValueError("best_of other than n is not supported by this server; leave it out")
        return self

    @property
    def prompts(self) -> Sequence[str | Sequence[int]]:
        """Prompts, in order."""
        if isinstance(self.prompt, str) or isinstance(self.prompt[0], int):
            return [self.prompt]  # pyright: ignore[reportReturnType]
        return self.prompt  # pyright: ignore[reportReturnType]

    @property
    @override
    def num_top_logprobs(self) -> int | None:
        return self.logprobs


R = TypeVar("R", bound=BaseRequest)


def read_request(kind: type[R], body: bytes) -> R:
    """Parses a request body. Raises ApiError naming the wrong fields."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        if error.error_count() > MAX_LISTED:
            raise ApiError(400, f"more than {MAX_LISTED} fields of the request are unknown or invalid") from None
        found = error.errors(include_url=False, include_context=False, include_input=False)
        messages = [_explain(dict(item)) for item in found[:MAX_REPORTED]]
        more = [f"and {len(found) - MAX_REPORTED} more"] if len(found) > MAX_REPORTED else []
        field = found[0]["loc"][0] if found[0]["loc"] else None
        raise ApiError(400, "; ".join(messages + more), param=None if field is None else str(field)[:100]) from None


def _explain(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part)[:100] for part in item["loc"] if not _VARIANT.fullmatch(str(part)))
    if item["type"] == "json_invalid":
        return f"the body is not valid JSON: {item['msg'].removeprefix('Invalid JSON: ')}"
    if item["type"] == "extra_forbidden":
        return f"{where}: this field is unknown or not supported by this server; leave it out"
    if item["type"] == "missing":
        return f"{where}: this field is missing; add it"
    if item["type"] == "value_error":
        return f"{where} {item['msg'].removeprefix('Value error, ')}"
    return f"{where}: {item['msg'][:1].lower()}{item['msg'][1:]}" if where else item["msg"]
