"""Speculative decoding: the MTP layer drafts one token ahead, and the next pass of the model verifies it.

A draft is drawn from the MTP layer's distribution with the uniform number that will draw the real token. The model
draws that token from its own distribution, as without speculation; a draft that is the same token saves a pass, and a
wrong one costs only its computation. So speculation changes neither the distribution nor the sample of a given seed:
no drawn token depends on a draft. Drafts are accepted less often than by rejection sampling (Leviathan et al. 2023,
arXiv 2211.17192), whose samples would differ from those without speculation.

Shape suffixes: B sequences, S tokens, M model width, N rows.
"""

from collections.abc import Sequence as Rows

from torch import Tensor

from model.engine.runner import Runner
from model.engine.sampler import draw
from model.engine.sequence import Sequence


def draft_tokens(sequence: Sequence) -> list[int]:
    """Returns the draft to run after the last token, or nothing if only one token remains to be generated."""
    return [] if sequence.draft is None or sequence.num_remaining_tokens < 2 else [sequence.draft]


def draft_accepted(sequence: Sequence) -> bool:
    """Returns True if the token just drawn equals the draft, and the completion continues after it."""
    return sequence.draft == sequence.tokens[-1] and not sequence.completion.finish_reason


class Drafter:
    """Drafts with the first MTP layer of the runner's model, whose cache rows follow those of the decoder layers.

    The MTP row of a shared page's last token is computed from the token that continued in the first sequence; drafts of
    other sequences on that page may be worse for it, and their samples are the same.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def prefill(self, sequences: Rows[Sequence], lengths: Rows[int], hidden_BSM: Tensor) -> None:
        """Computes the MTP rows of prompt chunks, for every token whose successor is known."""
        chunks = [
            sequence.tokens[sequence.num_cached_tokens + 1 : sequence.num_cached_tokens + length + 1]
            for sequence, length in zip(sequences, lengths, strict=True)
        ]
        places = [place for place, chunk in enumerate(chunks) if chunk]
        if places:
            continued = [sequences[place] for place in places]
            chunks = [chunks[place] for place in places]
            hidden_BSM = hidden_BSM[places, : max(map(len, chunks))]
            self._runner.mtp_hidden(
                continued, [sequence.num_cached_tokens for sequence in continued], hidden_BSM, chunks
            )

    def draft(self, sequences: Rows[Sequence], grown: Rows[int], hidden_BSM: Tensor) -> None:
        """Drafts the token after the last of each sequence, of which ``grown`` tokens are new since ``hidden_BSM``."""
        chunks = [sequence.tokens[-length:] for sequence, length in zip(sequences, grown, strict=True)]
        first = [sequence.num_cached_tokens - length for sequence, length in zip(sequences, grown, strict=True)]
        ahead_BSM = self._runner.mtp_hidden(sequences, first, hidden_BSM[:, : max(grown)], chunks)
        last_N1M = ahead_BSM[range(len(grown)), [length - 1 for length in grown]].unsqueeze(1)
        logits_NV = self._runner.model.logits(last_N1M).squeeze(1)
        settings = [sequence.request.sampling for sequence in sequences]
        drawn = draw(logits_NV, settings, [sequence.uniforms[sequence.num_generated_tokens] for sequence in sequences])
        for sequence, token in zip(sequences, drawn.tokens, strict=True):
            sequence.draft = token
