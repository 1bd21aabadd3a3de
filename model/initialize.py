"""Initialization of weights for training from scratch."""

import torch
from torch import nn

from model.config import ModelConfig
from model.transformer import DsaModel


@torch.no_grad()
def initialize(model: DsaModel, seed: int) -> DsaModel:
    """Initializes every weight of ``model`` in place and returns the model.

    Matrices and embeddings are normal with standard deviation ``initializer_range``, norms the identity, biases
    0 (DeepSeek-V3, section 4.2). The same seed gives the same weights on one device type.
    """
    first = next(model.parameters())
    generator = torch.Generator(first.device).manual_seed(seed)
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if weight.dim() > 1:
                nn.init.normal_(weight, std=model.config.initializer_range, generator=generator)
            else:
                weight.fill_(1.0 if name == "weight" else 0.0)
    for buffer in model.buffers():
        buffer.zero_()
    return model


def new_model(config: ModelConfig, seed: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> DsaModel:
    """Returns a model for training from scratch."""
    return initialize(empty_model(config, dtype, device), seed)


def empty_model(config: ModelConfig, dtype: torch.dtype, device: str = "cpu") -> DsaModel:
    """Returns a model whose weights are allocated once, in their final dtype, and uninitialized."""
    return outline(config, dtype).to_empty(device=device)


def outline(config: ModelConfig, dtype: torch.dtype) -> DsaModel:
    """Returns a model without weight storage, only shapes and dtypes (device "meta").

    With a narrower ``dtype`` the indexer's norm and head weights and the gates' biases stay in fp32: they are small,
    and the formulas use them in fp32.
    """
    with torch.device("meta"):
        model = DsaModel(config)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        keep = name.endswith(KEPT_IN_FP32) and torch.finfo(dtype).bits < 32
        tensor.data = tensor.data.to(torch.float32 if keep else dtype)
    return model


KEPT_IN_FP32 = (
    "indexer.weights_proj.weight",
    "indexer.k_norm.weight",
    "indexer.k_norm.bias",
    "e_score_correction_bias",
)
