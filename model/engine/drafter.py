"""Speculation: the MTP layer guesses a token ahead, and the model checks it in the pass that it makes anyway.

A guess is drawn from the MTP layer's distribution by the uniform number that will draw the real token. The model draws
that token as it always does, from its own distribution; a guess that is the same token saves a pass, one that is not
costs nothing but the work. So speculation changes no distribution, and no sample of a given seed: what is drawn at each
place never depends on the guess. Guess and token agree less often than by rejection sampling (Leviathan et al. 2023,
arXiv 2211.17192), whose samples would differ from those without speculation.

Shape suffixes: B sequences, S tokens, M model width, N rows.
"""

from collections.abc import Sequence as Rows

from torch import Tensor

from model.engine.runner import Runner
from model.engine.sampler import draw
from model.engine.sequence import Sequence


def guess(sequence: Sequence) -> list[int]:
    """The draft to run beside the last token: none where a single token is left to generate."""
    return [] if sequence.draft is None or sequence.num_remaining_tokens < 2 else [sequence.draft]


def guessed_right(sequence: Sequence) -> bool:
    """Whether the token just drawn is the one that was guessed and run, and another may follow."""
    return sequence.draft == sequence.tokens[-1] and not sequence.completion.finish_reason


class Drafter:
    """The first MTP layer of the runner's model; its rows stand in the cache behind those of the decoder layers.

    Rows of a shared page's last token know the token that followed first; another one's guess may be the worse for it.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def follow(self, sequences: Rows[Sequence], lengths: Rows[int], hidden_BSM: Tensor) -> None:
        """Compute the rows of prompt chunks, of every token whose next one is known."""
        chunks = [
            sequence.tokens[sequence.num_cached_tokens + 1 : sequence.num_cached_tokens + length + 1]
            for sequence, length in zip(sequences, lengths, strict=True)
        ]
        places = [place for place, chunk in enumerate(chunks) if chunk]
        if places:
            followed = [sequences[place] for place in places]
            chunks = [chunks[place] for place in places]
            hidden_BSM = hidden_BSM[places, : max(map(len, chunks))]
            self._runner.mtp_hidden(followed, [sequence.num_cached_tokens for sequence in followed], hidden_BSM, chunks)

    def draft(self, sequences: Rows[Sequence], grown: Rows[int], hidden_BSM: Tensor) -> None:
        """Guess the token after the last of each sequence; ``grown`` tokens of it are new since ``hidden_BSM``."""
        chunks = [sequence.tokens[-length:] for sequence, length in zip(sequences, grown, strict=True)]
        first = [sequence.num_cached_tokens - length for sequence, length in zip(sequences, grown, strict=True)]
        ahead_BSM = self._runner.mtp_hidden(sequences, first, hidden_BSM[:, : max(grown)], chunks)
        last_N1M = ahead_BSM[range(len(grown)), [length - 1 for length in grown]].unsqueeze(1)
        logits_NV = self._runner.model.logits(last_N1M).squeeze(1)
        settings = [sequence.request.sampling for sequence in sequences]
        drawn = draw(logits_NV, settings, [sequence.uniforms[sequence.num_generated_tokens] for sequence in sequences])
        for sequence, token in zip(sequences, drawn.tokens, strict=True):
            sequence.draft = token
