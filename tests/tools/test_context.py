"""Context policies, and the rule of thinking, which the shipped chat template follows too."""

import copy
from typing import Any

import pytest

from core.errors import LemmataError
from policy.history import History, HistoryTurn, estimated_tokens, without_old_thinking
from policy.interface import Message, ToolCall
from policy.request import message_body
from tests.model.test_chat import rendered
from tools.context import POLICIES, context_policy


def turn(number: int) -> HistoryTurn:
    call = ToolCall(f"c{number}", "python", f'{{"code": "{number}"}}')
    message = Message("assistant", f"Turn {number}.", reasoning=f"thought {number}", tool_calls=(call,))
    return HistoryTurn(f"t{number}", message, (Message("tool", f"output {number}", tool_call_id=call.id),))


def history(turns: int, summary: str | None = None) -> History:
    return History((Message("user", "Prove it."),), tuple(map(turn, range(turns))), summary)


@pytest.mark.parametrize(
    ("name", "turns", "kept"),
    [
        ("none", 9, range(9)), ("discard_all", 9, []), ("discard_75", 8, [6, 7]), ("discard_75", 9, [7, 8]),
        ("discard_75", 3, []), ("discard_75", 1, []), ("summary", 5, []),
    ],
)  # fmt: skip
def test_a_policy_keeps_the_prompt_and_some_turns(name: str, turns: int, kept: Any) -> None:
    before = history(turns)
    after = POLICIES[name](before, "It is 42." if name == "summary" else None)
    assert [one.id for one in after.turns] == [f"t{number}" for number in kept]
    assert after.start == before.start
    assert before == history(turns)
    assert ("It is 42." in after.messages[0].content) == (name == "summary")


def test_a_later_summary_takes_the_place_of_an_earlier_one() -> None:
    after = POLICIES["summary"](history(3, "first"), "second")
    assert "first" not in after.messages[0].content
    assert after.messages[0].content.endswith("second")


def test_an_unknown_policy_is_named() -> None:
    with pytest.raises(LemmataError, match="discard_some"):
        context_policy("discard_some")


def test_estimates_grow_with_what_is_shown() -> None:
    sizes = [estimated_tokens(history(turns).messages) for turns in range(5)]
    assert sizes == sorted(set(sizes))


def conversations() -> list[tuple[Message, ...]]:
    loop = history(2).messages
    end = Message("assistant", "The answer.", reasoning="last thought")
    return [
        loop,
        (*loop, end),
        (*loop, end, Message("user", "And now?")),
        (*loop, end, Message("user", "And now?"), *turn(7).messages),
        (Message("system", "Be brief."), *loop, Message("user", "Go on."), *turn(8).messages, end),
        (Message("assistant", "Hello.", reasoning="a thought before any user message"),),
    ]


@pytest.mark.parametrize("messages", conversations())
def test_thinking_is_kept_in_a_tool_loop_and_dropped_at_the_next_user_message(messages: tuple[Message, ...]) -> None:
    bodies = [message_body(message) for message in without_old_thinking(messages)]
    before = [message_body(message) for message in messages]
    assert bodies == published(before)
    if messages[0].role != "assistant":
        assert rendered(bodies) == rendered(before)  # the template leaves out the same


def published(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rule as DeepSeek-V3.2's published encoding states it: no reasoning before the last user message."""
    last = -1
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] in ("user", "developer"):
            last = index
            break
    kept = []
    for index, message in enumerate(messages):
        if message["role"] in ("user", "system", "tool") or index >= last:
            kept.append(message)
        else:
            without = copy.copy(message)
            without.pop("reasoning_content", None)
            kept.append(without)
    return kept
