"""Loss from selecting k tokens: perplexity, and the share of dense attention on the selected tokens.

Both are measured on the tokens in the second half of each window, so that all k are compared on the same tokens, each
of which sees more than half a window. Selection methods: the indexer's; the most recent k; the first four and the most
recent k - 4 (attention sinks: arXiv 2309.17453); for the share also the k tokens with most attention.

Shape suffixes: B batch, S tokens of whole sequences, s some of them, K selected tokens, L layers,
H heads, C latent width, M model width, V vocabulary.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from kernels import dispatch
from model.attention import Attention, AttentionInputs
from model.rope import rope_tables
from model.transformer import DecoderLayer, DsaModel

Select = Callable[[dispatch.IndexInputs, Tensor], Tensor]  # (index inputs, positions_BS) to indices_BSK, -1 pads
Observer = Callable[[Attention, AttentionInputs, dispatch.IndexInputs, Tensor], None]
QUERIES = 128  # queries whose attention is in memory at a time
NUM_FIRST = 4  # tokens at the start of a sequence that a baseline always selects
BEST = "best"


class SelectionMethod(NamedTuple):
    """Name of a selection method, and the number of tokens selected."""

    name: str
    k: int


@dataclass(frozen=True, slots=True)
class SelectionResult:
    """Results of one selection method.

    ``perplexity`` None: not measured (the best k are known only after attention). ``loss_difference``: mean loss of a
    token minus that of dense attention, in nats, with its standard error over windows. ``share``: mean over layers.
    """

    selection: SelectionMethod
    perplexity: float | None
    loss_difference: float | None
    standard_error: float | None
    share: float


def every_token(_index: dispatch.IndexInputs, positions_BS: Tensor) -> Tensor:
    """Selects all tokens up to each query's own (dense attention)."""
    return dispatch.causal_indices(positions_BS, positions_BS.shape[1])


def by_indexer(k: int) -> Select:
    """Returns the indexer's selection of k tokens."""
    return lambda index, positions_BS: dispatch.index_topk(index.q_BSJI, index.k_BTI, index.w_BSJ, positions_BS, k)


def most_recent(k: int) -> Select:
    """Returns a selection of token t and the k - 1 before it."""
    return lambda _index, positions_BS: _before(positions_BS, k)


def first_and_recent(k: int) -> Select:
    """Returns a selection of the first NUM_FIRST tokens and the most recent k - NUM_FIRST."""

    def select(_index: dispatch.IndexInputs, positions_BS: Tensor) -> Tensor:
        recent = _before(positions_BS, k - NUM_FIRST)
        recent = torch.where(recent < NUM_FIRST, -1, recent)
        first = torch.arange(NUM_FIRST, device=recent.device, dtype=torch.int32).expand(*positions_BS.shape, -1)
        return torch.cat((torch.where(first <= positions_BS.unsqueeze(-1), first, -1), recent), dim=-1)

    return select


def _before(positions_BS: Tensor, k: int) -> Tensor:
    back_K = torch.arange(k, device=positions_BS.device)
    return (positions_BS.unsqueeze(-1) - back_K).clamp(min=-1).int()


def selections(ks: list[int]) -> dict[SelectionMethod, Select]:
    """Returns every selection method that perplexity is measured with."""
    ways = {"indexer": by_indexer, "most recent": most_recent, "first 4 and most recent": first_and_recent}
    return {SelectionMethod(name, k): way(k) for name, way in ways.items() for k in ks}


@torch.no_grad()
def measure(model: DsaModel, windows_NS: Tensor, ks: list[int], batch: int) -> tuple[float, list[SelectionResult]]:
    """Returns the perplexity of dense attention, and the results of each method; every k is above NUM_FIRST."""
    ways = selections(ks)
    batches = windows_NS.to(next(model.parameters()).device).split(batch)
    dense_N = torch.cat([losses(model, ids_BS, every_token) for ids_BS in batches])
    share = dict.fromkeys((*ways, *(SelectionMethod(BEST, k) for k in ks)), 0.0)
    for ids_BS in batches:
        for way, share_L in attention_shares(model, ids_BS, ways, ks).items():
            share[way] += share_L.mean().item() * len(ids_BS) / len(windows_NS)
    results = []
    for way, select in ways.items():
        sparse_N = torch.cat([losses(model, ids_BS, select) for ids_BS in batches])
        more_N = sparse_N - dense_N
        error = more_N.std().item() / math.sqrt(len(more_N)) if len(more_N) > 1 else None
        results.append(SelectionResult(way, sparse_N.mean().exp().item(), more_N.mean().item(), error, share.pop(way)))
    best = [SelectionResult(way, None, None, None, held) for way, held in share.items()]
    return dense_N.mean().exp().item(), results + best


@torch.no_grad()
def losses(model: DsaModel, ids_BS: Tensor, select: Select) -> Tensor:
    """Returns the mean cross entropy of the tokens in the second half of each sequence, [B], in nats."""
    half = ids_BS.shape[1] // 2
    hidden_BsM = _forward(model, ids_BS, select)[:, half - 1 : -1]
    logits_BVs = model.logits(hidden_BsM).transpose(1, 2)
    return functional.cross_entropy(logits_BVs, ids_BS[:, half:], reduction="none").mean(1)


@torch.no_grad()
def attention_shares(
    model: DsaModel, ids_BS: Tensor, ways: Mapping[SelectionMethod, Select], ks: list[int]
) -> dict[SelectionMethod, Tensor]:
    """Returns per layer the attention on the selected tokens, mean over heads and queries of the second half, [L].

    Attention is dense. "best" are the k tokens with most attention, summed over heads.
    """
    (batch, tokens), half = ids_BS.shape, ids_BS.shape[1] // 2
    held: dict[SelectionMethod, list[Tensor]] = {way: [] for way in (*ways, *(SelectionMethod(BEST, k) for k in ks))}

    def observe(
        attention: Attention, inputs: AttentionInputs, index: dispatch.IndexInputs, positions_BS: Tensor
    ) -> None:
        chosen = {way: select(index, positions_BS) for way, select in ways.items()}
        sums = dict.fromkeys(held, ids_BS.new_zeros((), dtype=torch.float32))
        for start in range(half, tokens, QUERIES):
            part = slice(start, start + QUERIES)
            p_BsS = _attention(inputs, positions_BS, attention.scale, part)
            for way, indices_BSK in chosen.items():
                indices_BsK = indices_BSK[:, part]
                p_BsK = p_BsS.gather(-1, indices_BsK.clamp(min=0).long())
                sums[way] = sums[way] + p_BsK.masked_fill(indices_BsK < 0, 0.0).sum()
            for k in ks:
                sums[SelectionMethod(BEST, k)] = sums[SelectionMethod(BEST, k)] + p_BsS.topk(k).values.sum()
        for way, total in sums.items():
            held[way].append(total / (batch * (tokens - half)))

    _forward(model, ids_BS, every_token, observe)
    return {way: torch.stack(shares) for way, shares in held.items()}


def _attention(inputs: AttentionInputs, positions_BS: Tensor, scale: float, part: slice) -> Tensor:
    """Returns the dense softmax of the queries in ``part``, mean over heads, [B, s, S] in fp32."""
    q_BsHD = inputs.q_BSHD[:, part].float() * scale
    logits_BsHS = (q_BsHD.flatten(1, 2) @ inputs.rows_BSD.float().transpose(1, 2)).unflatten(1, q_BsHD.shape[1:3])
    later_BsS = positions_BS.unsqueeze(1) > positions_BS[:, part].unsqueeze(-1)
    return logits_BsHS.masked_fill(later_BsS.unsqueeze(2), -torch.inf).softmax(-1).mean(2)


def _forward(model: DsaModel, ids_BS: Tensor, select: Select, observe: Observer | None = None) -> Tensor:
    """Returns normed hidden states [B, S, M] of whole sequences with another selection.

    ``observe`` is called with the inputs of every layer's attention.
    """
    positions_BS = torch.arange(ids_BS.shape[1], device=ids_BS.device).expand_as(ids_BS)
    rope = rope_tables(model.config, positions_BS)
    x_BSM = model.model.embed_tokens(ids_BS)
    for layer in model.model.layers:
        assert isinstance(layer, DecoderLayer)
        attention = layer.self_attn
        normed_BSM = layer.input_layernorm(x_BSM)
        inputs = attention.project(normed_BSM, rope)
        index = attention.index(normed_BSM, inputs.latent_BSQ, attention.indexer.keys(normed_BSM, rope), rope)
        if observe is not None:
            observe(attention, inputs, index, positions_BS)
        attended_BSHC = attention.attend(inputs, positions_BS, select(index, positions_BS))
        x_BSM = layer.finish(x_BSM, attention.output(attended_BSHC))
    return model.model.norm(x_BSM)
