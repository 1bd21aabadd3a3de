"""Documents as token ids: a stream to train on, windows to measure on. A file holds one ``{"text": ...}`` per line."""

import hashlib
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from model.errors import ModelError


def read_documents(path: Path) -> list[str]:
    """The texts in ``path``. Raises ModelError naming the line that is none."""
    documents = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            text = json.loads(line)["text"]
        except (ValueError, KeyError, TypeError):
            text = None
        if not isinstance(text, str):
            raise ModelError(f'{path}, line {number}: no JSON object with a string under "text"')
        documents.append(text)
    if not documents:
        raise ModelError(f"{path} holds no documents")
    return documents


def tokenize(folder: Path, documents: list[str]) -> list[list[int]]:
    """Token ids of each document by the tokenizer.json in a model's folder. Raises ModelError where there is none."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{folder} has no tokenizer.json; copy the one of the model that was converted")
    encoded = Tokenizer.from_file(str(path)).encode_batch(documents, add_special_tokens=False)
    return [encoding.ids for encoding in encoded]


def stream(documents: list[list[int]], end: int) -> Tensor:
    """All documents after one another, [N], the token ``end`` behind each."""
    return torch.tensor([token for document in documents for token in (*document, end)])


def windows(documents: list[list[int]], tokens: int, most: int) -> Tensor:
    """The first ``most`` windows of ``tokens`` tokens, each within one document, [windows, tokens].

    Raises ModelError where no document is that long.
    """
    found = [
        document[start : start + tokens]
        for document in documents
        for start in range(0, len(document) - tokens + 1, tokens)
    ]
    if not found:
        raise ModelError(f"no document has {tokens} tokens; measure shorter windows, or other text")
    return torch.tensor(found[:most])


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, to tell that a text is the same one."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
