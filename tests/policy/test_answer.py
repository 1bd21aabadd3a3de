"""Parser of chat completions: text, reasoning, finish reason, usage and its cost."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.records import Analysis, Proof, Usage
from tests.fake_server import Behavior, FakeServer, Reply, completion, json_reply, role_of
from tests.policy.rig import Script, ask, rig
from tests.presets import LIGHT, prices_config
from tests.scripted import analysis_text, generated, loop_of, open_recorder, proof_text, records_of


def _changed(**changes: Any) -> Behavior:
    """A good answer with parts of its choice or, by ``usage``, of the whole changed."""

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        value = completion(body, ["text"], **{key: item for key, item in changes.items() if key != "usage"})
        return json_reply(value | ({"usage": changes["usage"]} if "usage" in changes else {}))

    return behave


def _message(**message: Any) -> Behavior:
    return _changed(message={"role": "assistant", **message})


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_kept_apart(name: str) -> None:
    [answer] = ask(_message(content="Proof.", **{name: "Let me see."}))
    assert (answer.text, answer.reasoning) == ("Proof.", "Let me see.")


@pytest.mark.parametrize("message", [{"content": None}, {}, {"content": ""}, {"content": None, "reasoning": None}])
def test_an_answer_without_content_is_an_empty_text(message: dict[str, Any]) -> None:
    [answer] = ask(_message(**message))
    assert (answer.text, answer.reasoning) == ("", None)


def test_a_lone_surrogate_anywhere_can_still_be_written_down() -> None:
    reply = {
        "model": "m\udfff",
        "choices": [
            {"message": {"content": "a\ud800b \ud83d\ude00", "reasoning": "\udc00"}, "finish_reason": "st\ud800op"}
        ],
    }
    [answer] = ask(Script(json_reply(reply)))
    assert answer.text == "a\ufffdb \U0001f600"
    for text in (answer.text, answer.reasoning, answer.model, answer.finish_reason):
        assert text
        text.encode()


@pytest.mark.parametrize(("given", "kept"), [("length", "length"), ("stop", "stop"), (None, "unknown")])
def test_the_finish_reason_is_kept(given: str | None, kept: str) -> None:
    assert ask(_changed(finish_reason=given))[0].finish_reason == kept


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=utf-8", "application/vnd.x+json", ""])
def test_json_is_read_whatever_its_content_type(kind: str) -> None:
    value = completion({"model": "m", "messages": []}, ["Proof."])
    [answer] = ask(Script((200, {"content-type": kind} if kind else {}, json.dumps(value).encode())))
    assert answer.text == "Proof."


def test_usage_and_its_cost() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 300},
    }
    [answer] = ask(_changed(usage=usage), prices=prices_config(prompt=2.0, cached=0.5, completion=10.0))
    assert answer.usage is not None
    assert replace(answer.usage, cost=0.0) == Usage(1000, 400, 500, 300)
    assert answer.usage.cost == pytest.approx((600 * 2 + 400 * 0.5 + 500 * 10) / 1e6)


@pytest.mark.parametrize("usage", [None, [], "7", {}, {"prompt_tokens": None, "completion_tokens": "7"}])
def test_usage_that_is_not_reported_is_none(usage: Any) -> None:
    assert ask(_changed(usage=usage))[0].usage is None


@pytest.mark.parametrize("count", [-5, float("nan"), True, 10**400, None, [1]])
def test_a_count_that_is_none_counts_as_nothing(count: Any) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": count, "prompt_tokens_details": count}
    assert ask(_changed(usage=usage))[0].usage == Usage(prompt_tokens=3)


def test_a_think_tag_in_prose_is_part_of_the_proof_and_of_the_verdict(tmp_path: Path) -> None:
    """With reasoning apart; from a server to the record, what a verifier is shown, and the verdict."""
    prose = "The parser drops `<think>`, never `</think>`; hence the claim."

    async def answer(body: Mapping[str, Any], server: FakeServer) -> Reply:
        role = role_of(body["messages"][0]["content"])
        text = proof_text(prose) if role == "prover" else analysis_text(1, f"It quotes {prose}")
        value = completion(body, [text] * body.get("n", 1))
        for number, choice in enumerate(value["choices"]):
            choice["message"]["reasoning_content"] = f"Thought {number}."
        return json_reply(value)

    async def main() -> None:
        async with rig(answer) as it:
            recorder = open_recorder(tmp_path)
            await loop_of(it.throttle, replace(LIGHT, proofs=1, rounds=1)).run(recorder)
            records = records_of(recorder.log)
        [proof, *_] = generated(records, Proof)
        assert proof.body == prose
        assert proof.faults == ()
        assert {analysis.score for analysis in generated(records, Analysis)} == {1.0}
        assert len(generated(records, Analysis)) == 4

    asyncio.run(main())
