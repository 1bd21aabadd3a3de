"""Checkpoint names: Hugging Face's tensor names for the parts of a model.

The modules have the checkpoints' names, with two exceptions: a checkpoint stores each expert's matrices separately, and
an MTP layer as one more decoder layer with copies of embeddings and head.
"""

import re
from collections.abc import Iterator

from torch import Tensor

from model.transformer import DsaModel

_MTP = re.compile(r"^mtp\.(\d+)\.(?:layer\.)?(norm\.)?")


def checkpoint_tensors(model: DsaModel) -> dict[str, Tensor]:
    """Returns every tensor of a checkpoint of ``model`` by name, each a view into the model's weights."""
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    parts = (checkpoint_parts(name, model, tensor.detach()) for name, tensor in own.items())
    return {part: view for views in parts for part, view in views.items()}


def checkpoint_parts(name: str, model: DsaModel, tensor: Tensor) -> dict[str, Tensor]:
    """Returns the tensors of a checkpoint that make up the parameter or buffer ``name``, each a view into ``tensor``.

    They are two for each expert of a stack, else one.
    """
    return dict(_entries(_renamed(name, model), tensor))


def copies(model: DsaModel) -> dict[str, str]:
    """Returns the names under which a checkpoint may repeat a tensor, with the name of that tensor."""
    embeddings = "model.embed_tokens.weight"
    head = embeddings if model.lm_head is None else "lm_head.weight"
    repeated = {} if model.lm_head is not None else {"lm_head.weight": head}
    for depth in range(len(model.mtp)):
        layer = f"model.layers.{model.config.num_hidden_layers + depth}"
        repeated |= {f"{layer}.embed_tokens.weight": embeddings, f"{layer}.shared_head.head.weight": head}
    return repeated


def _renamed(name: str, model: DsaModel) -> str:
    match = _MTP.match(name)
    if not match:
        return name
    layer = model.config.num_hidden_layers + int(match[1])
    return f"model.layers.{layer}.{'shared_head.norm.' if match[2] else ''}{name[match.end() :]}"


def _entries(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yields (name, view) of each expert's matrices if ``tensor`` is a stack of experts, else the tensor itself."""
    prefix, stacked, matrix = name.rpartition(".mlp.experts.")
    if not stacked:
        yield name, tensor
        return
    parts = ("gate_proj", "up_proj") if matrix == "gate_up_proj" else (matrix,)
    for expert, weight in enumerate(tensor.unbind(0)):
        for part, view in zip(parts, weight.chunk(len(parts), dim=0), strict=True):
            yield f"{prefix}.mlp.experts.{expert}.{part}.weight", view
