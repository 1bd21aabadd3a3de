"""Incremental detokenization: whole characters only, and no text that may be the beginning of a stop string."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from model.config import ModelConfig
from model.errors import ModelError

MAX_CHARACTER = 4  # tokens of one character: no more than its bytes
MAX_HELD = 16  # tokens without a whole character; beyond, they are invalid, not an unfinished character


def fast_tokenizer(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """Returns the tokenizer that decodes token by token. Raises ModelError for a slow (pure Python) tokenizer."""
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(
            f"{type(tokenizer).__name__} has no tokenizer.json; the engine needs a fast tokenizer "
            "(save it as PreTrainedTokenizerFast)"
        )
    return tokenizer.backend_tokenizer


def end_tokens(config: ModelConfig, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Returns the tokens that end a text: those of the model's configuration and the tokenizer's."""
    of_model = config.eos_token_id if isinstance(config.eos_token_id, tuple) else (config.eos_token_id,)
    return frozenset(token for token in (*of_model, tokenizer.eos_token_id) if isinstance(token, int))


class CharacterStream:
    """Decodes tokens one by one into text that is never taken back.

    A tokenizer with byte fallback decodes neighboring byte tokens together, and if they are not UTF-8, each becomes
    U+FFFD, also those whose text was final already; ``DecodeStream`` then raises. The tokens since the last final text
    are decoded on their own in that case.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._held: list[int] = []

    def add(self, token: int) -> str:
        """Returns the text that became final with ``token``, often none."""
        self._held.append(token)
        try:
            text = self._decoder.step(self._tokenizer, token)
        except Exception:  # noqa: BLE001  the library raises plain Exception
            text = self._tokenizer.decode(self._held, skip_special_tokens=True)
            self._decoder = DecodeStream(self._held, skip_special_tokens=True)
        if text is None and len(self._held) > MAX_HELD:
            return self._release_invalid()
        if text:
            self._held = []
        return text or ""

    def _release_invalid(self) -> str:
        """Returns the text of all held tokens but the last few, of which a character may consist."""
        invalid, self._held = self._held[:-MAX_CHARACTER], self._held[-MAX_CHARACTER:]
        self._decoder = DecodeStream(skip_special_tokens=True)
        for token in self._held:
            self._decoder.step(self._tokenizer, token)
        return self._tokenizer.decode(invalid, skip_special_tokens=True)


class TextStream:
    """The text of one completion. Once ``stopped`` by a stop string, it ends before that string."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str]) -> None:
        self._characters, self._stop = CharacterStream(tokenizer), stop
        self._longest = max(map(len, stop), default=0)
        self.text = ""
        self.stopped = False

    def add(self, token: int) -> None:
        """Appends a token."""
        if new := self._characters.add(token):
            searched = max(0, len(self.text) - self._longest + 1)
            self.text += new
            places = [place for stop in self._stop if (place := self.text.find(stop, searched)) >= 0]
            if places:
                self.text, self.stopped = self.text[: min(places)], True

    @property
    def released(self) -> str:
        """The text that no stop string can remove any more."""
        if self.stopped or not self._stop:
            return self.text
        begun = (stop[:length] for stop in self._stop for length in range(1, len(stop)))
        held = max((len(part) for part in begun if self.text.endswith(part)), default=0)
        return self.text[: len(self.text) - held]
