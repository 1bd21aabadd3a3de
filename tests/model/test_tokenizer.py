"""Training, saving and loading of tokenizers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import ModelError
from model.tokenizer import (
    KEPT,
    SKIPPED,
    SMALLEST,
    TEMPLATE,
    byte_tokenizer,
    load_tokenizer,
    token_bytes,
    train_tokenizer,
)
from tests.model.tiny import byte_fallback_tokenizer

BYTES = byte_tokenizer()


@given(st.text())
def test_decoding_restores_all_bytes(text: str) -> None:
    ids = BYTES.encode(text)
    assert BYTES.decode(ids) == text
    assert b"".join(token_bytes(BYTES, token) for token in ids) == text.encode()


def test_bytes_of_tokens_with_byte_fallback() -> None:
    pieces = {"<0xE2>": b"\xe2", "<0x0A>": b"\n", "▁hi": b" hi", "ho": b"ho", "≤": "≤".encode(), "</s>": b"</s>"}
    tokenizer = byte_fallback_tokenizer()
    vocabulary = tokenizer.get_vocab()
    found = {piece: token_bytes(tokenizer, vocabulary[piece]) for piece in pieces}
    assert found == pieces


def test_special_tokens() -> None:
    assert len(BYTES) == SMALLEST == 271
    assert (BYTES.pad_token_id, BYTES.bos_token_id, BYTES.eos_token_id) == (0, 1, 2)
    text = "".join((*SKIPPED, *KEPT))
    assert BYTES.encode(text) == list(range(15))
    assert BYTES.decode(list(range(15)), skip_special_tokens=True) == "".join(KEPT)


def test_merges_are_learned_and_digits_stay_single() -> None:
    tokenizer = train_tokenizer(["the theorem of 1234 theorems"] * 50, 320)
    assert SMALLEST < len(tokenizer) <= 320
    assert len(tokenizer.encode("theorem")) < 7
    assert len(tokenizer.encode("1234")) == 4
    assert tokenizer.encode("<think>")[0] == BYTES.encode("<think>")[0]
    with pytest.raises(ModelError, match="below 271"):
        train_tokenizer([], 270)


def test_phrases_merge_to_one_token_and_symbols_stay_separate() -> None:
    texts = ["So the claim is true: x + 12 = 3x."] * 20
    tokenizer = train_tokenizer(texts, 400, symbols=r" ?[+=] ?|[0-9]|(?<![a-z])x(?![a-z])")
    ids = tokenizer(texts[0])["input_ids"]
    assert tokenizer.decode(ids) == texts[0]
    pieces = [tokenizer.decode([token]) for token in ids]
    assert pieces == ["So the claim is true: ", "x", " + ", "1", "2", " = ", "3", "x", "."]
    other = "claim: 7 = y + x, exactly\n"
    assert tokenizer.decode(tokenizer(other)["input_ids"]) == other


def test_saved_and_loaded(tmp_path: Path) -> None:
    BYTES.save_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    text = "x = 3,  é∑\n<think>y"
    assert loaded.encode(text) == BYTES.encode(text)
    assert loaded.chat_template == TEMPLATE.read_text(encoding="utf-8")
    assert loaded.get_added_vocab() == BYTES.get_added_vocab()


def test_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no tokenizer\.json"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("[]")
    with pytest.raises(ModelError, match="cannot be read"):
        load_tokenizer(tmp_path)
