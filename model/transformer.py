"""DSA transformer: decoder layers, head, and multi-token-prediction (MTP) layers.

Attribute names are those of the checkpoints. Shape suffixes: B batch, S tokens, M model width, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from model.attention import Attention
from model.cache import Cache, LayerCache
from model.config import ModelConfig
from model.errors import ModelError
from model.layers import Embedding, FeedForward, Linear, RMSNorm
from model.moe import MixtureOfExperts
from model.packed import Packed, RolloutReplay
from model.packed_attention import IndexerStage, attend_packed
from model.rope import RopeTables, rope_tables


class DecoderLayer(nn.Module):
    """Pre-norm attention and feed-forward network, each with a residual connection."""

    def __init__(self, config: ModelConfig, *, dense: bool) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = FeedForward(config.hidden_size, config.intermediate_size) if dense else MixtureOfExperts(config)
        self.gradient_checkpointing = False

    def forward(self, x_BSM: Tensor, positions_BS: Tensor, rope: RopeTables, cache: LayerCache | None = None) -> Tensor:
        """Maps [B, S, M] to [B, S, M]."""
        return self.finish(x_BSM, self.self_attn(self.input_layernorm(x_BSM), positions_BS, rope, cache))

    def packed(
        self, x_NM: Tensor, packed: Packed, rope: RopeTables, stage: IndexerStage, replay: RolloutReplay
    ) -> tuple[Tensor, Tensor]:
        """Runs packed sequences, [N, M] to [N, M]; returns also the indexer's KL in nats, summed over the tokens.

        With ``gradient_checkpointing`` the layer keeps its inputs alone, and the backward pass computes it once more.
        """
        recorded = replay.selection(), replay.experts() if isinstance(self.mlp, MixtureOfExperts) else None
        if not (self.gradient_checkpointing and torch.is_grad_enabled()):
            return self._packed(x_NM, packed, rope, stage, *recorded)
        return checkpoint(self._packed, x_NM, packed, rope, stage, *recorded, use_reentrant=False)

    def _packed(
        self,
        x_NM: Tensor,
        packed: Packed,
        rope: RopeTables,
        stage: IndexerStage,
        selection_NK: Tensor | None,
        experts_NA: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        normed_NM = self.input_layernorm(x_NM)
        attended_NM, kl = attend_packed(self.self_attn, normed_NM, packed, rope, stage, selection_NK)
        with torch.set_grad_enabled(torch.is_grad_enabled() and stage != "dense"):  # warm-up: only indexers
            return self.finish(x_NM.unsqueeze(0), attended_NM.unsqueeze(0), experts_NA)[0], kl

    def finish(self, x_BSM: Tensor, attended_BSM: Tensor, experts_NA: Tensor | None = None) -> Tensor:
        """Adds the attention output to the residual, then the feed-forward network's.

        ``experts_NA``: the experts of each token, instead of the gate's choice.
        """
        x_BSM = x_BSM + attended_BSM
        normed_BSM = self.post_attention_layernorm(x_BSM)
        if isinstance(self.mlp, MixtureOfExperts):
            return x_BSM + self.mlp(normed_BSM, experts_NA)
        return x_BSM + self.mlp(normed_BSM)


class MTPLayer(nn.Module):
    """One MTP layer: h'_i = layer(W [enorm(emb(t_i+1)) ; hnorm(h_i)]), for t_i+2 (DeepSeek-V3, section 2.2).

    ``h`` is the hidden state after the preceding norm (the model's final norm for the first layer), as in the inference
    code of the released weights. ``norm`` precedes the shared head.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.enorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.hnorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.eh_proj = Linear(2 * config.hidden_size, config.hidden_size)
        self.layer = DecoderLayer(config, dense=False)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self, h_BSM: Tensor, next_BSM: Tensor, positions_BS: Tensor, rope: RopeTables, cache: LayerCache | None = None
    ) -> Tensor:
        """Returns normed hidden states [B, S, M] of tokens i from ``h_BSM`` and the embeddings of tokens i + 1."""
        x_BSM = self.eh_proj(torch.cat((self.enorm(next_BSM), self.hnorm(h_BSM)), dim=-1))
        return self.norm(self.layer(x_BSM, positions_BS, rope, cache))


class Decoder(nn.Module):
    """Embeddings, decoder layers and the final norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        layers = range(config.num_hidden_layers)
        self.layers = nn.ModuleList(DecoderLayer(config, dense=config.is_dense(layer)) for layer in layers)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, input_ids_BS: Tensor, positions_BS: Tensor, cache: Cache | None = None) -> Tensor:
        """Returns normed hidden states [B, S, M]."""
        rope = rope_tables(self.config, positions_BS)
        x_BSM = self.embed_tokens(input_ids_BS)
        caches = [None] * len(self.layers) if cache is None else cache.layers
        for layer, layer_cache in zip(self.layers, caches, strict=True):
            x_BSM = layer(x_BSM, positions_BS, rope, layer_cache)
        return self.norm(x_BSM)


class DsaModel(nn.Module):
    """Causal language model with DeepSeek Sparse Attention (DSA)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = None if config.tie_word_embeddings else Linear(config.hidden_size, config.vocab_size)
        self.mtp = nn.ModuleList(MTPLayer(config) for _ in range(config.num_nextn_predict_layers))

    def forward(self, input_ids_BS: Tensor, positions_BS: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """Returns logits [B, S, V] in fp32 or fp64.

        With a cache, ``positions_BS`` are the positions of the new tokens in their sequences (-1: padding, whose logits
        are meaningless). Without both, the tokens are whole sequences.
        Raises ModelError for an input of another form.
        """
        return self.logits(self.hidden(input_ids_BS, positions_BS, cache))

    def hidden(self, input_ids_BS: Tensor, positions_BS: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """Returns the normed hidden states [B, S, M] that ``logits`` and the MTP layers take; see ``forward``."""
        if input_ids_BS.dim() != 2 or 0 in input_ids_BS.shape:
            raise ModelError(f"input_ids must be a nonempty [batch, tokens], not {list(input_ids_BS.shape)}")
        if (positions_BS is None) != (cache is None):
            raise ModelError("positions and cache go together: pass both or neither")
        if positions_BS is None:
            positions_BS = _from_start(input_ids_BS)
        return self.model(input_ids_BS, positions_BS, cache)

    def packed(
        self, packed: Packed, stage: IndexerStage = "off", replay: RolloutReplay | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns normed hidden states [N, M] and, per layer, the indexer's KL in nats summed over the tokens, [L].

        Raises ModelError if ``replay`` has more or fewer layers than the model.
        """
        replay = replay or RolloutReplay()
        rope = rope_tables(self.config, packed.positions_N.unsqueeze(0))
        x_NM = self.model.embed_tokens(packed.ids_N)
        losses = []
        for layer in self.model.layers:
            assert isinstance(layer, DecoderLayer)
            x_NM, kl = layer.packed(x_NM, packed, rope, stage, replay)
            losses.append(kl)
        replay.finish()
        return self.model.norm(x_NM), torch.stack(losses)

    def gradient_checkpointing_enable(self) -> None:
        """Trades time for memory: ``packed`` keeps each layer's inputs alone for the backward pass."""
        for layer in self.model.layers:
            assert isinstance(layer, DecoderLayer)
            layer.gradient_checkpointing = True

    def logits(self, hidden_BSM: Tensor) -> Tensor:
        """Returns the logits [..., V] of normed hidden states [..., M], in fp32 or fp64."""
        head = self.model.embed_tokens if self.lm_head is None else self.lm_head
        logits_BSV = functional.linear(hidden_BSM, head.weight)
        return logits_BSV.to(torch.promote_types(logits_BSV.dtype, torch.float32))

    def mtp_logits(self, input_ids_BS: Tensor, hidden_BSM: Tensor) -> list[Tensor]:
        """Returns logits [B, S - d - 1, V] per MTP layer d = 0, 1, ...; row i predicts token i + d + 2.

        ``hidden_BSM`` are the hidden states of whole sequences. The last row of layer d predicts beyond the sequence.
        Raises ModelError if the sequences are too short for the layers.
        """
        if input_ids_BS.shape[1] <= len(self.mtp):
            raise ModelError(f"{len(self.mtp)} MTP layers need sequences of at least {len(self.mtp) + 1} tokens")
        predictions = []
        for depth, layer in enumerate(self.mtp, start=1):
            next_BSM = self.model.embed_tokens(input_ids_BS[:, depth:])
            positions_BS = _from_start(input_ids_BS[:, depth:])
            rope = rope_tables(self.config, positions_BS)
            hidden_BSM = layer(hidden_BSM[:, : next_BSM.shape[1]], next_BSM, positions_BS, rope)
            predictions.append(self.logits(hidden_BSM))
        return predictions


def _from_start(input_ids_BS: Tensor) -> Tensor:
    """Returns positions 0, 1, ... for each row."""
    return torch.arange(input_ids_BS.shape[1], device=input_ids_BS.device).expand_as(input_ids_BS)
