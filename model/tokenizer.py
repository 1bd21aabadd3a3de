"""Tokenizers: training of byte-level BPE with the chat format's special tokens, and loading from a folder.

Special tokens have DeepSeek's names where DeepSeek has an equivalent.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from model.errors import ModelError

PAD, BEGIN, END = "<｜▁pad▁｜>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
ROLES = ("<｜System｜>", "<｜User｜>", "<｜Assistant｜>")
TOOL_OUTPUT = ("<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>")
THINK, END_THINK = "<think>", "</think>"
CALLS, END_CALLS = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
CALL, CALL_SEPARATOR, END_CALL = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
# Decoding skips the first kind, and keeps the second, which is needed to parse an answer.
SKIPPED = (PAD, BEGIN, END, *ROLES, *TOOL_OUTPUT)
KEPT = (THINK, END_THINK, CALLS, END_CALLS, CALL, CALL_SEPARATOR, END_CALL)
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
SMALLEST = len(SKIPPED) + len(KEPT) + len(ALPHABET)
TEMPLATE = Path(__file__).with_name("chat_template.jinja")
BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")  # of tokenizers with byte fallback
NO_LIMIT = 10**30  # model_max_length by which transformers means that a tokenizer sets no limit


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a tokenizer with one token per byte and the special tokens, 271 in all."""
    return train_tokenizer([], SMALLEST)


def train_tokenizer(texts: Iterable[str], vocab_size: int, symbols: str | None = None) -> PreTrainedTokenizerFast:
    """Trains byte-level BPE on ``texts``; digits stay single tokens, and special tokens come first.

    Merges stay within words. With ``symbols``, a regular expression of texts that stay separate, everything between
    symbols may merge, phrases of several words too (SuperBPE, arXiv 2503.13423), which suits formulas with few phrases.
    Raises ModelError if ``vocab_size`` is too small for bytes and special tokens.
    """
    if vocab_size < SMALLEST:
        raise ModelError(f"vocab_size={vocab_size} is below {SMALLEST}, the number of bytes and special tokens")
    tokenizer = Tokenizer(models.BPE())
    apart = (
        pre_tokenizers.Split(Regex(symbols), "isolated") if symbols else pre_tokenizers.Digits(individual_digits=True)
    )
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=symbols is None)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([apart, pieces])  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    special = [AddedToken(text, special=True, normalized=False) for text in (*SKIPPED, *KEPT)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, initial_alphabet=ALPHABET, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=_keep_in_text(tokenizer),
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        model_max_length=NO_LIMIT,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return fast


def _keep_in_text(tokenizer: Tokenizer) -> Tokenizer:
    """Marks the KEPT tokens as not special, which the trainer cannot do."""
    value = json.loads(tokenizer.to_str())
    for token in value["added_tokens"]:
        token["special"] = token["content"] in SKIPPED
    return Tokenizer.from_str(json.dumps(value))


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerFast:
    """Loads the tokenizer in a Hugging Face folder. Raises ModelError if there is none, or it cannot be read.

    tokenizer.json is complete; ``AutoTokenizer`` would look up a class by the model's type, and warn about
    ``lemmata_dsa``.
    """
    folder = Path(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(
            f"{folder} has no tokenizer.json; save the model with one: save_pretrained(model, folder, tokenizer)"
        )
    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the library raises plain Exception too
        raise ModelError(f"the tokenizer in {folder} cannot be read: {error}") from error
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer


def token_bytes(tokenizer: PreTrainedTokenizerBase, token: int) -> bytes:
    """Returns the bytes of a token within a text; they may be part of a character."""
    piece = tokenizer.convert_ids_to_tokens(token)
    once, twice = tokenizer.decode([token]), tokenizer.decode([token, token])
    assert isinstance(once, str)
    assert isinstance(twice, str)
    if "\ufffd" in once and isinstance(piece, str):
        if found := BYTE_TOKEN.fullmatch(piece):
            return bytes.fromhex(found.group(1))
        if all(char in _byte_of() for char in piece):
            return bytes(_byte_of()[char] for char in piece)
    # Some tokenizers strip the space at the beginning of a text, so that the second of two shows the token itself.
    return twice[len(once) :].encode()


@cache
def _byte_of() -> dict[str, int]:
    """Returns GPT-2's byte alphabet: printable bytes stand for themselves, the others for characters from 256 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
