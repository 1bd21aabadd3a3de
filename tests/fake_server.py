"""An OpenAI-compatible server for tests: a real HTTP server whose answers follow from prompt and seed, with faults.

It answers each role in the format that our prompts ask for, with scores drawn from a hash, so that two runs with the
same settings get the same answers whatever their timing. ``python -m tests.fake_server --port 8000`` serves alone.
"""

import argparse
import asyncio
import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCORES = ("0", "0.5", "1")
PHRASE = "Based on my evaluation, the final overall score should be:"
META_PHRASE = 'Based on my analysis, I will rate the "solution evaluation" as:'


@dataclass(frozen=True)
class Streamed:
    """A reply in pieces: bytes are sent, a number is a wait in seconds, None drops the connection."""

    pieces: Sequence[bytes | float | None]
    status: int = 200
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)


Reply = tuple[int, Mapping[str, str], bytes] | Streamed | None
Behavior = Callable[[Mapping[str, Any], "FakeServer"], Awaitable[Reply]]


def role_of(prompt: str) -> str:
    """The role whose template a prompt comes from."""
    if prompt.startswith("You grade a solution"):
        return "grader"
    if prompt.startswith("You are the referee of two proofs"):
        return "comparer"
    if "## Self Evaluation" in prompt:
        return "prover"
    return "meta_verifier" if "solution evaluation" in prompt else "verifier"


def answer_text(role: str, key: str) -> str:
    """A well-formed answer whose scores follow from ``key``."""
    draw = random.Random(key)
    score = draw.choice(SCORES)
    token = hashlib.sha256(key.encode()).hexdigest()[:12]
    if role == "prover":
        return f"## Solution\nProof {token}.\n\n## Self Evaluation\nIt is fine.\n{PHRASE} \\boxed{{{score}}}"
    if role == "grader":
        return f"Reasons: {token}\nFinal points:\n\\boxed{{{draw.randrange(8)}}}"
    if role == "comparer":
        return f"Compared: {token}\nBetter proof:\n\\boxed{{{draw.choice(['A', 'B', 'equal'])}}}"
    if role == "verifier":
        return f"Here is my evaluation of the solution: {token}\n{PHRASE} \\boxed{{{score}}}"
    return f'Here is my analysis of the "solution evaluation": {token}\n{META_PHRASE} \\boxed{{{score}}}'


def completion(body: Mapping[str, Any], texts: list[str], **changes: Any) -> dict[str, Any]:
    """A chat completion in OpenAI's form."""
    prompt = "".join(message["content"] for message in body["messages"])
    choice = {"finish_reason": "stop"} | changes
    return {
        "id": "x",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [
            {"index": i, "message": {"role": "assistant", "content": text}, **choice} for i, text in enumerate(texts)
        ],
        "usage": {"prompt_tokens": len(prompt) // 4, "completion_tokens": sum(len(t) // 4 for t in texts)},
    }


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON reply."""
    return status, {"content-type": "application/json", **(headers or {})}, json.dumps(value).encode()


def event(value: Any) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def chunk(text: str | None, index: int = 0, reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """A chunk of a streamed completion."""
    content = {"content": text} if text is not None else {}
    return {
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": index, "delta": {**content, **delta}, "finish_reason": reason}],
    }


def streamed(value: Mapping[str, Any], size: int = 16) -> Streamed:
    """A chat completion as a stream with pieces of ``size`` characters, as servers send it."""
    chunks: list[dict[str, Any]] = []
    for choice in value["choices"]:
        text, index = choice["message"]["content"], choice["index"]
        chunks.append({**chunk("", index, role="assistant"), "model": value["model"]})
        chunks += [chunk(text[start : start + size], index) for start in range(0, len(text), size)]
        chunks.append(chunk(None, index, choice["finish_reason"]))
    chunks.append({"model": value["model"], "choices": [], "usage": value["usage"]})
    return Streamed([*map(event, chunks), DONE])


async def streaming(body: Mapping[str, Any], server: "FakeServer") -> Reply:
    """The answers of `well_behaved`, streamed where the request asks for that."""
    reply = await well_behaved(body, server)
    assert isinstance(reply, tuple)
    return streamed(json.loads(reply[2])) if body.get("stream") else reply


async def well_behaved(body: Mapping[str, Any], server: "FakeServer") -> Reply:
    """Answers by role, prompt and seed; sample j of a request is drawn as its j-th."""
    prompt = "".join(message["content"] for message in body["messages"])
    role = role_of(prompt)
    texts = [answer_text(role, f"{prompt}|{body.get('seed')}|{j}") for j in range(body.get("n", 1))]
    return json_reply(completion(body, texts))


def with_faults(share: float, seed: int) -> Behavior:
    """A share of requests fails in one of the ways real servers do; the same request passes on another try."""
    generator = random.Random(seed)

    async def behave(body: Mapping[str, Any], server: "FakeServer") -> Reply:
        if generator.random() >= share:
            return await well_behaved(body, server)
        server.faults += 1
        return generator.choice(FAULTS)

    return behave


FAULTS: list[Reply] = [
    (429, {"retry-after": "0.01"}, b'{"error": {"message": "slow down"}}'),
    (500, {}, b'{"error": {"message": "oops"}}'),
    (503, {"content-type": "text/html"}, b"<html>busy</html>"),
    (200, {"content-type": "text/html"}, b"<html>not json</html>"),
    (200, {"content-type": "application/json"}, b'{"choices": []}'),
    (200, {"content-type": "application/json"}, b'{"choices": [{"index": 0, "message": {"content": "\xff\xfe"}}]}'),
    None,  # the connection is dropped
]


@dataclass
class FakeServer:
    """Serves chat completions on a port of 127.0.0.1. ``served`` lists (seed, n) of completed answers in order."""

    behavior: Behavior = well_behaved
    delay: float = 0.0
    log: Path | None = None
    faults: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    keep_requests: bool = True
    _server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        return self._server.sockets[0].getsockname()[1]

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0
        )
        body = json.loads(await reader.readexactly(length)) if length else {}
        if self.keep_requests:
            self.requests.append(body)
        if self.delay:
            await asyncio.sleep(self.delay)
        reply = await self.behavior(body, self)
        if reply is None:
            return False
        if self.log is not None and (reply.status if isinstance(reply, Streamed) else reply[0]) == 200:
            # Before the answer leaves, so that no client holds an answer that is not in the log yet.
            with self.log.open("a") as file:
                file.write(f"{body.get('seed')}\n")
        if isinstance(reply, Streamed):
            return await _write_streamed(reply, writer)
        status, headers, content = reply
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(content)}", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + content)
        await writer.drain()
        return True

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()


async def _write_streamed(reply: Streamed, writer: asyncio.StreamWriter) -> bool:
    """Writes a reply in HTTP chunks; returns whether the connection stays open."""
    headers = {"content-type": reply.content_type, "transfer-encoding": "chunked", **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{key}: {value}" for key, value in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    for piece in reply.pieces:
        if piece is None:
            return False
        if isinstance(piece, bytes):
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        else:
            await asyncio.sleep(piece)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def main() -> None:
    """Serve until killed; prints the port once it listens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--tools", action="store_true", help="a model that calls Python before each answer")
    options = parser.parse_args()

    async def serve() -> None:
        behavior = with_faults(options.faults, options.seed) if options.faults else streaming
        if options.tools:
            from tests.tools.toolboxes import PythonCalling  # noqa: PLC0415  which imports this module

            behavior = PythonCalling()
        server = FakeServer(behavior, options.delay, options.log, keep_requests=False)
        print(await server.start(options.port), flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
