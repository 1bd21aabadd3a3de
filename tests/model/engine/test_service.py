"""Engine service: concurrent callers, cancellation, failing steps."""

import asyncio
import threading

import pytest

from tests.clocks import HANG

pytest.importorskip("torch")

import torch

from model.engine import EngineConfig, EngineService, LLMEngine, Request, SamplingParams
from model.engine.text import TextStream
from model.errors import ModelError
from tests.model.tiny import byte_model, byte_tokenizer

FREE = SamplingParams(max_tokens=12, ignore_eos=True, seed=1)


@pytest.fixture
def service() -> EngineService:
    return EngineService(LLMEngine(byte_model(), byte_tokenizer(), EngineConfig(cache_tokens=4096)))


async def settled(service: EngineService) -> None:
    """Waits until the thread has run all earlier calls."""
    await asyncio.wrap_future(service.run(lambda: None))


def test_many_callers(service: EngineService) -> None:
    async def run() -> list[Request]:
        return await asyncio.gather(*(service.generate(f"{caller}", FREE) for caller in range(100)))

    together = asyncio.run(run())
    service.close()
    alone = LLMEngine(byte_model(), byte_tokenizer()).generate([f"{caller}" for caller in range(100)], FREE)
    assert [request.completions[0].token_ids for request in together] == [one.token_ids for (one,) in alone]


def test_a_fault_of_one_completion_ends_its_request_alone(
    service: EngineService, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = TextStream.add
    poisoned: list[TextStream] = []

    def fail_once(stream: TextStream, token: int) -> None:
        if len(stream.text) == 5 and not poisoned:
            poisoned.append(stream)
        if stream in poisoned:
            raise RuntimeError("Invalid prefix encountered")
        add(stream, token)

    monkeypatch.setattr(TextStream, "add", fail_once)
    several = SamplingParams(max_tokens=12, ignore_eos=True, seed=1, n=3)

    async def run() -> list[Request | BaseException]:
        calls = (service.generate(f"{caller}", several) for caller in range(8))
        return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(run())
    failed = [result for result in results if isinstance(result, BaseException)]
    assert [str(error) for error in failed] == ["Invalid prefix encountered"]
    whole = [result for result in results if isinstance(result, Request)]
    assert all(len(completion.token_ids) == 12 for request in whole for completion in request.completions)
    assert service.failure is None
    assert service.engine.pages_available == 4096 // service.engine.config.page_size
    service.close()


def test_a_stream_grows_to_its_end(service: EngineService) -> None:
    async def run() -> None:
        lengths = [len(request.completions[0].token_ids) async for request in service.stream("x", FREE)]
        assert lengths == sorted(lengths)
        assert lengths[-1] == 12
        last = [len(one.completions[0].token_ids) async for one in service.stream("x", FREE, partial=False)]
        assert last == [12]

    async def slow() -> None:
        seen = []
        async for request in service.stream("x", FREE):
            seen.append(request.finished)
            while not request.finished:  # the engine runs ahead of the caller
                await asyncio.to_thread(threading.Event().wait, 0.01)
        assert len(seen) <= 12
        assert seen[-1]

    asyncio.run(run())
    asyncio.run(slow())
    service.close()


def test_a_canceled_request_frees_its_pages(service: EngineService) -> None:
    endless = SamplingParams(max_tokens=200, ignore_eos=True)

    async def leave(after: int) -> None:
        stream = service.stream("x", endless)
        for _ in range(after):
            await anext(stream)
        await stream.aclose()

    async def run() -> None:
        await asyncio.gather(*(leave(caller % 4) for caller in range(20)))
        waiting = [asyncio.create_task(service.generate("y", endless)) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await settled(service)
        assert service.engine.idle
        assert service.engine.pages_available == 4096 // 64

    asyncio.run(run())
    service.close()


def test_a_refused_prompt_does_not_affect_others(service: EngineService) -> None:
    async def run() -> None:
        good, bad = await asyncio.gather(
            service.generate("x", FREE), service.generate("", FREE), return_exceptions=True
        )
        assert isinstance(good, Request)
        assert isinstance(bad, ModelError)

    asyncio.run(run())
    service.close()


def test_a_failed_step_fails_its_requests_and_no_later_ones() -> None:
    service = EngineService(LLMEngine(byte_model(index_topk=256), byte_tokenizer(), EngineConfig(cache_tokens=4096)))
    weight = dict(service.engine.module.named_parameters())["model.layers.0.input_layernorm.weight"]
    prompt = "x" * 100  # more than a page; pages of the failed step must not be reused

    def scale(factor: float) -> None:
        with torch.no_grad():
            weight.fill_(factor)

    async def run() -> None:
        await asyncio.wrap_future(service.run(lambda: scale(torch.nan)))
        failed = await asyncio.gather(*(service.generate(prompt, FREE) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(error, ModelError) and "NaN" in str(error) for error in failed)
        await asyncio.wrap_future(service.run(lambda: scale(1.0)))
        assert (await service.generate(prompt, FREE)).finished

    asyncio.run(run())
    service.close()


def test_closing_fails_running_requests(service: EngineService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.engine, "step", list)  # no completion grows: the request runs when the service closes

    async def run() -> None:
        task = asyncio.create_task(service.generate("x", FREE))
        while service.engine.idle:  # noqa: ASYNC110  the engine's thread adds the request
            await asyncio.sleep(0.01)
        await asyncio.to_thread(service.close)
        with pytest.raises(ModelError, match="closed"):
            await task

    asyncio.run(run())


def test_calls_after_closing_fail(service: EngineService) -> None:
    service.close()
    with pytest.raises(ModelError, match="closed"):
        asyncio.run(asyncio.wait_for(service.generate("x", FREE), HANG))
