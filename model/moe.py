"""DeepSeekMoE: shared experts for every token, and routed experts by a sigmoid gate with group-limited routing.

DeepSeek-V3 (arXiv 2412.19437, section 2.1.2). Shape suffixes: N tokens, M model width, F inner width, E routed
experts, A experts of a token.
"""

from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import ModelConfig
from model.layers import FeedForward

# Multiplications up to which all experts run at once, chosen or not: cheaper than one call per chosen expert.
SMALL = 1 << 23
GROUPED_ON = ("cuda",)  # devices with a grouped product in bf16
READING = 16  # tokens whose multiplications take as long as reading the weights


class Gate(nn.Module):
    """Router with scores in fp32. Its bias affects only the choice of experts, not their weights.

    The bias is set by load balancing (``model.balance``), not by gradients.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.n_routed_experts, config.hidden_size))
        self.e_score_correction_bias = nn.Buffer(torch.empty(config.n_routed_experts))

    def forward(self, x_NM: Tensor, experts_NA: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns weights_NA in fp32 and experts_NA: those given, or the best by score plus bias."""
        dtype = torch.promote_types(x_NM.dtype, torch.float32)
        scores_NE = functional.linear(x_NM.to(dtype), self.weight.to(dtype)).sigmoid()
        if experts_NA is None:
            experts_NA = self.choose(scores_NE.detach() + self.e_score_correction_bias)
        weights_NA = scores_NE.gather(1, experts_NA)
        if self.config.norm_topk_prob:
            weights_NA = weights_NA / (weights_NA.sum(-1, keepdim=True) + 1e-20)
        return weights_NA * self.config.routed_scaling_factor, experts_NA

    def choose(self, choice_NE: Tensor) -> Tensor:
        """Returns experts_NA, best first, from the ``topk_group`` groups with the highest sums of their two best."""
        groups, kept = self.config.n_group, self.config.topk_group
        if kept < groups:
            by_group = choice_NE.unflatten(-1, (groups, -1))
            group_scores = by_group.topk(2, dim=-1).values.sum(-1)
            dropped = torch.ones_like(group_scores, dtype=torch.bool).scatter_(-1, _best(group_scores, kept), False)
            choice_NE = by_group.masked_fill(dropped.unsqueeze(-1), -torch.inf).flatten(-2)
        return _best(choice_NE, self.config.num_experts_per_tok)


def _best(scores: Tensor, count: int) -> Tensor:
    """Returns the indices of the ``count`` highest of each row, best first, ties by the lower index."""
    return scores.sort(dim=-1, descending=True, stable=True).indices[..., :count]


class Experts(nn.Module):
    """All routed experts of a layer, with stacked matrices."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        experts, width, inner = config.n_routed_experts, config.hidden_size, config.moe_intermediate_size
        self.gate_up_proj = nn.Parameter(torch.empty(experts, 2 * inner, width))  # rows of the gate, then of up
        self.down_proj = nn.Parameter(torch.empty(experts, width, inner))

    def forward(self, x_NM: Tensor, weights_NA: Tensor, experts_NA: Tensor) -> Tensor:
        """Returns the sum over each token's experts of weight times output, [N, M]."""
        run = self._all if self._is_small(len(x_NM)) else self._chosen
        return run(x_NM, weights_NA.to(x_NM.dtype), experts_NA)

    def _is_small(self, tokens: int) -> bool:
        return (tokens + READING) * self.down_proj.numel() <= SMALL

    def reads_counts(self, tokens: int) -> bool:
        """Returns True if a pass of so many tokens copies their numbers by expert to the host of a GPU."""
        on_gpu = self.down_proj.device.type == "cuda"
        return on_gpu and not self._is_small(tokens) and not _has_grouped_product(self.down_proj)

    def _chosen(self, x_NM: Tensor, weights_NA: Tensor, experts_NA: Tensor) -> Tensor:
        """Runs each expert on its own tokens, sorted by expert; a token's outputs are added in the experts' order."""
        experts_NA, places_NA = experts_NA.sort(dim=-1)
        sorted_X, order = experts_NA.flatten().sort(stable=True)
        experts_E = torch.arange(len(self.down_proj), device=order.device)
        ends_E = torch.searchsorted(sorted_X, experts_E, right=True)  # bincount would wait for a GPU
        rows = x_NM[order // experts_NA.shape[1]]
        outputs = (self._grouped if _has_grouped_product(x_NM) else self._one_by_one)(rows, ends_E)
        weighted = outputs * weights_NA.gather(1, places_NA).flatten()[order].unsqueeze(-1)
        # Back in the tokens' order and added one after the other: index_add on a GPU adds in any order.
        by_token_NAM = torch.empty_like(weighted).index_copy(0, order, weighted).unflatten(0, experts_NA.shape)
        return reduce(torch.add, by_token_NAM.unbind(1))

    def _grouped(self, rows: Tensor, ends_E: Tensor) -> Tensor:
        """Returns the outputs of ``rows``, sorted by expert, in two products and without a copy to the host."""
        ends_E = ends_E.to(torch.int32)
        gate, up = functional.grouped_mm(rows, self.gate_up_proj.transpose(1, 2), offs=ends_E).chunk(2, dim=-1)
        return functional.grouped_mm(functional.silu(gate) * up, self.down_proj.transpose(1, 2), offs=ends_E)

    def _one_by_one(self, rows: Tensor, ends_E: Tensor) -> Tensor:
        parts = rows.tensor_split(ends_E[:-1].tolist())
        # unbind, not indexing: its backward fills one gradient tensor instead of adding E tensors.
        matrices = zip(parts, self.gate_up_proj.unbind(0), self.down_proj.unbind(0), strict=True)
        return torch.cat(
            [functional.linear(_gated(part, gate_up), down) for part, gate_up, down in matrices if len(part)]
        )

    def _all(self, x_NM: Tensor, weights_NA: Tensor, experts_NA: Tensor) -> Tensor:
        """Runs every expert on every token in two products; weight 0 drops the unchosen ones."""
        weights_NE = weights_NA.new_zeros(len(x_NM), len(self.down_proj)).scatter(1, experts_NA, weights_NA)
        hidden_NEF = _gated(x_NM, self.gate_up_proj.flatten(0, 1), experts=len(self.down_proj))
        weighted_NEF = hidden_NEF * weights_NE.unsqueeze(-1)
        return torch.bmm(weighted_NEF.transpose(0, 1), self.down_proj.transpose(1, 2)).sum(0)


def _has_grouped_product(x: Tensor) -> bool:
    return x.device.type in GROUPED_ON and x.dtype == torch.bfloat16


def _gated(x_NM: Tensor, gate_up: Tensor, experts: int = 1) -> Tensor:
    """Returns silu(gate x) * up x: [N, F] for one expert, [N, E, F] for ``experts`` with stacked matrices."""
    both = functional.linear(x_NM, gate_up)
    gate, up = (both if experts == 1 else both.view(len(x_NM), experts, -1)).chunk(2, dim=-1)
    return functional.silu(gate) * up


class MixtureOfExperts(nn.Module):
    """Routed experts plus shared experts, if there are any (one wide feed-forward network)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = Gate(config)
        self.experts = Experts(config)
        inner = config.n_shared_experts * config.moe_intermediate_size
        self.shared_experts = FeedForward(config.hidden_size, inner) if inner else None

    def forward(self, x_BSM: Tensor, experts_NA: Tensor | None = None) -> Tensor:
        """Maps [B, S, M] to [B, S, M]. ``experts_NA``: experts of each token, instead of the gate's choice."""
        x_NM = x_BSM.flatten(0, 1)
        out_BSM = self.experts(x_NM, *self.gate(x_NM, experts_NA)).view_as(x_BSM)
        return out_BSM if self.shared_experts is None else out_BSM + self.shared_experts(x_BSM)
