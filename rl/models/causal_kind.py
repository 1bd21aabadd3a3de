"""Causal models of transformers as models that are trained."""

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from typing_extensions import override

from model.engine import EngineConfig
from model.errors import ModelError
from model.loading import check_device
from model.tokenizer import load_tokenizer
from rl.models.causal import CausalLM, load_causal
from rl.models.causal_engine import CausalEngine
from rl.models.interface import ModelKind, RolloutEngine


class CausalKind(ModelKind[CausalLM]):
    """Causal models that transformers has the code of."""

    records_choices = False

    @override
    def load(self, folder: Path, dtype: str, device: str) -> tuple[CausalLM, PreTrainedTokenizerFast]:
        check_device(device)
        tokenizer = load_tokenizer(folder)
        return load_causal(folder, getattr(torch, dtype), device), tokenizer

    @override
    def fill(self, module: CausalLM, folder: Path) -> None:
        weights = load_causal(folder, module.lm.dtype, str(module.lm.device)).state_dict()
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            raise ModelError(f"the weights in {folder} are of another model: {error}") from error

    @override
    def save(self, module: CausalLM, folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
        module.lm.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    @override
    def empty_like(self, module: CausalLM, device: str) -> CausalLM:
        lm = AutoModelForCausalLM.from_config(module.lm.config, dtype=module.lm.dtype)
        lm.generation_config = module.lm.generation_config
        return CausalLM(lm.to(device))

    @override
    def engine(self, module: CausalLM, tokenizer: PreTrainedTokenizerFast, config: EngineConfig) -> RolloutEngine:
        return CausalEngine(module, tokenizer, config)

    @override
    def layers(self, module: CausalLM) -> list[nn.Module]:
        return list(getattr(module.decoder, "layers", ()))
