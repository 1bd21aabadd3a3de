"""Parameters, FLOPs and bytes of a model, counted from its modules.

A multiplication and an addition are two FLOPs. Norms, softmax, rotations and routing, of lower order, are left out.
"""

from dataclasses import dataclass

from torch import nn

from model.attention import Attention
from model.config import ModelConfig
from model.moe import Experts, Gate
from model.transformer import DsaModel


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Parameters in ``total`` (a tied head counts once), and ``active`` ones per token without MTP layers."""

    total: int
    active: int


@dataclass(frozen=True, slots=True)
class TokenFlops:
    """Forward FLOPs of one token: weight matrices, the indexer's scores, and attention over the selected tokens."""

    matrices: int
    indexer: int
    attention: int

    @property
    def total(self) -> int:
        """Sum of the parts."""
        return self.matrices + self.indexer + self.attention


def count_parameters(model: DsaModel) -> ParameterCounts:
    """Counts the parameters of ``model``; the gates' biases are buffers and do not count."""
    total = sum(weight.numel() for weight in model.parameters())
    served = (*model.model.modules(), *([] if model.lm_head is None else [model.lm_head]))
    active = sum(_active(module, model.config) for module in served)
    return ParameterCounts(total, active)


def _active(module: nn.Module, config: ModelConfig) -> int:
    own = sum(weight.numel() for weight in module.parameters(recurse=False))
    if isinstance(module, Experts):
        return own // config.n_routed_experts * config.num_experts_per_tok
    return own


def token_flops(model: DsaModel, position: int) -> TokenFlops:
    """Returns the forward FLOPs of decoding the token at ``position`` (from 0), with the head, without MTP layers."""
    config, tokens = model.config, position + 1
    scores = tokens if tokens > config.index_topk else 0
    pairs = min(config.index_topk, tokens)
    layers = [module for module in model.model.modules() if isinstance(module, Attention)]
    index = 2 * config.index_n_heads * (config.index_head_dim + 1) * scores
    attend = 2 * config.num_attention_heads * (config.cache_width + config.kv_lora_rank) * pairs
    head = 2 * config.vocab_size * config.hidden_size
    matrices = head + sum(_matrix_flops(module, config) for module in model.model.modules())
    if not scores:  # without scores, the indexers compute no queries either
        unused = [part for layer in layers for part in (layer.indexer.wq_b, layer.indexer.weights_proj)]
        matrices -= sum(_matrix_flops(part, config) for part in unused)
    return TokenFlops(matrices, index * len(layers), attend * len(layers))


def _matrix_flops(module: nn.Module, config: ModelConfig) -> int:
    """Returns the FLOPs of one token in the weights of ``module`` itself. An embedding lookup has none."""
    if isinstance(module, nn.Linear | Gate | Experts):
        return 2 * _active(module, config)
    return 0


def weight_bytes(model: DsaModel) -> int:
    """Returns the bytes of weights and biases in their dtypes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))


def cache_bytes_per_token(model: DsaModel, bytes_per_entry: int) -> int:
    """Returns the bytes of one cached token: latent row and indexer key of every decoder layer."""
    config = model.config
    return config.num_hidden_layers * (config.cache_width + config.index_head_dim) * bytes_per_entry
