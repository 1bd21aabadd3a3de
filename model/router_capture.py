"""Router capture: records the experts of tokens, and the tokens that attention selects, during a forward pass.

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
    """Records, within the block, the experts that each gate of ``model`` chose in its latest pass.

    Yields {gate's name: experts_NA}.
    """
    chosen: dict[str, Tensor] = {}
    with on_routing(model, chosen.__setitem__):
        yield chosen


@contextmanager
def capture_selections(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Records, within the block, the tokens that each layer of ``model`` selected in its latest pass.

    Yields {name: indices_BSK}. A layer in which every earlier token is selected runs no selection and has no entry.
    """
    chosen: dict[str, Tensor] = {}
    with _hooked(selections(model), chosen.__setitem__):
        yield chosen


@contextmanager
def on_routing(model: nn.Module, callback: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Calls ``callback``, within the block, with each gate's name and experts_NA after every pass."""
    with _hooked(gates(model), lambda name, output: callback(name, output[1])):
        yield


@contextmanager
def _hooked(modules: Mapping[str, nn.Module], callback: Callable[[str, Any], None]) -> Iterator[None]:
    """Calls ``callback``, within the block, with each module's name and output after every pass."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda _module, _inputs, output: callback(name, output)

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def gates(model: nn.Module) -> dict[str, Gate]:
    """Returns all gates of ``model`` by name."""
    return _named(model, Gate)


def selections(model: nn.Module) -> dict[str, TokenSelection]:
    """Returns the selection module of every layer of ``model`` by name."""
    return _named(model, TokenSelection)


def _named(model: nn.Module, kind: type[M]) -> dict[str, M]:
    return {name: module for name, module in model.named_modules() if isinstance(module, kind)}
