"""What a model chooses on its way: experts of tokens, and tokens that attention selects. For rollouts and for balance.

Shape suffixes: N tokens, A experts of a token, B batch, S tokens, K selected tokens.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import Tensor, nn

from model.attention import TokenSelection
from model.moe import Gate

M = TypeVar("M", bound=nn.Module)


@contextmanager
def capture_routing(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Within the block, note what each gate of ``model`` chooses in its latest pass: {gate's name: experts_NA}."""
    chosen: dict[str, Tensor] = {}
    with on_routing(model, chosen.__setitem__):
        yield chosen


@contextmanager
def capture_selections(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Within the block, note what each layer selects in its latest pass: {name: indices_BSK}.

    A layer in which every earlier token is selected anyway is asked nothing, and is not there.
    """
    chosen: dict[str, Tensor] = {}
    with _hear(selections(model), chosen.__setitem__):
        yield chosen


@contextmanager
def on_routing(model: nn.Module, hear: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Within the block, ``hear`` is told each gate's name and experts_NA after every pass."""
    with _hear(gates(model), lambda name, output: hear(name, output[1])):
        yield


@contextmanager
def _hear(modules: Mapping[str, nn.Module], hear: Callable[[str, Any], None]) -> Iterator[None]:
    """Within the block, ``hear`` is told each module's name and output after every pass."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda _module, _inputs, output: hear(name, output)

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def gates(model: nn.Module) -> dict[str, Gate]:
    """All gates of ``model`` by name."""
    return _named(model, Gate)


def selections(model: nn.Module) -> dict[str, TokenSelection]:
    """The selection of every layer of ``model`` by name."""
    return _named(model, TokenSelection)


def _named(model: nn.Module, kind: type[M]) -> dict[str, M]:
    return {name: module for name, module in model.named_modules() if isinstance(module, kind)}
