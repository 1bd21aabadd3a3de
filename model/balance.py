"""Auxiliary-loss-free load balancing of experts (arXiv 2408.15664, algorithm 1; DeepSeek-V3, section 2.1.2).

Shape suffixes: N tokens, A experts of a token, E routed experts.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from model.router_capture import gates, on_routing


@contextmanager
def count_load(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Counts, within the block, the tokens that each gate of ``model`` sends to each expert: {gate's name: load_E}."""
    loads: dict[str, Tensor] = {}
    experts = {name: len(gate.weight) for name, gate in gates(model).items()}

    def count(name: str, experts_NA: Tensor) -> None:
        counts_E = torch.bincount(experts_NA.flatten(), minlength=experts[name])
        loads[name] = loads[name] + counts_E if name in loads else counts_E

    with on_routing(model, count):
        yield loads


@torch.no_grad()
def update_biases(model: nn.Module, loads: Mapping[str, Tensor], speed: float) -> None:
    """Raises each gate's bias by ``speed`` for experts below the mean load, and lowers it for those above."""
    for name, gate in gates(model).items():
        if name in loads:
            load_E = loads[name].to(gate.e_score_correction_bias)
            gate.e_score_correction_bias.add_((load_E.mean() - load_E).sign(), alpha=speed)
