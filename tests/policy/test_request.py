"""Request bodies of an endpoint."""

import asyncio
from typing import Any

import pytest

from core.errors import LemmataError
from policy.interface import Sampling
from tests.fake_server import well_behaved
from tests.policy.rig import PROMPT, ask_raw, rig


def _sent(sampling: Sampling, **settings: Any) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        async with rig(well_behaved, **settings) as it:
            await it.endpoint.sample([PROMPT], sampling)
            return it.server.requests[0]

    return asyncio.run(main())


def test_the_request_holds_the_sampling() -> None:
    sampling = Sampling(n=2, temperature=0.6, top_p=0.9, max_tokens=77, stop=("END",), seed=5)
    body = _sent(
        sampling, token_limit_name="max_completion_tokens", extra_body={"top_k": 20, "nested": {"a": [1]}}, stream=False
    )
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Prove it."}],
        "n": 2,
        "temperature": 0.6,
        "top_p": 0.9,
        "max_completion_tokens": 77,
        "stop": ["END"],
        "seed": 5,
        "top_k": 20,
        "nested": {"a": [1]},
    }


def test_what_is_not_set_is_not_sent() -> None:
    assert set(_sent(Sampling(seed=5), send_seed=False, stream=False)) == {
        "model", "messages", "temperature", "top_p"
    }  # fmt: skip
    assert set(_sent(Sampling(temperature=None, top_p=None), stream=False)) == {"model", "messages"}


@pytest.mark.parametrize("stream", ["auto", True])
def test_a_stream_is_asked_for_with_its_usage(stream: bool | str) -> None:
    body = _sent(Sampling(), stream=stream)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_key_and_headers_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[str] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(b"HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n")

    monkeypatch.setenv("SOME_KEY", "secret")
    with pytest.raises(LemmataError, match="401"):
        ask_raw(keep, api_key_env="SOME_KEY", headers={"X-Team": "proofs"})
    assert "post /v1/chat/completions" in heads[0]
    assert "authorization: bearer secret" in heads[0]
    assert "x-team: proofs" in heads[0]
