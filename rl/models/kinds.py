"""The kind of a module, and of a model's folder."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from model.config_json import FIXED, OWN_TYPE, read_json
from rl.models.causal import CausalLM
from rl.models.causal_kind import CausalKind
from rl.models.dsa import DsaKind
from rl.models.interface import ModelKind, PolicyModel

DSA, CAUSAL = DsaKind(), CausalKind()
DSA_TYPES = (FIXED["model_type"], OWN_TYPE["model_type"])


def kind_of(module: PolicyModel) -> ModelKind[Any]:
    """Returns the kind of a module."""
    return CAUSAL if isinstance(module, CausalLM) else DSA


def load_policy(folder: Path, dtype: str, device: str) -> tuple[PolicyModel, PreTrainedTokenizerFast]:
    """Loads the model of any kind in ``folder`` with its tokenizer; ``dtype`` is torch's name.

    Raises ModelError if that fails.
    """
    model_type = read_json(folder).get("model_type")
    causal = model_type not in DSA_TYPES and model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return (CAUSAL if causal else DSA).load(folder, dtype, device)
