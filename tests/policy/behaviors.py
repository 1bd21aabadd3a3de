"""Table of server behaviors and what the loop does with each: rows of a test and of a page of the documentation."""

from collections.abc import Mapping
from typing import Any

from tests.fake_server import Behavior, FakeServer, Reply, json_reply, well_behaved
from tests.policy.behavior_row import (
    AGAIN,
    ASIDE,
    CHANGED,
    CUT,
    JSON,
    PAUSED,
    STOPPED,
    USED,
    WAITED,
    A,
    Row,
    ends,
    error,
    inside,
    is_text,
    limited,
    message,
    refusing,
    whole,
)
from tests.policy.behaviors_of_answers import ROWS as ANSWERS
from tests.policy.behaviors_of_transport import ROWS as TRANSPORT


def _finish() -> list[Row]:
    group = "Finish reasons"
    rows = [Row(group, "`stop`", (json_reply(whole()),), A, check=ends("stop"))]
    rows += [
        Row(group, f"`{reason}`", (json_reply(whole(finish_reason=reason)),), CUT, check=ends(kept))
        for reason, kept in (
            ("length", "length"), ("content_filter", "content_filter"), ("model_length", "model_length"),
            ("max_tokens", "max_tokens"), ("tool_calls", "tool_calls"), ("function_call", "function_call"),
            ("eos", "eos"), ("SAFETY", "SAFETY"),
        )
    ]  # fmt: skip
    rows += [
        Row(group, "an empty text", (json_reply(whole(finish_reason="")),), CUT, check=ends("unknown")),
        Row(group, "null", (json_reply(whole(finish_reason=None)),), CUT, check=ends("unknown")),
        Row(group, "`eos`, with `policy.finish_reasons=[stop,eos]`", (json_reply(whole(finish_reason="eos")),), A,
            check=ends("stop"), settings={"finish_reasons": ["stop", "eos"]}),
        Row(group, "`tool_calls`, where the request offers tools", (json_reply(whole(finish_reason="tool_calls")),), A,
            check=ends("stop"), settings={"extra_body": {"tools": [{"type": "function"}]}}),
    ]  # fmt: skip
    rows += [
        Row(group, f"`{reason}`", (json_reply(whole(finish_reason=reason)),), AGAIN, requests=2)
        for reason in ("error", "abort", "insufficient_system_resource")
    ]
    return [
        *rows,
        Row(group, "a choice with an error object", (json_reply(whole("", error={"code": 502, "message": "x"})),),
            AGAIN, requests=2),
        Row(group, "a choice with an error object, among good ones",
            (json_reply({"choices": [*whole()["choices"], {"index": 1, "error": {"message": "x"}}]}),), A, n=2,
            check=is_text("Proof.")),
        Row(group, "a refusal of the model (`refusal`)", (message(content=None, refusal="I cannot help."),), CUT,
            check=lambda answer: (answer.text, answer.finish_reason) == ("I cannot help.", "refusal")),
    ]  # fmt: skip


def _inside() -> list[Row]:
    group = "Errors with HTTP status 200"
    return [
        Row(group, "an error without a code", (inside(message="upstream failed"),), AGAIN, 2, tokens=12),
        Row(group, "code 502", (inside(code=502, message="bad gateway"),), AGAIN, 2, tokens=12),
        Row(group, "code \"429\"", (inside(code="429", message="slow"),), PAUSED, 2, tokens=12),
        Row(group, "type `overloaded_error`", (inside(type="overloaded_error"),), PAUSED, 2, tokens=12),
        Row(group, "an error as a string", (json_reply({"error": "upstream failed"}),), AGAIN, 2),
        Row(group, "code 401", (inside(code=401, message="no key"),), STOPPED, message="401.*api_key_env"),
        Row(group, "code 402", (inside(code=402, message="no credits"),), STOPPED, message="no quota left"),
        Row(group, "code `context_length_exceeded`", (inside(code="context_length_exceeded", message="long"),), ASIDE,
            message="long"),
        Row(group, "code 403, moderation", (inside(code=403, message="flagged"),), ASIDE, message="flagged"),
    ]  # fmt: skip


def _busy() -> list[Row]:
    group = "Rate limits and overload"
    wishes = {
        "`Retry-After: 0.2`": {"retry-after": "0.2"}, "`retry-after-ms: 200`": {"retry-after-ms": "200"},
        "`Retry-After: 200ms`": {"retry-after": "200ms"},
        "`x-ratelimit-reset-requests: 0.2s`": {"x-ratelimit-reset-requests": "0.2s"},
        "`RateLimit: limit=5, remaining=0, reset=0.2`": {"ratelimit": "limit=5, remaining=0, reset=0.2"},
    }  # fmt: skip
    return [
        *(Row(group, f"429 with {words}", (error(429, headers=headers),), PAUSED, 2)
          for words, headers in wishes.items()),
        Row(group, "429 without a word about when", (error(429),), PAUSED, 2),
        Row(group, "429 twenty times in a row", (*[error(429, headers={"retry-after": "0.01"})] * 20,), PAUSED, 21),
        Row(group, "429 with \"try again in 20ms\" in the message", (error(429, "Please try again in 20ms."),), PAUSED,
            2),
        Row(group, "529", (error(529, "overloaded"),), PAUSED, 2),
        Row(group, "403 that speaks of a rate limit", (error(403, "secondary rate limit"),), PAUSED, 2),
        Row(group, "429 `insufficient_quota`", (error(429, code="insufficient_quota"),), STOPPED,
            message="no quota left"),
    ]  # fmt: skip


def _passing() -> list[Row]:
    group = "Passing faults"
    replies: dict[str, Reply] = {
        "408": error(408), "409": json_reply({"error": "a plain string"}, 409), "425": (425, {}, b""),
        "500": (500, {}, b"\xff\xfe"), "502 with HTML": (502, {"content-type": "text/html"}, b"<html>bad</html>"),
        "503 with a list": json_reply(["busy"], 503), "504": error(504), "524 (a gateway's timeout)": error(524),
        "a dropped connection": None, "HTML with status 200": (200, {"content-type": "text/html"}, b"<html>"),
        "an empty body": (200, JSON, b""), "JSON that is cut off": (200, JSON, b'{"choices": [{"index": 0, "mess'),
        "invalid UTF-8": (200, JSON, b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
        "broken compression": (200, {**JSON, "content-encoding": "gzip"}, b"this is no gzip"),
        "JSON nested too deeply": (200, JSON, b"[" * 200_000),
    }  # fmt: skip
    rows = [Row(group, words, (reply,), AGAIN, 2) for words, reply in replies.items()]
    return [
        *rows,
        Row(group, "500 for one prompt alone, time after time", (), ASIDE, 4 + 1, last=_poisoned(error(500, "boom")),
            message="4 attempts failed.*boom"),
        Row(group, "503 for everything, for longer than `retry.patience`", (), WAITED, -1, last=error(503, "down"),
            message=r"no answer from .*patience=0\.5.*down"),
    ]  # fmt: skip


def _poisoned(reply: Reply) -> Behavior:
    """A server that fails on every prompt but a one-line one."""

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        is_probe = body["messages"][0]["content"].startswith("What is 1 + 1")
        return await well_behaved(body, server) if is_probe else reply

    return behave


def _malformed() -> list[Row]:
    group = "Shapes that are no chat completion"
    values: dict[str, Any] = {
        "a list": [], "a string": "choices", "null": None, "no choices": {"object": "chat.completion"},
        "`choices: []`": {"choices": []}, "`choices: null`": {"choices": None},
        "choices as an object": {"choices": {"0": {}}}, "a choice that is null": {"choices": [None]},
        "a choice with `text` alone": {"choices": [{"index": 0, "text": "Proof."}]},
        "a message that is null": {"choices": [{"message": None}]},
        "a content that is a number": {"choices": [{"message": {"content": 7}}]},
        "a content with an image": {"choices": [{"message": {"content": [{"type": "image_url", "image_url": "x"}]}}]},
    }  # fmt: skip
    rows = [Row(group, words, (json_reply(value),), AGAIN, 2) for words, value in values.items()]
    return [
        *rows,
        Row(group, "`choices: []` time after time, with usage", (), ASIDE, 4, tokens=4 * 12,
            last=json_reply({"choices": [], "usage": USED}), message="4 attempts failed.*no choices"),
    ]  # fmt: skip


def _prompts() -> list[Row]:
    group = "Refused prompts"
    vllm = (
        "maximum context length is 4096 tokens. However, you requested 9000 tokens (1000 in the messages, 8000 in the"
    )
    return [
        Row(group, "403 from moderation", (error(403, "flagged by moderation"),), ASIDE, message="flagged"),
        Row(group, "404 `Provider returned error`", (error(404, "Provider returned error"),), ASIDE,
            message="Provider"),
        Row(group, "400", (error(400, "no such thing"),), ASIDE, message="no such thing"),
        Row(group, "413 with HTML", ((413, {}, b"<html>" + b"x" * 9999),), ASIDE, message="HTTP 413"),
        Row(group, "422", (json_reply({"detail": [{"msg": "bad"}]}, 422),), ASIDE, message="HTTP 422"),
        Row(group, "451", (error(451, "not here"),), ASIDE, message="HTTP 451"),
        Row(group, "400, context too long, with the numbers", (), CHANGED, 2, max_tokens=8000,
            last=limited(3095, vllm), check=ends("stop")),
        Row(group, "400, context too long, without numbers", (), CHANGED, 3, max_tokens=8000,
            last=limited(2000, "context length exceeded"), check=ends("stop")),
        Row(group, "400, `max_tokens` above what the model writes", (), CHANGED, 2, max_tokens=8000,
            last=limited(4096, "max_tokens is too large: 8000. This model supports at most 4096 completion tokens")),
        Row(group, "400, context too long by the prompt alone", (error(400, "maximum context length is 100 tokens"),),
            ASIDE, message="context length"),
        Row(group, "400 for `n` above 1", (), CHANGED, 2, n=4, last=refusing("n")),
        Row(group, "401", (error(401, "bad key"),), STOPPED, message="api_key_env"),
        Row(group, "402", (error(402, "pay"),), STOPPED, message="Top up"),
        Row(group, "403 for everything", (), STOPPED, 2, warm=False, last=error(403, "no right"),
            message="one-line prompt: HTTP 403: no right.*no right to this model"),
        Row(group, "404 for everything", (), STOPPED, 2, warm=False, last=error(404, "no model"), message="base_url"),
        Row(group, "400 for everything, of the temperature", (), STOPPED, 2, warm=False,
            last=error(400, "Unsupported value: 'temperature'"), message=r"sampling\.temperature=null"),
    ]  # fmt: skip


ROWS: tuple[Row, ...] = (
    *_finish(), *_inside(), *_busy(), *_passing(), *_malformed(), *_prompts(), *ANSWERS, *TRANSPORT,
)  # fmt: skip
