"""A DSA model in the process as a policy: the loop runs on it, and training reads from it what was drawn."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from core.errors import LemmataError
from model import load_pretrained, save_pretrained
from model.chat import Chat
from model.tokenizer import byte_tokenizer
from policy.interface import Message, Prompt, PromptRefused, Sampling, ToolCall, ToolSpec, user_prompt
from policy.local import Local
from policy.local_config import LocalConfig
from tests.model.tiny import byte_model
from tests.presets import local_config

SAMPLING = Sampling(n=3, max_tokens=20, seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = byte_tokenizer()
    model = byte_model(vocab_size=len(tokenizer), max_position_embeddings=8192)
    save_pretrained(model, folder, tokenizer)
    return folder


def config(folder: Path, **changes: Any) -> LocalConfig:
    return replace(local_config(model=str(folder), engine={"capture_routing": True}), **changes)


def test_answers_with_what_was_drawn(folder: Path) -> None:
    async def run() -> None:
        local = Local("policy", config(folder))
        groups = await local.sample([user_prompt("Prove it."), user_prompt("And that.")], SAMPLING)
        await local.close()
        assert [len(group) for group in groups] == [3, 3]
        for group in groups:
            first, *others = group
            assert first.usage is not None
            assert not any(other.usage for other in others)
            drawn = [one.sampled.completion for one in group if one.sampled]
            assert first.usage.completion_tokens == sum(len(one.token_ids) for one in drawn)
            assert first.sampled is not None
            assert first.usage.prompt_tokens == len(first.sampled.prompt_ids)
            assert first.model == "tiny"

    asyncio.run(run())


def test_log_probabilities_are_those_of_a_pass_over_prompt_and_answer(folder: Path) -> None:
    async def run() -> None:
        local = Local("policy", config(folder, thinking=False))
        ((answer, *_),) = await local.sample([user_prompt("Prove it.")], SAMPLING)
        await local.close()
        assert answer.sampled is not None
        prompt, drawn = list(answer.sampled.prompt_ids), answer.sampled.completion
        chat = Chat(byte_tokenizer())
        assert prompt == list(chat.render([{"role": "user", "content": "Prove it."}], thinking=False))
        with torch.no_grad():
            logits = load_pretrained(folder)(torch.tensor([[*prompt, *drawn.token_ids]]))[0, len(prompt) - 1 : -1]
        expected = logits.log_softmax(-1).gather(1, torch.tensor(drawn.token_ids).unsqueeze(1)).squeeze(1)
        assert drawn.logprobs == pytest.approx(expected.tolist(), abs=1e-4)
        assert drawn.routing is not None
        assert len(drawn.routing) == len(prompt) + len(drawn.token_ids) - 1

    asyncio.run(run())


def test_tools_are_told_in_the_form_of_the_chat_template(folder: Path) -> None:
    call = ToolCall("c", "python", '{"code": "1"}')
    turn = Message("assistant", "I compute.", reasoning="a thought", tool_calls=(call,))
    prompt = Prompt((Message("user", "Prove it."), turn, Message("tool", "the output", tool_call_id="c")))
    tool = ToolSpec("python", "Runs code.", {"type": "object"})

    async def run(**changes: Any) -> str:
        local = Local("policy", config(folder))
        [[completion]] = await local.sample([prompt], Sampling(max_tokens=4, seed=5, tools=(tool,), **changes))
        await local.close()
        assert completion.sampled is not None
        return str(byte_tokenizer().decode(list(completion.sampled.prompt_ids)))

    told = asyncio.run(run())
    assert '"name": "python"' in told
    assert "<think>a thought</think>I compute.<｜tool▁calls▁begin｜>" in told
    assert told.count("the output") == 1
    assert '"name": "python"' not in asyncio.run(run(may_call=False))


def test_calls_of_a_model_in_this_process_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model this small writes none itself, so the text of its completion is put in place of what it drew."""
    call = '<｜tool▁call▁begin｜>python<｜tool▁sep｜>{"code": "1"}<｜tool▁call▁end｜>'
    text = f"</think>Now.<｜tool▁calls▁begin｜>{call}<｜tool▁calls▁end｜>"

    async def run(tools: tuple[ToolSpec, ...]) -> tuple[str, tuple[ToolCall, ...]]:
        local = Local("policy", config(folder))
        generate = local._service.generate

        async def written(*arguments: Any) -> Any:
            request = await generate(*arguments)
            for completion in request.completions:
                completion.text = text
            return request

        monkeypatch.setattr(local._service, "generate", written)
        [[completion]] = await local.sample([user_prompt("Prove it.")], Sampling(max_tokens=4, seed=5, tools=tools))
        await local.close()
        return completion.text, completion.tool_calls

    with_tools = asyncio.run(run((ToolSpec("python", "Runs code.", {}),)))
    assert with_tools == ("Now.", (ToolCall("call_0", "python", '{"code": "1"}'),))
    assert asyncio.run(run(()))[1] == ()


def test_same_seed_same_answers(folder: Path) -> None:
    async def run() -> list[str]:
        local = Local("policy", config(folder))
        ((*group,),) = await local.sample([user_prompt("Prove it.")], SAMPLING)
        await local.close()
        return [(one.reasoning or "") + one.text for one in group]

    assert asyncio.run(run()) == asyncio.run(run())


def test_a_prompt_beyond_the_context_is_refused(folder: Path) -> None:
    async def run() -> None:
        local = Local("policy", config(folder))
        with pytest.raises(PromptRefused, match="tokens"):
            await local.sample([user_prompt("x" * 9000)], SAMPLING)
        await local.close()

    asyncio.run(run())


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match="policy 'judge'"):
        Local("judge", config(tmp_path / "nothing"))


def test_damaged_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    model = load_pretrained(folder)
    with torch.no_grad():
        model.model.norm.weight.fill_(torch.nan)
    save_pretrained(model, tmp_path / "damaged", byte_tokenizer())

    with pytest.raises(LemmataError, match=r"NaN.*model\.norm\.weight"):
        Local("policy", config(tmp_path / "damaged"))


def test_a_failing_engine_stops_the_run(folder: Path) -> None:
    async def run() -> None:
        local = Local("policy", config(folder))
        with torch.no_grad():
            local.module.model.norm.weight.fill_(torch.nan)
        with pytest.raises(LemmataError, match="NaN"):
            await local.sample([user_prompt("Prove it.")], SAMPLING)
        await local.close()

    asyncio.run(run())


def test_a_setting_out_of_range(folder: Path) -> None:
    async def run() -> None:
        local = Local("policy", config(folder))
        with pytest.raises(LemmataError, match="sampling: a stop string must not be empty"):
            await local.sample([user_prompt("Prove it.")], replace(SAMPLING, stop=("",)))
        await local.close()

    asyncio.run(run())
