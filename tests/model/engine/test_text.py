"""Incremental text of a completion: its end, and the part that is final."""

import pytest

pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.engine.text import MAX_HELD, CharacterStream, TextStream
from tests.model.tiny import byte_fallback_tokenizer, byte_model, byte_tokenizer

TOKENIZER = byte_tokenizer()
letters = st.text(alphabet="abX≤𝔸", max_size=30)


@given(text=letters, stop=st.lists(st.text(alphabet="abX≤", min_size=1, max_size=4), max_size=3))
def test_text_token_by_token(text: str, stop: list[str]) -> None:
    stream, shown = TextStream(TOKENIZER.backend_tokenizer, stop), ""
    for token in TOKENIZER(text)["input_ids"]:
        stream.add(token)
        assert stream.released.startswith(shown)  # released text is final
        shown = stream.released
        if stream.stopped:
            break
    whole = min((text.split(string, maxsplit=1)[0] for string in stop if string in text), key=len, default=text)
    # The stop string that ends first applies; with nested strings the text cannot be longer.
    assert stream.stopped == (stream.text != text or any(string in text for string in stop))
    if not stop:
        assert stream.text == text
    if stream.stopped:
        assert not any(string in stream.text for string in stop)
        assert len(whole) <= len(stream.text)
    assert stream.text.startswith(shown)


FALLBACK = byte_fallback_tokenizer()
BYTE = 3  # id of the first byte token


@settings(max_examples=300)
@given(st.lists(st.one_of(st.integers(BYTE, BYTE + 255), st.integers(BYTE + 256, len(FALLBACK) - 1)), max_size=40))
def test_any_bytes_with_byte_fallback(tokens: list[int]) -> None:
    stream, words = CharacterStream(FALLBACK.backend_tokenizer), BYTE + 256
    text = "".join(map(stream.add, tokens))
    if all(token >= words for token in tokens):
        assert text == FALLBACK.decode(tokens)
    end = "the" if tokens[-1:] == [len(FALLBACK) - 1] else ""
    assert text.endswith(end)
    # Invalid bytes remain visible, and take nothing else with them.
    for word in ("hi", "≤"):
        assert text.count(word) >= FALLBACK.decode([token for token in tokens if token >= words]).count(word)


@given(st.text(max_size=20))
def test_characters_in_bytes_arrive_whole(text: str) -> None:
    stream = CharacterStream(FALLBACK.backend_tokenizer)
    # The decoder of such a tokenizer takes a space off the start of a text.
    assert "".join(stream.add(BYTE + byte) for byte in text.encode()) == text.removeprefix(" ")


def test_bytes_after_invalid_ones() -> None:
    stream = CharacterStream(FALLBACK.backend_tokenizer)
    pieces = [stream.add(token) for token in (BYTE + 0x41, BYTE + 0xFF, len(FALLBACK) - 5)]  # the last: " hi"
    assert "".join(pieces) == "A\ufffd hi"
    flood = [stream.add(BYTE + 0xFF) for _ in range(1000)]
    assert sum(map(len, flood)) >= 1000 - MAX_HELD  # no unbounded wait for a character that cannot come


def test_an_end_token_ends_a_completion_without_text() -> None:
    engine = LLMEngine(byte_model(), TOKENIZER, EngineConfig(cache_tokens=4096))
    ended = [
        completion
        for (completion,) in engine.generate(
            ["x"] * 1 + ["y"] * 63, SamplingParams(temperature=3.0, seed=3, max_tokens=200)
        )
        if completion.finish_reason == "stop"
    ]
    assert ended
    for completion in ended:
        assert completion.token_ids.index(2) == len(completion.token_ids) - 1
        assert "<eos>" not in completion.text
        assert len(completion.logprobs) == len(completion.token_ids)


def test_a_stop_string_ends_a_completion() -> None:
    engine = LLMEngine(byte_model(), TOKENIZER, EngineConfig(cache_tokens=4096))
    free = SamplingParams(seed=5, max_tokens=60, ignore_eos=True)
    (whole,) = engine.generate(["x"], free)[0]
    stop = whole.text[20:22]
    (cut,) = engine.generate(["x"], SamplingParams(seed=5, max_tokens=60, ignore_eos=True, stop=("never", stop)))[0]
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.token_ids == whole.token_ids[: len(cut.token_ids)]
