"""Model card of a saved model: the facts that can be read off the model itself."""

from collections.abc import Sequence
from pathlib import Path

from model.config import ModelConfig
from model.config_json import OWN_TYPE, config_to_json
from model.counts import cache_bytes_per_token, count_parameters, token_flops, weight_bytes
from model.transformer import DsaModel

CARD = "README.md"
GENERATED = "<!-- Written by lemmata on saving. Without this line the file is kept as it is. -->"


def keeps_card(folder: Path) -> bool:
    """Returns True if ``folder`` has a card written by a person, which saving must not overwrite."""
    card = folder / CARD
    return card.is_file() and GENERATED not in card.read_text(encoding="utf-8", errors="replace")


def model_card(
    model: DsaModel, dtype: str, license_name: str | None, *, with_tokenizer: bool, origin: Sequence[str] = ()
) -> str:
    """Returns the README.md of a Hugging Face folder. ``license_name``: an identifier of the Hub, such as apache-2.0.

    ``origin``: lines that describe how the model was made.
    """
    names = config_to_json(model.config)
    reason = _why_ours_alone(model.config, names["model_type"])
    header = [] if reason else ["library_name: transformers"]
    header += ["pipeline_tag: text-generation"]
    header += [f"license: {license_name}"] if license_name else []
    header += ["tags:", f"- {names['model_type']}", "- deepseek-sparse-attention", "- lemmata"]
    lines = [
        "---",
        *header,
        "---",
        GENERATED,
        "",
        "# A DeepSeek-Sparse-Attention model",
        "",
        *_facts(model, names["architectures"][0], dtype),
    ]
    lines += ["", *origin] if origin else []
    lines += ["", "## Loading", "", *_loading(with_tokenizer=with_tokenizer, reason=reason)]
    return "\n".join(lines) + "\n"


def _facts(model: DsaModel, architecture: str, dtype: str) -> list[str]:
    config, counts = model.config, count_parameters(model)
    element = model.model.embed_tokens.weight.element_size()
    per_token = cache_bytes_per_token(model, element)
    first, last = (token_flops(model, position).total for position in (0, config.max_position_embeddings - 1))
    rows = {
        "Architecture": f"`{architecture}`, {config.num_hidden_layers} layers of width {config.hidden_size}",
        "Attention": f"{config.num_attention_heads} heads over a latent of {config.kv_lora_rank} + "
        f"{config.qk_rope_head_dim}; the indexer ({config.index_n_heads} heads of {config.index_head_dim}) selects "
        f"{config.index_topk} tokens",
        "Experts": _experts(config),
        "Vocabulary": f"{config.vocab_size:,} tokens, head {'tied' if config.tie_word_embeddings else 'untied'}",
        "Context": f"{config.max_position_embeddings:,} tokens{_yarn(config)}",
        "MTP layers": str(config.num_nextn_predict_layers),
        "Parameters": f"{counts.total:,}, {counts.active:,} active per token",
        "Compute": f"{first:,} FLOPs (forward pass) for the first token, {last:,} for the last of the context",
        "Weights": f"{dtype}, {weight_bytes(model):,} bytes",
        "KV cache": f"{per_token:,} bytes per token in {dtype}",
    }
    return ["| | |", "|---|---|", *(f"| {name} | {fact} |" for name, fact in rows.items())]


def _experts(config: ModelConfig) -> str:
    moe_layers = max(0, config.num_hidden_layers - config.first_k_dense_replace)
    if not moe_layers:
        return "none"
    return (
        f"{config.num_experts_per_tok} of {config.n_routed_experts} routed and {config.n_shared_experts} shared, "
        f"of width {config.moe_intermediate_size}, in {moe_layers} of {config.num_hidden_layers} layers"
    )


def _yarn(config: ModelConfig) -> str:
    if config.yarn is None:
        return ""
    return f", extended by YaRN from {config.yarn.original_max_position_embeddings:,}"


def _why_ours_alone(config: ModelConfig, model_type: str) -> str:
    """Returns why other libraries cannot load the model; empty if transformers can."""
    if model_type == OWN_TYPE["model_type"]:
        return "it was converted from an ordinary model, and its attention differs from DeepSeek's"
    return "its queries have no latent (`q_lora_rank: null`), which they require" if config.q_lora_rank is None else ""


def _loading(*, with_tokenizer: bool, reason: str) -> list[str]:
    lines = ["```python", "from model import load_pretrained  # Lemmata", "model = load_pretrained(folder)", "```", ""]
    if reason:
        lines += [f"Other libraries cannot load it: {reason}."]
    else:
        imported = "AutoModelForCausalLM, AutoTokenizer" if with_tokenizer else "AutoModelForCausalLM"
        lines += ["```python", f"from transformers import {imported}  # 5.11 or newer"]
        lines += ["model = AutoModelForCausalLM.from_pretrained(folder)"]
        lines += ["tokenizer = AutoTokenizer.from_pretrained(folder)"] if with_tokenizer else []
        lines += ["```"]
    if with_tokenizer:
        lines += [
            "",
            "`lemmata serve model=FOLDER` serves it over HTTP; the chat template is in the tokenizer's files.",
        ]
    return lines
