"""Lightning indexer: cheap scores by which each token selects the earlier tokens that it attends to.

DeepSeek-V3.2-Exp report, equation 1. Shape suffixes: B batch, S tokens, M model width, Q query latent width,
J indexer heads, I indexer width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import ModelConfig
from model.layers import LayerNorm, Linear
from model.rope import RopeTables, rotate_first_half_split


class Indexer(nn.Module):
    """Queries from the query latent; one key and J weights from the hidden state.

    The Hadamard transform of the released code is left out: it changes no product, and matters only for FP8.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.width = config.index_n_heads, config.index_head_dim
        self.wq_b = Linear(config.q_lora_rank or config.hidden_size, self.heads * self.width)
        self.wk = Linear(config.hidden_size, self.width)
        self.k_norm = LayerNorm(self.width)
        self.weights_proj = Linear(config.hidden_size, self.heads)

    def keys(self, x_BSM: Tensor, rope: RopeTables) -> Tensor:
        """Returns the keys k_BSI of the tokens, the first entries rotated by position."""
        return rotate_first_half_split(self.k_norm(self.wk(x_BSM)), rope)

    def queries(self, x_BSM: Tensor, latent_BSQ: Tensor, rope: RopeTables) -> tuple[Tensor, Tensor]:
        """Returns queries q_BSJI, rotated like the keys, and weights w_BSJ in fp32, scaled by J^-1/2 I^-1/2."""
        q_BSJI = self.wq_b(latent_BSQ).unflatten(-1, (self.heads, self.width))
        dtype = torch.promote_types(x_BSM.dtype, torch.float32)
        w_BSJ = functional.linear(x_BSM.to(dtype), self.weights_proj.weight.to(dtype))
        return rotate_first_half_split(q_BSJI, rope), w_BSJ * (self.heads * self.width) ** -0.5
