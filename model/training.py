"""The two stages that turn a dense model into a sparse one (DeepSeek-V3.2-Exp report, section 2.1).

Warm-up: attention stays dense, and the indexer alone learns to rank tokens as attention does. Sparse stage: attention
is over the selected tokens; the model learns from the language-model loss alone, the indexer from its KL alone.

Shape suffixes: B batch, S tokens of whole sequences, M model width, H heads, C latent width, L layers.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from model.attention import Attention
from model.errors import ModelError
from model.packed import Branch, Packed, Span
from model.transformer import DsaModel


class SparseLosses(NamedTuple):
    """``language_model``: mean cross entropy of the next token. ``indexer_L``: per layer the mean KL of a token."""

    language_model: Tensor
    indexer_L: Tensor


def train_indexers_only(model: DsaModel) -> list[torch.nn.Parameter]:
    """Freeze all but the indexers of the decoder layers, and return their parameters for the optimizer."""
    model.requires_grad_(False)
    indexers = [module.indexer.requires_grad_() for module in model.model.modules() if isinstance(module, Attention)]
    return [weight for indexer in indexers for weight in indexer.parameters()]


def warm_up_loss(model: DsaModel, input_ids_BS: Tensor) -> Tensor:
    """Per layer the mean over tokens of KL(attention || indexer) over all earlier tokens, [L]; attention is dense.

    Gradients reach the indexers alone. No S x S matrix is held: neither scores nor attention. Paper: lr 1e-3.
    """
    return model.packed(_rows(input_ids_BS), "dense")[1] / input_ids_BS.numel()


def sparse_stage_losses(model: DsaModel, input_ids_BS: Tensor) -> SparseLosses:
    """Both losses of the sparse stage, their gradients apart from each other. Paper: lr 7.3e-6.

    The KL of a token is over its selected tokens. Raises ModelError where there is no next token to predict.
    """
    if input_ids_BS.shape[1] < 2:
        raise ModelError("the language-model loss needs sequences of at least 2 tokens")
    hidden_NM, indexer_L = model.packed(_rows(input_ids_BS), "sparse")
    logits_BSV = model.logits(hidden_NM.view(*input_ids_BS.shape, -1))
    return SparseLosses(_cross_entropy(logits_BSV, input_ids_BS, ahead=1), indexer_L / input_ids_BS.numel())


def mtp_losses(model: DsaModel, input_ids_BS: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross entropy of the next token, and per MTP layer d = 0, 1, ... of the token d + 2 further, [D].

    DeepSeek-V3 (arXiv 2412.19437, section 2.2, equations 24 and 25); it adds their mean times 0.3, later 0.1, to the
    first. Raises ModelError where the model has no MTP layer, or the sequences are too short for its layers.
    """
    if not model.mtp:
        raise ModelError("the model has no MTP layer: set num_nextn_predict_layers to 1 or more")
    if input_ids_BS.shape[1] < len(model.mtp) + 2:
        raise ModelError(f"{len(model.mtp)} MTP layers learn from sequences of at least {len(model.mtp) + 2} tokens")
    hidden_BSM = model.hidden(input_ids_BS)
    main = _cross_entropy(model.logits(hidden_BSM), input_ids_BS, ahead=1)
    further = model.mtp_logits(input_ids_BS, hidden_BSM)
    return main, torch.stack([_cross_entropy(logits, input_ids_BS, ahead=d + 2) for d, logits in enumerate(further)])


def _cross_entropy(logits_BSV: Tensor, input_ids_BS: Tensor, ahead: int) -> Tensor:
    """Row i of the logits is for token i + ``ahead``; rows without such a token are left out."""
    targets_BS = input_ids_BS[:, ahead:]
    return functional.cross_entropy(logits_BSV[:, : targets_BS.shape[1]].flatten(0, 1), targets_BS.flatten())


def _rows(input_ids_BS: Tensor) -> Packed:
    """Whole sequences of one length, packed."""
    batch, tokens = input_ids_BS.shape
    branches = [Branch(Span(row * tokens, 0), Span(row * tokens, tokens)) for row in range(batch)]
    return Packed(input_ids_BS.flatten(), branches)
