"""Packed sequences for training: linear layers run on all tokens at once, attention on blocks of similar length.

There is no padding outside attention, and sequences that share a prompt compute it once.

Shape suffixes: N all tokens, B sequences of a block, S their tokens, T rows that they attend over, L layers,
K selected tokens, E MoE layers, A experts of a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from model.errors import ModelError

SIMILAR = 0.6  # fraction of a block's longest sequence; shorter sequences go to the next block


class Span(NamedTuple):
    """``length`` tokens from index ``start`` of the N tokens on."""

    start: int
    length: int

    @property
    def places(self) -> range:
        """Indices of the tokens."""
        return range(self.start, self.start + self.length)


class Branch(NamedTuple):
    """Tokens ``own`` that attend over the tokens of ``prompt`` and over each other, causally."""

    prompt: Span
    own: Span


@dataclass(frozen=True)
class Block:
    """Branches of similar length, by the indices of their tokens and rows among the N; padding has index 0.

    ``positions_BS`` are the tokens' positions, -1 for padding. ``whole``: the block is all N tokens in order.
    """

    tokens_BS: Tensor
    rows_BT: Tensor
    positions_BS: Tensor
    whole: bool

    def of_tokens(self, values_N: Tensor) -> Tensor:
        """Gathers the block's own tokens, [N, ...] to [B, S, ...]."""
        return self._taken(values_N, self.tokens_BS)

    def of_rows(self, values_N: Tensor) -> Tensor:
        """Gathers all tokens that they attend over, [N, ...] to [B, T, ...]; row t is the token at position t."""
        return self._taken(values_N, self.rows_BT)

    @cached_property
    def visible_BST(self) -> Tensor:  # noqa: N802  a shape, as in every name
        """Causal mask: the rows up to each token's own. Padding sees the first row, so that its values are finite."""
        rows_T = torch.arange(self.rows_BT.shape[1], device=self.rows_BT.device)
        return rows_T <= self.positions_BS.clamp(min=0).unsqueeze(-1)

    def _taken(self, values_N: Tensor, places: Tensor) -> Tensor:
        taken = values_N if self.whole else values_N.index_select(0, places.flatten())
        return taken.view(*places.shape, *values_N.shape[1:])


class Packed:
    """Flat tokens ``ids_N`` at ``positions_N`` of all branches, and the ``blocks`` in which they attend."""

    def __init__(self, ids_N: Tensor, branches: Sequence[Branch]) -> None:
        self.ids_N, self.branches = ids_N, tuple(branches)
        positions = [place for branch in branches for place in _positions(branch)]
        self.positions_N = torch.tensor(positions, device=ids_N.device)
        by_length = sorted(branches, key=lambda branch: (-branch.own.length, branch.own.start))
        groups: list[list[Branch]] = []
        for branch in by_length:
            if not groups or branch.own.length < SIMILAR * groups[-1][0].own.length:
                groups.append([])
            groups[-1].append(branch)
        self.blocks = [_block(group, len(ids_N), ids_N.device) for group in groups]
        self._order_N = self._padded_indices()

    def _padded_indices(self) -> Tensor:
        """Returns the index of each of the N tokens among the padded tokens of all blocks in order."""
        order_N = torch.empty_like(self.ids_N)
        first = 0
        for block in self.blocks:
            tokens_X, real_X = block.tokens_BS.flatten(), block.positions_BS.flatten() >= 0
            places_X = torch.arange(first, first + len(tokens_X), device=order_N.device)
            order_N[tokens_X[real_X]] = places_X[real_X]
            first += len(tokens_X)
        return order_N

    def joined(self, outputs: Sequence[Tensor]) -> Tensor:
        """Returns each block's [B, S, ...] to the order of the tokens, [N, ...]."""
        flat = [output.flatten(0, 1) for output in outputs]
        if len(flat) == 1 and self.blocks[0].whole:
            return flat[0]
        return torch.cat(flat).index_select(0, self._order_N)


def pack(sequences: Sequence[Sequence[int]], device: str | torch.device = "cpu") -> Packed:
    """Packs sequences without shared prompts. Raises ModelError if there is none, or an empty one."""
    return pack_groups([(sequence, ()) for sequence in sequences], device)


def pack_groups(
    groups: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]], device: str | torch.device = "cpu"
) -> Packed:
    """Packs prompts with their completions: branches in the order prompt, its completions, next prompt.

    An empty completion keeps its branch. Raises ModelError if there is no prompt, or an empty one.
    """
    if not groups or not all(len(prompt) for prompt, _ in groups):
        raise ModelError("nothing to compute: there is no sequence, or a sequence is empty")
    ids: list[int] = []
    branches: list[Branch] = []

    def add(tokens: Sequence[int], prompt: Span) -> Span:
        own = Span(len(ids), len(tokens))
        ids.extend(tokens)
        branches.append(Branch(prompt, own))
        return own

    for prompt, completions in groups:
        shared = add(prompt, Span(len(ids), 0))
        for completion in completions:
            add(completion, shared)
    return Packed(torch.tensor(ids, device=device), branches)


class RolloutReplay:
    """Routing and selections recorded in a rollout, replayed in one forward pass; each layer's part is used once.

    ``experts_NEA``: the experts of each token; ``selection_NLK``: the positions that each attended to (ascending, then
    -1). None: the model chooses.
    """

    def __init__(self, experts_NEA: Tensor | None = None, selection_NLK: Tensor | None = None) -> None:
        self._experts = [] if experts_NEA is None else list(experts_NEA.unbind(1))
        self._selection = [] if selection_NLK is None else list(selection_NLK.unbind(1))
        self._wanted = {"experts": experts_NEA is not None, "selection": selection_NLK is not None}

    def experts(self) -> Tensor | None:
        """Returns experts_NA of the next MoE layer."""
        return self._next(self._experts, "experts")

    def selection(self) -> Tensor | None:
        """Returns selection_NK of the next layer."""
        return self._next(self._selection, "selection")

    def _next(self, recorded: list[Tensor], name: str) -> Tensor | None:
        if not self._wanted[name]:
            return None
        if not recorded:
            raise ModelError(f"the rollout recorded {name} for fewer layers than the model has")
        return recorded.pop(0)

    def finish(self) -> None:
        """Raises ModelError if recorded parts were not used, and so had no effect."""
        if left := {"experts": len(self._experts), "selection": len(self._selection)}:
            unused = [f"{name} of {count} layers" for name, count in left.items() if count]
            if unused:
                raise ModelError(f"recorded in the rollout and not used in training: {', '.join(unused)}")


def _positions(branch: Branch) -> range:
    return range(branch.prompt.length, branch.prompt.length + branch.own.length)


def _block(branches: Sequence[Branch], tokens: int, device: torch.device) -> Block:
    own = [list(branch.own.places) for branch in branches]
    rows = [[*branch.prompt.places, *branch.own.places] for branch in branches]
    positions = [list(_positions(branch)) for branch in branches]
    flat = [place for places in own for place in places]
    even = all(len(places) == len(own[0]) for places in own)
    whole = even and flat == list(range(tokens)) and rows == own
    return Block(
        *(_padded(lists, filler, device) for lists, filler in ((own, 0), (rows, 0), (positions, -1))), whole=whole
    )


def _padded(lists: Sequence[Sequence[int]], filler: int, device: torch.device) -> Tensor:
    longest = max(1, *map(len, lists))
    return torch.tensor([[*values, *[filler] * (longest - len(values))] for values in lists], device=device)
