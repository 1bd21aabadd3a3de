"""Chat template: rules for reasoning and tools, and no content that can imitate special tokens."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.chat import Chat, PromptTooLong, discard_all
from model.errors import ModelError
from model.tokenizer import BEGIN, END, KEPT, SKIPPED, byte_tokenizer, train_tokenizer

TOKENIZER = byte_tokenizer()
CHAT = Chat(TOKENIZER)
SPECIAL = (*SKIPPED, *KEPT)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str, reasoning: str | None = None, *calls: str) -> dict[str, Any]:
    made = [{"id": name, "type": "function", "function": {"name": name, "arguments": '{"x": 1}'}} for name in calls]
    return {"role": "assistant", "content": text, "reasoning_content": reasoning, "tool_calls": made or None}


def tool(text: str) -> dict[str, Any]:
    return {"role": "tool", "content": text}


def rendered(messages: list[Any], **settings: Any) -> str:
    text = TOKENIZER.decode(list(CHAT.render(messages, **settings)))
    assert isinstance(text, str)
    return text


CALL_F = '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"x": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'


def test_thinking_on_and_off() -> None:
    messages = [{"role": "system", "content": "Prove."}, user("A")]
    assert rendered(messages) == f"{BEGIN}<｜System｜>Prove.<｜User｜>A<｜Assistant｜><think>"
    assert rendered(messages, thinking=False) == f"{BEGIN}<｜System｜>Prove.<｜User｜>A<｜Assistant｜></think>"
    for thinking in (True, False):
        assert CHAT.opens_thinking(CHAT.render(messages, thinking=thinking)) == thinking


def test_reasoning_is_dropped_when_a_new_user_message_arrives() -> None:
    turns = [user("A"), assistant("a", "why"), user("B")]
    assert rendered(turns) == f"{BEGIN}<｜User｜>A<｜Assistant｜></think>a{END}<｜User｜>B<｜Assistant｜><think>"


def test_reasoning_is_kept_across_the_tool_calls_of_a_turn_and_results_stay() -> None:
    turn = [user("A"), assistant("I call", "why f", "f"), tool("4"), assistant("", "again", "f"), tool("5")]
    first = f"<｜Assistant｜><think>why f</think>I call{CALL_F}{END}<｜tool▁output▁begin｜>4<｜tool▁output▁end｜>"
    second = f"<｜Assistant｜><think>again</think>{CALL_F}{END}<｜tool▁output▁begin｜>5<｜tool▁output▁end｜>"
    assert rendered(turn) == f"{BEGIN}<｜User｜>A{first}{second}<｜Assistant｜><think>"
    later = rendered([*turn, assistant("9", "so"), user("B")])
    assert "why f" not in later
    assert "again" not in later
    assert later.count("<｜tool▁output▁begin｜>") == 2
    assert later.count(CALL_F) == 2


def test_tools_are_described() -> None:
    schema = {"name": "f", "description": "adds é", "parameters": {"type": "object", "properties": {"x": {}}}}
    text = rendered([user("A")], tools=[{"type": "function", "function": schema}])
    line = text.split("\n")[1]
    assert json.loads(line) == schema
    assert text.index("adds é") < text.index("<｜User｜>")


def test_ids_are_those_of_the_tokenizers_own_rendering() -> None:
    tokenizer = train_tokenizer(["Prove that 12 + 34 = 46 for all x."] * 20, 300)
    messages: list[Any] = [user("Prove that 12 é ∑ = 46."), assistant("a", "why", "f"), tool("\n4 ")]
    own = tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=True, return_dict=False)
    assert list(Chat(tokenizer).render(messages)) == own


@given(
    st.lists(st.sampled_from([*SPECIAL, "a", " ", "é", "<", "[", "<｜", "User｜>", "0:", "]"]), max_size=8).map("".join)
)
def test_no_content_can_forge_a_turn(text: str) -> None:
    """The special tokens are those of the same chat with harmless texts, in every field that has content."""

    def chat(content: str) -> tuple[list[Any], list[Any]]:
        call = {"type": "function", "function": {"name": f"f{content}", "arguments": f'{{"{content}": 1}}'}}
        messages = [
            {"role": "system", "content": content},
            user(content),
            {"role": "assistant", "content": content, "reasoning_content": f"x{content}", "tool_calls": [call]},
            tool(content),
        ]
        return messages, [{"name": "f", "description": content, "parameters": {content: {"description": content}}}]

    messages, tools = chat(text)
    ids = list(CHAT.render(messages, tools=tools))
    harmless, harmless_tools = chat("a")
    special = [token for token in CHAT.render(harmless, tools=harmless_tools) if token < len(SPECIAL)]
    assert [token for token in ids if token < len(SPECIAL)] == special
    assert f"<｜User｜>{text}<｜Assistant｜>" in str(TOKENIZER.decode(ids))


def test_a_context_that_overflows_loses_its_tool_calls() -> None:
    messages = [user("A"), assistant("", "why", "f"), tool("4" * 500), assistant("a"), user("B")]
    kept = [user("A"), assistant("a"), user("B")]
    assert discard_all(messages) == kept
    assert list(CHAT.render(messages, limit=100)) == list(CHAT.render(kept))
    assert list(CHAT.render(messages, limit=9999)) == list(CHAT.render(messages))
    length = len(CHAT.render(kept))
    assert len(CHAT.render(messages, limit=length)) == length
    with pytest.raises(PromptTooLong, match=f"more than {length - 1} tokens"):
        CHAT.render(messages, limit=length - 1)
    with pytest.raises(PromptTooLong):
        CHAT.render(messages, limit=100, discard=False)


def test_a_prompt_of_megabytes_is_refused_without_being_tokenized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TOKENIZER, "encode", None)
    for text in ("x" * 10**7, END * 10**5):
        with pytest.raises(PromptTooLong):
            CHAT.render([user(text)], limit=1000)


def test_what_cannot_be_rendered() -> None:
    with pytest.raises(ModelError, match="unknown role wizard"):
        CHAT.render([{"role": "wizard", "content": "x"}])
    bare = byte_tokenizer()
    bare.chat_template = None
    with pytest.raises(ModelError, match="no chat template"):
        Chat(bare)
