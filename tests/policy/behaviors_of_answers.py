"""Rows of the table of server behaviors: shapes of answers, usage, and streams."""

import json
from collections.abc import Callable
from typing import Any

from policy.interface import Completion
from tests.fake_server import DONE, chunk, event, json_reply
from tests.policy.behavior_row import (
    AGAIN,
    CHANGED,
    CUT,
    JSON,
    PAUSED,
    USED,
    A,
    Row,
    ends,
    is_text,
    message,
    refusing,
    stream,
    usage,
    whole,
)

PROSE = "A proof that quotes `<think>` and `</think>` in prose."
DEEPSEEK = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2}
ANTHROPIC = {"input_tokens": 3, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 1, "output_tokens": 2}
GOOD_THEN_CUT = stream(chunk("One", 0), chunk("Two", 1), chunk(None, 0, "stop"), None)


def _shapes() -> list[Row]:
    group = "Shapes of an answer"
    think = "Let me see.\nIt holds."
    answer = is_text("Proof.", think)
    harmony = (
        f"<|channel|>analysis<|message|>{think}<|end|><|start|>assistant<|channel|>final<|message|>Proof.<|return|>"
    )
    contents: dict[str, tuple[Any, Callable[[Completion], bool]]] = {
        "text in parts": ([{"type": "text", "text": "Pro"}, {"text": "of."}], is_text("Proof.")),
        "parts with `thinking`": (
            [{"type": "thinking", "thinking": [{"type": "text", "text": think}]}, {"type": "text", "text": "Proof."}],
            answer,
        ),
        "one part as an object": ({"type": "text", "text": "Proof."}, is_text("Proof.")),
        "`<think>` at the beginning": (f"<think>\n{think}\n</think>\n\nProof.", answer),
        "`</think>` alone (the template opened it)": (f"{think}\n</think>\n\nProof.", answer),
        "`<think>` that never closes": (f"<think>{think}", is_text("", think)),
        "`[THINK]`": (f"[THINK]{think}[/THINK]Proof.", answer),
        "`<seed:think>`": (f"<seed:think>{think}</seed:think>Proof.", answer),
        "harmony channels": (harmony, answer),
        "harmony channels without their markers": (f"analysis{think}assistantfinalProof.", answer),
        "harmony without a final channel": (f"<|channel|>analysis<|message|>{think}<|end|>", is_text("", think)),
    }
    rows = [
        Row(group, words, (message(content=content),), A, check=check) for words, (content, check) in contents.items()
    ]
    fields = {
        "`reasoning_content`": {"reasoning_content": think}, "`reasoning`": {"reasoning": think},
        "`reasoning_details`": {"reasoning_details": [{"type": "reasoning.text", "text": think}]},
        "`thinking_blocks`": {"thinking_blocks": [{"type": "thinking", "thinking": think, "signature": "x"}]},
    }  # fmt: skip
    return [
        *rows,
        *(Row(group, words, (message(content="Proof.", **field),), A, check=answer) for words, field in fields.items()),
        Row(group, "`<think>` quoted in prose, with reasoning apart", (message(content=PROSE, reasoning=think),), A,
            check=is_text(PROSE, think)),
        Row(group, "everything in the reasoning field", (message(content="", reasoning=think),), A,
            check=is_text("", think)),
        Row(group, "a lone surrogate", ((200, JSON, json.dumps(whole("a\ud800")).encode()),), A,
            check=is_text("a\ufffd")),
        Row(group, "JSON as text/plain", ((200, {"content-type": "text/plain"}, json.dumps(whole()).encode()),), A,
            check=is_text("Proof.")),
    ]  # fmt: skip


def _usage() -> list[Row]:
    group = "Usage"

    def counts(prompt: int, cached: int, completion_tokens: int, cost: float = 0.0) -> Callable[[Completion], bool]:
        def check(answer: Completion) -> bool:
            used = answer.usage
            return used is not None and (used.prompt_tokens, used.cached_tokens, used.completion_tokens, used.cost) == (
                prompt, cached, completion_tokens, cost,
            )  # fmt: skip

        return check

    openai = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}
    return [
        Row(group, "cached tokens, OpenAI's name", (usage(**openai),), A, check=counts(10, 8, 2)),
        Row(group, "cached tokens, DeepSeek's name", (usage(**DEEPSEEK),), A, check=counts(10, 8, 2)),
        Row(group, "Anthropic's names, cached tokens beside the input", (usage(**ANTHROPIC),), A,
            check=counts(10, 6, 2)),
        Row(group, "floats", (usage(prompt_tokens=10.0, completion_tokens=1.5),), A, check=counts(10, 0, 2)),
        Row(group, "`usage.cost`, without prices", (usage(prompt_tokens=1, completion_tokens=2, cost=0.25),), A,
            check=counts(1, 0, 2, 0.25)),
        Row(group, "`usage.cost`, with prices (which count)",
            (usage(prompt_tokens=1_000_000, completion_tokens=0, cost=0.25),), A, check=counts(1_000_000, 0, 0, 2.0),
            settings={"prices": {"prompt": 2.0, "cached": 0.0, "completion": 0.0}}),
        Row(group, "`total_tokens` alone", (usage(total_tokens=9),), A, check=counts(9, 0, 0)),
        Row(group, "none", (json_reply(whole() | {"usage": None}),), A, check=lambda answer: answer.usage is None),
    ]  # fmt: skip


def _streams() -> list[Row]:
    group = "Streams"

    def counted(answer: Completion) -> bool:
        return answer.usage is not None and answer.usage.total_tokens == 12

    end = ({"choices": [], "usage": USED}, DONE)
    proof = (chunk("Pro"), chunk("of."), chunk(None, 0, "stop"))
    parts = chunk(None, content=[{"type": "text", "text": "Proof."}])
    symbols = event(chunk("∀ε", 0, "stop")).replace(b"\\u2200", "∀".encode()) + DONE
    lines = b"".join(event(piece) for piece in (*proof, end[0])) + DONE
    return [
        Row(group, "a good stream", (stream(*proof, *end),), A, check=lambda it: is_text("Proof.")(it) and counted(it)),
        Row(group, "reasoning, then text", (stream(chunk(None, reasoning_content="Hm."), *proof, *end),), A,
            check=is_text("Proof.", "Hm.")),
        Row(group, "content in parts", (stream(parts, *proof[2:], DONE),), A,
             check=is_text("Proof.")),
        Row(group, "keepalive comments",
            (stream(b": PROCESSING\n\n", *proof[:1], b": keep-alive\n\n", *proof[1:], *end),), A,
             check=is_text("Proof.")),
        Row(group, "carriage returns, no space after `data:`",
            (stream(lines.replace(b"\n", b"\r\n").replace(b"data: ", b"data:")),), A, check=is_text("Proof.")),
        Row(group, "pieces cut in the middle of a character",
            (stream(*[bytes([byte]) for byte in symbols]),), A,
             check=is_text("∀ε")),
        Row(group, "no `[DONE]`, but a finish reason", (stream(*proof),), A, check=is_text("Proof.")),
        Row(group, "`[DONE]` without a finish reason", (stream(*proof[:2], DONE),), CUT, check=ends("unknown")),
        Row(group, "a connection that breaks in the middle", (stream(*proof[:2], None),), AGAIN, 2),
        Row(group, "an end in the middle, without an error", (stream(*proof[:2]),), AGAIN, 2),
        Row(group, "an error event in the middle, with usage",
            (stream(*proof[:1], {"error": {"code": 502, "message": "x"}, "usage": USED}, *end),), AGAIN, 2, tokens=12),
        Row(group, "an error event of a rate limit", (stream({"error": {"code": 429, "message": "x"}}, DONE),),
            PAUSED, 2),
        Row(group, "an event that is no JSON", (stream(*proof[:1], b"data: {oops\n\n"),), AGAIN, 2),
        Row(group, "silence for longer than `idle_timeout`", (stream(*proof[:1], 60.0),), AGAIN, 2,
            settings={"idle_timeout": 0.3}),
        Row(group, "comments alone for longer than `request_timeout`", (stream(*[b": wait\n\n", 0.1] * 600),), AGAIN, 2,
            settings={"request_timeout": 0.4, "idle_timeout": 0.2}),
        Row(group, "two choices, of which one breaks off", (GOOD_THEN_CUT,), A, n=2, check=is_text("One")),
        Row(group, "`n` choices in turns", (stream(chunk("A", 1), chunk("B", 0), chunk(None, 1, "stop"),
            chunk(None, 0, "stop"), *end),), A, n=2, check=is_text("B")),
        Row(group, "usage in every chunk", (stream(*({**piece, "usage": USED} for piece in proof), DONE),), A,
            check=counted),
        Row(group, "400 for `stream`", (), CHANGED, 2, last=refusing("stream")),
        Row(group, "400 for `stream_options`", (), CHANGED, 2, last=refusing("stream_options")),
        Row(group, "plain JSON although a stream was asked for", (json_reply(whole()),), A, check=is_text("Proof.")),
    ]  # fmt: skip


ROWS = (*_shapes(), *_usage(), *_streams())
