"""Rows of the table of server behaviors: what proxies and gateways do to a response on its way."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from typing import Any

from tests.fake_server import DONE, FakeServer, Reply, Streamed, chunk, event
from tests.policy.behavior_row import AGAIN, CUT, JSON, A, Row, ends, is_text, usage, whole

GOOD = json.dumps(whole()).encode()
HTML = b"<!DOCTYPE html><html><title>Login</title></html>"
SENT = [event(chunk("Pro", role="assistant")), event(chunk("of.")), event(chunk(None, reason="stop")), DONE]


async def _slow(body: Mapping[str, Any], server: FakeServer) -> Reply:
    await asyncio.sleep(3)
    return 200, JSON, GOOD


def _choices(*indices: int | str | None) -> Reply:
    choices = [whole(f"{place}.")["choices"][0] | {"index": index} for place, index in enumerate(indices)]
    return 200, JSON, json.dumps(whole() | {"choices": choices}).encode()


def _bodies() -> list[Row]:
    group = "Proxies and gateways"
    found = is_text("Proof.")
    return [
        Row(group, "a byte order mark before the JSON", ((200, JSON, b"\xef\xbb\xbf" + GOOD),), A, check=found),
        Row(group, "JSON in UTF-16", ((200, JSON, json.dumps(whole()).encode("utf-16")),), A, check=found),
        Row(group, "compressed JSON", ((200, {**JSON, "content-encoding": "gzip"}, gzip.compress(GOOD, mtime=0)),), A,
            check=found),
        Row(group, "blank lines before the JSON, to keep the connection", ((200, JSON, b"\n \n\n" + GOOD + b"\n"),), A,
            check=found),
        Row(group, "JSON in pieces, cut in the middle of a key",
            (Streamed([GOOD[:25], 0.01, GOOD[25:]], content_type="application/json"),), A, check=found),
        Row(group, "a page of a login with status 200, called JSON", ((200, JSON, HTML),), AGAIN, 2),
        Row(group, "two JSON values in one body", ((200, JSON, GOOD + b"\n" + GOOD),), AGAIN, 2),
        Row(group, "JSON, then the beginning of an error page", ((200, JSON, GOOD + HTML),), AGAIN, 2),
        Row(group, "headers that take longer than `request_timeout`", (_slow,), AGAIN, 2,
            settings={"request_timeout": 1.0}),
        Row(group, "a connection closed after the headers", (Streamed([None], content_type="application/json"),), AGAIN,
            2),
        Row(group, "204 without a body", ((204, {}, b""),), AGAIN, 2),
        Row(group, "a redirect to another path (307)", ((307, {"location": "/v2/chat/completions"}, b""),), A, 2),
        Row(group, "a redirect that loses the request (302)", ((302, {"location": "/login"}, b""), (200, {}, HTML)),
            AGAIN, 3),
        Row(group, "choices in another order than their index", (_choices(1, 0),), A, n=2, check=is_text("1.")),
        Row(group, "choices with one index for all", (_choices(0, 0),), A, n=2, check=is_text("0.")),
        Row(group, "an index that is text, or missing", (_choices("1", None),), A, n=2, check=is_text("0.")),
        Row(group, "negative tokens", (usage(prompt_tokens=-5, completion_tokens=-1),), A, tokens=0),
        Row(group, "a cost that is no number", (usage(prompt_tokens=5, completion_tokens=2, cost=float("nan")),), A,
            tokens=0, check=lambda answer: answer.usage is not None and answer.usage.cost == 0),
        Row(group, "`STOP`, as a gateway of Gemini writes it", ((200, JSON, json.dumps(whole(finish_reason="STOP"))
            .encode()),), A, check=ends("stop")),
        Row(group, "`end_turn`, as a gateway of Claude writes it", ((200, JSON,
            json.dumps(whole(finish_reason="end_turn")).encode()),), CUT, check=ends("end_turn")),
    ]  # fmt: skip


def _streams() -> list[Row]:
    group = "Streams through proxies"
    asked = {"stream": "true"}
    found = is_text("Proof.")
    split = json.dumps(chunk("Proof.", reason="stop"), indent=1).encode().replace(b"\n", b"\ndata: ")
    return [
        Row(group, "a stream called text/plain", (Streamed(SENT, content_type="text/plain"),), A, check=found,
            settings=asked),
        Row(group, "a stream called application/json", (Streamed(SENT, content_type="application/json"),), A,
            check=found, settings=asked),
        Row(group, "a byte order mark before the first event", (Streamed([b"\xef\xbb\xbf", *SENT]),), A, check=found,
            settings=asked),
        Row(group, "an event whose data is in several lines", (Streamed([b"data: " + split + b"\n\n", DONE]),), A,
            check=found, settings=asked),
        Row(group, "compressed as a whole", (Streamed([gzip.compress(b"".join(SENT), mtime=0)],
            headers={"content-encoding": "gzip"}),), A, check=found, settings=asked),
        Row(group, "an error page in the middle", (Streamed([SENT[0], HTML + b"\n\n"]),), AGAIN, 2, settings=asked),
        Row(group, "headers, then nothing, then the end", (Streamed([0.01]),), AGAIN, 2, settings=asked),
        Row(group, "choices that nobody asked for",
            (Streamed([event(chunk("Proof.", reason="stop")), event(chunk("Else.", 5, reason="stop")), DONE]),), A,
            check=found, settings=asked),
    ]  # fmt: skip


ROWS: tuple[Row, ...] = (*_bodies(), *_streams())
