"""Trained judge: a model with its own weights and engine that answers the prompts of a verifier or meta-verifier."""

from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from core.errors import LemmataError
from core.ids import clean_text, derive_seed, digest
from model.chat import Chat
from model.engine import CompletionOutput, EngineConfig, SamplingParams
from model.errors import ModelError
from rl.judge import Judge
from rl.models.kinds import kind_of, load_policy
from rl.task import Answer

MAX_NUM_SEQS, CACHE_TOKENS = 256, 131072  # of its engine


class TrainedJudge(Judge):
    """The model in ``folder``. Raises LemmataError where it cannot be loaded."""

    def __init__(self, folder: str | Path, temperature: float, max_tokens: int, seed: int, device: str = "cpu") -> None:
        try:
            module, tokenizer = load_policy(Path(folder), "float32", device)
        except ModelError as error:
            raise LemmataError(f"{folder} cannot judge: {error}") from error
        self.temperature, self.max_tokens, self.seed = temperature, max_tokens, seed
        self._chat = Chat(tokenizer)
        config = EngineConfig(cache_tokens=CACHE_TOKENS, max_num_seqs=MAX_NUM_SEQS)
        self.engine = kind_of(module).engine(module.requires_grad_(False), tokenizer, config)

    @override
    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        """A prompt that leaves no room for an answer has none."""
        distinct = {prompt: self._render(prompt) for prompt in dict.fromkeys(prompts)}
        fitting = [prompt for prompt, ids in distinct.items() if len(ids) < self.engine.max_model_len]
        completions = self.engine.generate(
            [distinct[prompt] for prompt in fitting], [self._sampling(prompt, count, draw) for prompt in fitting]
        )
        answers = {prompt: [_answer(one) for one in group] for prompt, group in zip(fitting, completions, strict=True)}
        return [answers.get(prompt, []) for prompt in prompts]

    def prompt_tokens(self, prompt: str) -> int:
        """The number of tokens of a rendered prompt."""
        return len(self._render(prompt))

    def _render(self, prompt: str) -> list[int]:
        return list(self._chat.render([{"role": "user", "content": prompt}], thinking=False))

    def _sampling(self, prompt: str, count: int, draw: int) -> SamplingParams:
        return SamplingParams(
            n=count,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            seed=derive_seed(self.seed, "judge", draw, digest(prompt)),
        )


def _answer(completion: CompletionOutput) -> Answer:
    truncated = completion.finish_reason == "length"
    return Answer(clean_text(completion.text), truncated=truncated, tokens=len(completion.token_ids))
