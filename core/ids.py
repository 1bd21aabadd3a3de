"""Ids and seeds derived from their inputs: the same on every machine and in every run."""

import hashlib
from collections.abc import Sequence

Part = str | int | float | None | Sequence[str]


def digest(*parts: Part, length: int = 16) -> str:
    """Hexadecimal digest of ``parts``; no two different part lists collide by concatenation."""
    hasher = hashlib.sha256()
    for part in parts:
        encoded = repr(part if isinstance(part, str | int | float | None) else list(part)).encode()
        hasher.update(len(encoded).to_bytes(8, "little") + encoded)
    return hasher.hexdigest()[:length]


def derive_seed(*parts: Part) -> int:
    """A seed in [0, 2**31), the range every OpenAI-compatible server takes."""
    return int(digest(*parts, length=8), 16) & 0x7FFFFFFF


def clean_text(text: str) -> str:
    """``text`` with lone surrogates, which JSON allows and UTF-8 does not, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
