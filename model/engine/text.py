"""Incremental detokenization: whole characters only, and no text that may be the beginning of a stop string."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from model.config import ModelConfig
from model.errors import ModelError


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


class TextStream:
    """The text of one completion. Once ``stopped`` by a stop string, it ends before that string."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str]) -> None:
        self._tokenizer, self._stop = tokenizer, stop
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._longest = max(map(len, stop), default=0)
        self.text = ""
        self.stopped = False

    def add(self, token: int) -> None:
        """Appends a token."""
        if new := self._decoder.step(self._tokenizer, token):
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
