"""Export of a DSA model as a DeepSeek-V3 model, for servers without sparse attention such as vLLM's CPU build.

While the context is within ``index_topk``, every token is selected, and a DeepSeek-V3 checkpoint without the indexers
computes the same function. The exported ``max_position_embeddings`` is at most ``index_topk``, so that the server
refuses longer contexts, for which the results would differ.
"""

from pathlib import Path
from typing import Any

from model.checkpoint import SHARD_BYTES, write_folder
from model.config import ModelConfig
from model.config_json import OWN_KEYS, config_to_json
from model.errors import ModelError
from model.layers import RMSNorm
from model.names import checkpoint_tensors
from model.transformer import DsaModel

LATENT_EPS = RMSNorm(1).eps


def export_for_dense_serving(module: DsaModel, folder: str | Path, shard_bytes: int = SHARD_BYTES) -> None:
    """Saves ``module`` to ``folder`` as ``deepseek_v3`` without its indexers and MTP layers, with an untied head.

    Otherwise like ``save_pretrained``. Raises ModelError if vLLM would compute something else.
    """
    if problems := _differences(module.config):
        raise ModelError("exported as DeepSeek-V3, this model would compute something else: " + "; ".join(problems))
    tensors = checkpoint_tensors(module)
    first_mtp = module.config.num_hidden_layers
    left_out = tuple(f"model.layers.{first_mtp + depth}." for depth in range(len(module.mtp)))
    kept = {name: weight for name, weight in tensors.items() if not name.startswith(left_out)}
    kept = {name: weight for name, weight in kept.items() if ".indexer." not in name}
    kept.setdefault("lm_head.weight", tensors["model.embed_tokens.weight"])  # vLLM's model of V3 has no tied head
    write_folder(kept, _config(module.config), Path(folder), shard_bytes)


def _config(config: ModelConfig) -> dict[str, Any]:
    value = {key: entry for key, entry in config_to_json(config).items() if not key.startswith("index_")}
    return value | {
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "max_position_embeddings": min(config.max_position_embeddings, config.index_topk),
        "num_nextn_predict_layers": 0,
        "tie_word_embeddings": False,
    }


def _differences(config: ModelConfig) -> list[str]:
    """Returns the settings that vLLM 0.32 lacks or interprets differently."""
    problems = [
        f"{name}={getattr(config, name)} is not supported by DeepSeek-V3; serve the original of the converted model"
        for name, usual in OWN_KEYS.items()
        if getattr(config, name) != usual
    ]
    if config.rms_norm_eps != LATENT_EPS:
        problems.append(
            f"rms_norm_eps={config.rms_norm_eps} would also apply to the latents, whose norm uses {LATENT_EPS}"
        )
    yarn = config.yarn
    if yarn is not None and not (yarn.mscale and yarn.mscale_all_dim) and (yarn.mscale, yarn.mscale_all_dim) != (1, 0):
        problems.append("YaRN's mscale and mscale_all_dim must be 1 and 0, or both nonzero")
    return problems
