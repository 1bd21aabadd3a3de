"""Values of the head's logits computed some tokens at a time: the logits [P, V] of all tokens are never in memory.

Shape suffixes: P predicted tokens, n of them, M model width, V vocabulary.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

LOGITS = 1 << 26  # logits in memory at a time: 256 MiB in fp32

OfRows = Callable[..., tuple[Tensor, ...]]  # hidden states of some tokens and their rows of the inputs, to values


def by_rows(of_rows: OfRows, vocabulary: int, hidden_PM: Tensor, *inputs_P: Tensor | None) -> tuple[Tensor, ...]:
    """Returns the values [P] that ``of_rows(hidden_nM, *inputs_n)`` computes, some tokens at a time.

    Where all logits fit within `LOGITS`, it is called once. Otherwise the logits of each part are dropped, and computed
    again in the backward pass.
    """
    rows = max(1, LOGITS // vocabulary)
    if len(hidden_PM) <= rows:
        return of_rows(hidden_PM, *inputs_P)
    parts: Sequence[Sequence[Tensor | None]] = [
        [None] * -(-len(hidden_PM) // rows) if values is None else list(values.split(rows))
        for values in (hidden_PM, *inputs_P)
    ]
    again = torch.is_grad_enabled()
    found = [
        checkpoint(of_rows, *part, use_reentrant=False) if again else of_rows(*part)
        for part in zip(*parts, strict=True)
    ]
    return tuple(torch.cat(values) for values in zip(*found, strict=True))
