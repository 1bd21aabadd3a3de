"""Losses of the indexer warm-up (DeepSeek-V3.2-Exp report, section 2.1) and of MTP layers.

In the warm-up attention stays dense, and only the indexer learns, to rank tokens as attention does. The sparse stage
that follows is ``rl.supervised`` with stage "sparse", on ``DsaModel.packed``.

Shape suffixes: B batch, S tokens of whole sequences, M model width, L layers, D MTP layers.
"""

import torch
from torch import Tensor
from torch.nn import functional

from model.attention import Attention
from model.errors import ModelError
from model.packed import Branch, Packed, Span
from model.transformer import DsaModel


def train_indexers_only(model: DsaModel) -> list[torch.nn.Parameter]:
    """Freezes all but the indexers of the decoder layers, and returns their parameters for the optimizer."""
    model.requires_grad_(False)
    indexers = [module.indexer.requires_grad_() for module in model.model.modules() if isinstance(module, Attention)]
    return [weight for indexer in indexers for weight in indexer.parameters()]


def warm_up_loss(model: DsaModel, input_ids_BS: Tensor) -> Tensor:
    """Returns KL(attention || indexer) over all earlier tokens per layer, [L], in nats, mean over tokens.

    Attention is dense, and gradients reach only the indexers. No S x S matrix is in memory. Paper: lr 1e-3.
    """
    return model.packed(_rows(input_ids_BS), "dense")[1] / input_ids_BS.numel()


def mtp_losses(model: DsaModel, input_ids_BS: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean cross entropies in nats: of the next token, and of token d + 2 ahead per MTP layer d = 0, ..., [D].

    DeepSeek-V3 (arXiv 2412.19437, section 2.2, equations 24 and 25) adds the mean of the latter times 0.3, later 0.1,
    to the former. Used by ``benchmarks.speculation``, which trains an MTP layer.
    Raises ModelError if the model has no MTP layer, or the sequences are too short for its layers.
    """
    if not model.mtp:
        raise ModelError("the model has no MTP layer: set num_nextn_predict_layers to 1 or more")
    if input_ids_BS.shape[1] < len(model.mtp) + 2:
        raise ModelError(f"{len(model.mtp)} MTP layers need sequences of at least {len(model.mtp) + 2} tokens")
    hidden_BSM = model.hidden(input_ids_BS)
    main = _cross_entropy(model.logits(hidden_BSM), input_ids_BS, ahead=1)
    mtp = model.mtp_logits(input_ids_BS, hidden_BSM)
    return main, torch.stack([_cross_entropy(logits, input_ids_BS, ahead=d + 2) for d, logits in enumerate(mtp)])


def _cross_entropy(logits_BSV: Tensor, input_ids_BS: Tensor, ahead: int) -> Tensor:
    """Mean cross entropy in nats; row i of the logits predicts token i + ``ahead``; rows without one are dropped."""
    targets_BS = input_ids_BS[:, ahead:]
    return functional.cross_entropy(logits_BSV[:, : targets_BS.shape[1]].flatten(0, 1), targets_BS.flatten())


def _rows(input_ids_BS: Tensor) -> Packed:
    """Packs whole sequences of one length."""
    batch, tokens = input_ids_BS.shape
    branches = [Branch(Span(row * tokens, 0), Span(row * tokens, tokens)) for row in range(batch)]
    return Packed(input_ids_BS.flatten(), branches)
