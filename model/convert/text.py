"""Text data for conversion: documents (JSON lines with ``text``) as a training stream or evaluation windows."""

import hashlib
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from model.errors import ModelError


def read_documents(path: Path) -> list[str]:
    """Reads the texts in ``path``. Raises ModelError naming the first invalid line."""
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
            raise ModelError(f'{path}, line {number}: not a JSON object with a string "text"')
        documents.append(text)
    if not documents:
        raise ModelError(f"{path} has no documents")
    return documents


def tokenize(folder: Path, documents: list[str]) -> list[list[int]]:
    """Tokenizes each document by the tokenizer.json in a model's folder. Raises ModelError if there is none."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{folder} has no tokenizer.json; copy that of the source model")
    encoded = Tokenizer.from_file(str(path)).encode_batch(documents, add_special_tokens=False)
    return [encoding.ids for encoding in encoded]


def stream(documents: list[list[int]], end: int) -> Tensor:
    """Concatenates all documents, [N], with the token ``end`` after each."""
    return torch.tensor([token for document in documents for token in (*document, end)])


def windows(documents: list[list[int]], tokens: int, limit: int) -> Tensor:
    """Returns the first ``limit`` windows of ``tokens`` tokens, each within one document, [windows, tokens].

    Raises ModelError if no document is that long.
    """
    found = [
        document[start : start + tokens]
        for document in documents
        for start in range(0, len(document) - tokens + 1, tokens)
    ]
    if not found:
        raise ModelError(f"no document has {tokens} tokens; use a smaller --tokens or longer documents")
    return torch.tensor(found[:limit])


def fingerprint(path: Path) -> str:
    """Returns the SHA-256 of a file, by which a resumed run recognizes its text."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
