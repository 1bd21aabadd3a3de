"""A DSA model in vLLM's form: the tokens of any sequences in, their hidden states out.

Every weight and every formula is the project's own; only the cache of earlier tokens is vLLM's. Shape suffixes: N
tokens of a step, M model width.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from vllm.config import VllmConfig
from vllm.model_executor.model_loader.weight_utils import default_weight_loader
from vllm.sequence import IntermediateTensors

from model.attention import Attention
from model.checkpoint import SCALE_SUFFIX
from model.config_json import read_config
from model.fp8 import BLOCK, dequantize
from model.initialize import empty_model
from model.moe import Gate
from model.names import checkpoint_parts, copies
from model.rope import RopeTables, rope_tables
from model.transformer import DecoderLayer
from serving.vllm_plugin.attention import DsaLayer, StepInputs
from serving.vllm_plugin.batch import batch_of
from serving.vllm_plugin.paged_rows import KeyRows, LatentRows, cache_rows


class GateTap(nn.Module):
    """Reports a gate's choices to vLLM, which finds modules by these two attributes."""

    def __init__(self, layer_id: int, gate: Gate) -> None:
        super().__init__()
        self.layer_id = layer_id
        self.capture_fn: Callable[[Tensor], None] | None = None
        gate.register_forward_hook(self._report)

    def _report(self, _gate: nn.Module, _inputs: Any, output: tuple[Tensor, Tensor]) -> None:
        if self.capture_fn is not None:
            self.capture_fn(output[1])


class LemmataDsaForCausalLM(nn.Module):
    """A model that is whole on one device: no tensor or pipeline parallelism.

    Raises ValueError if vLLM is told to split it.
    """

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__()
        parallel = vllm_config.parallel_config
        if parallel.tensor_parallel_size * parallel.pipeline_parallel_size > 1:
            raise ValueError(
                "LemmataDsaForCausalLM is whole on each device: use data parallelism, or the architecture "
                "LemmataParallelForCausalLM (experimental)"
            )
        config = read_config(Path(vllm_config.model_config.model))
        dtype = vllm_config.model_config.dtype
        self.config, self.dtype = config, dtype
        self.lemmata = empty_model(config, dtype, vllm_config.device_config.device_type).eval()
        names = [f"{prefix}model.layers.{layer}.self_attn" for layer in range(config.num_hidden_layers)]
        rows, keys = zip(*(cache_rows(vllm_config, config, name) for name in names), strict=True)
        self.rows, self.keys = nn.ModuleList(rows), nn.ModuleList(one for one in keys if one is not None)
        gates = ((n, layer.mlp.gate) for n, layer in enumerate(self.lemmata.model.layers) if not config.is_dense(n))
        self.taps = nn.ModuleList(GateTap(layer, gate) for layer, gate in gates)

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str]:
        """Loads tensors of a checkpoint, all or those of some weights, in place; FP8 blocks are dequantized.

        They pass through vLLM's loaders: while it reloads weights, a copy past them changes nothing.
        Raises KeyError for an unknown name, ValueError if a part of a weight or a scale is missing.
        """
        own = {**dict(self.lemmata.named_parameters()), **dict(self.lemmata.named_buffers())}
        parts = {name: checkpoint_parts(name, self.lemmata, tensor) for name, tensor in own.items()}
        owner = {part: name for name, views in parts.items() for part in views}
        repeated, arrived, loaded = copies(self.lemmata), dict[str, dict[str, Tensor]](), set[str]()
        for name, tensor in weights:
            part = name.removesuffix(SCALE_SUFFIX)
            if part in repeated:
                continue
            target = owner[part]
            given = arrived.setdefault(target, {})
            given[name] = tensor
            if _complete(parts[target], given):
                self._load(target, own[target], arrived.pop(target))
                loaded.add(f"lemmata.{target}")
        if arrived:
            raise ValueError(f"parts or scales are missing of {', '.join(sorted(arrived))}")
        return loaded

    def _load(self, name: str, tensor: Tensor, given: dict[str, Tensor]) -> None:
        whole = torch.empty(tensor.shape, dtype=tensor.dtype)
        for part, view in checkpoint_parts(name, self.lemmata, whole).items():
            scale = given.get(part + SCALE_SUFFIX)
            view.copy_(given[part] if scale is None else dequantize(given[part], scale, BLOCK))
        getattr(tensor, "weight_loader", default_weight_loader)(tensor, whole)

    def embed_input_ids(self, input_ids: Tensor) -> Tensor:
        """Returns the embeddings [N, M] of tokens."""
        return self.lemmata.model.embed_tokens(input_ids)

    def compute_logits(self, hidden_states: Tensor) -> Tensor:
        """Returns the logits [N, V] of hidden states."""
        return self.lemmata.logits(hidden_states)

    def forward(
        self,
        input_ids: Tensor | None,
        positions: Tensor,
        intermediate_tensors: IntermediateTensors | None = None,  # of pipeline parallelism
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """Returns the hidden states [N, M] of the step's tokens."""
        decoder = self.lemmata.model
        x_1NM = (decoder.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds).unsqueeze(0)
        positions_1N = positions.unsqueeze(0)
        rope = rope_tables(self.config, positions_1N)
        for number, layer in enumerate(decoder.layers):
            layer = cast(DecoderLayer, layer)
            attended_1NM = self._attention(number, layer.self_attn, layer.input_layernorm(x_1NM), positions_1N, rope)
            x_1NM = layer.finish(x_1NM, attended_1NM)
        return decoder.norm(x_1NM).squeeze(0)

    def _attention(self, number: int, own: Attention, x_1NM: Tensor, positions_1N: Tensor, rope: RopeTables) -> Tensor:
        """Returns one layer's attention of the step, [1, N, M]."""
        rows = cast(LatentRows, self.rows[number])
        keys = cast(KeyRows, self.keys[number]) if self.keys else None
        if (batch := batch_of(rows.name)) is None:
            return torch.zeros_like(x_1NM)
        inputs = own.project(x_1NM, rope)
        rows.store(inputs.rows_BSD[0, : batch.tokens], batch.slots_N)
        if keys is not None:
            keys.store(own.indexer.keys(x_1NM, rope)[0, : batch.tokens], batch.slots_N)
        q_1NJI, w_1NJ = own.indexer.queries(x_1NM, inputs.latent_BSQ, rope)
        step = StepInputs(inputs.q_BSHD[0], q_1NJI[0], w_1NJ[0], positions_1N[0])
        layer = DsaLayer(rows, keys, self.config.index_topk, own.scale, self.config.kv_lora_rank)
        return own.output(layer.attend(step, batch).unsqueeze(0))


def _complete(parts: dict[str, Tensor], given: dict[str, Tensor]) -> bool:
    """Returns True if all parts of a weight have arrived, and the scale of each that is in FP8."""
    scaled = [part for part in parts if part in given and given[part].dtype == torch.float8_e4m3fn]
    return parts.keys() <= given.keys() and all(part + SCALE_SUFFIX in given for part in scaled)
