"""Interface between the trainer and the models that it trains: packed forward pass, generation, loading and saving.

A module of any kind has ``packed`` and ``logits`` as `DsaModel` does, ``config.vocab_size`` and
``config.max_position_embeddings``, and ``gradient_checkpointing_enable``. All else is done by its `ModelKind`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from model.engine import CompletionOutput, EngineConfig, SamplingParams
from model.transformer import DsaModel
from rl.models.causal import CausalLM

PolicyModel = DsaModel | CausalLM
M = TypeVar("M", DsaModel, CausalLM)


class RolloutEngine(Protocol):
    """Generates with a model whose weights change between rollouts."""

    @property
    def module(self) -> PolicyModel:
        """The model that it generates with."""
        ...

    @property
    def max_model_len(self) -> int:
        """Maximum number of tokens of a prompt with its completion."""
        ...

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sequence[SamplingParams],
        finished: Callable[[int, list[CompletionOutput]], None] = ...,
    ) -> list[list[CompletionOutput]]:
        """Returns the completions of each prompt, as `model.engine.LLMEngine` does."""
        ...

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copies a state dict into the engine's module, and calls ``weights_changed``."""
        ...

    def weights_changed(self) -> None:
        """Drops everything that old weights have computed. Raises ModelError if the new ones are not finite."""
        ...


class ModelKind(ABC, Generic[M]):
    """A kind of model, by what the trainer does with it."""

    records_choices: bool  # whether rollouts can record experts and selected tokens

    @abstractmethod
    def load(self, folder: Path, dtype: str, device: str) -> tuple[M, PreTrainedTokenizerFast]:
        """Loads model and tokenizer. Raises ModelError if that fails."""

    @abstractmethod
    def fill(self, module: M, folder: Path) -> None:
        """Copies the weights in ``folder`` into the module. Raises ModelError if they do not fit."""

    @abstractmethod
    def save(self, module: M, folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
        """Saves model and tokenizer as a Hugging Face folder."""

    @abstractmethod
    def empty_like(self, module: M, device: str) -> M:
        """Returns a module of the same shape and dtype, in evaluation mode, whose weights mean nothing."""

    @abstractmethod
    def engine(self, module: M, tokenizer: PreTrainedTokenizerFast, config: EngineConfig) -> RolloutEngine:
        """Returns an engine that generates with ``module`` itself."""

    @abstractmethod
    def layers(self, module: M) -> list[nn.Module]:
        """The decoder layers, which FSDP shards one by one."""
