"""DSA models as models that are trained: `model` and its engine."""

from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast
from typing_extensions import override

from model.checkpoint import fill, save_pretrained
from model.engine import EngineConfig, LLMEngine
from model.initialize import empty_model
from model.loading import load_model
from model.names import checkpoint_tensors, copies
from model.transformer import DsaModel
from rl.models.interface import ModelKind, RolloutEngine


class DsaKind(ModelKind[DsaModel]):
    """DSA models."""

    records_choices = True

    @override
    def load(self, folder: Path, dtype: str, device: str) -> tuple[DsaModel, PreTrainedTokenizerFast]:
        return load_model(folder, dtype, device)

    @override
    @torch.no_grad()
    def fill(self, module: DsaModel, folder: Path) -> None:
        fill(folder, checkpoint_tensors(module), copies(module))

    @override
    def save(self, module: DsaModel, folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
        save_pretrained(module, folder, tokenizer)

    @override
    def empty_like(self, module: DsaModel, device: str) -> DsaModel:
        return empty_model(module.config, module.model.norm.weight.dtype, device).eval()

    @override
    def engine(self, module: DsaModel, tokenizer: PreTrainedTokenizerFast, config: EngineConfig) -> RolloutEngine:
        return LLMEngine(module, tokenizer, config)

    @override
    def layers(self, module: DsaModel) -> list[nn.Module]:
        return list(module.model.layers)
