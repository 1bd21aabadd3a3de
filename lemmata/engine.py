"""In-process model: chat prompts in, texts out, and a policy for the proof loop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from core.config import read_config
from core.errors import LemmataError
from lemmata.compose import compose
from lemmata.running import run_sync
from policy.interface import Completion, Prompt, Sampling, user_prompt
from policy.local_config import LocalConfig


class Engine:
    """A DSA model in this process with a paged KV cache and continuous batching. Loading it imports torch.

    It is a policy: several calls of ``lemmata.refine(..., policy=engine)`` use the same loaded weights.

    Args:
        model: "shipped", or a Hugging Face folder of a DSA model with its tokenizer and chat template.
        config: settings of policy=local that differ: ``{"device": "cuda", "engine.cache_tokens": 131072}``.

    Raises:
        LemmataError: a setting is wrong, torch is missing, or the folder holds no model that can run.
    """

    def __init__(self, model: str | Path = "shipped", config: Mapping[str, Any] | None = None) -> None:
        try:
            from policy.local import Local  # noqa: PLC0415  loads torch
        except ImportError as error:
            raise LemmataError(
                f"lemmata.Engine needs torch and transformers: pip install '.[model]' ({error})"
            ) from error

        preset = {"policy": "shipped"} if model == "shipped" else {"policy": "local", "policy.model": str(model)}
        self.changes = preset | {f"policy.{key}": value for key, value in (config or {}).items()}
        composed = compose("refine", self.changes)
        values = {key: value for key, value in composed["policy"].items() if key != "kind"}
        self.name = "policy"
        self._sampling = Sampling(**{key: composed["sampling"][key] for key in ("temperature", "top_p", "max_tokens")})
        self._policy = Local(self.name, read_config(LocalConfig, values, "policy"))

    @property
    def samples_per_request(self) -> int:
        """The largest ``n`` of one request."""
        return self._policy.samples_per_request

    def generate(self, prompts: Sequence[str], **sampling: Any) -> list[list[Completion]]:
        """Completions of each prompt, which is sent as one user message.

        Args:
            prompts: texts of user messages.
            sampling: fields of `policy.interface.Sampling` that differ from the preset's: n, temperature, top_p,
                max_tokens, stop, seed.

        Raises:
            PromptRefused: a prompt does not fit the context.
        """
        return run_sync(self.agenerate(prompts, **sampling))

    async def agenerate(self, prompts: Sequence[str], **sampling: Any) -> list[list[Completion]]:
        """The asynchronous form of ``generate``."""
        return await self.sample([user_prompt(text) for text in prompts], replace(self._sampling, **sampling))

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """Completions of each prompt, as `policy.interface.Policy` defines them."""
        return await self._policy.sample(prompts, sampling)

    async def close(self) -> None:
        """Stop the engine's thread and release the model."""
        await self._policy.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run_sync(self.close())
