"""Samples of a rollout, and their log-probabilities by the trainer: packed by shared prompt, with recorded choices.

Shape suffixes: S samples, T tokens of the longest answer, N packed tokens, P predicted tokens, n of them, M model
width, K kept tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.packed import Packed, RolloutReplay, pack_groups
from model.packed_attention import IndexerStage
from rl.head import by_rows
from rl.logprobs import pad_kept, token_logprobs
from rl.models.interface import PolicyModel


@dataclass(slots=True)
class Sample:
    """One answer to one prompt: a turn of a trajectory of problem ``number``.

    ``logprobs``: the sampler's. ``masks``, ``routing`` and ``selection``: as in `model.engine`'s Completion; None where
    they are not recorded. ``old`` and ``reference`` [tokens]: log-probabilities under the policy at the start of the
    update and under the reference, once they are computed. Reinforcement learning uses ``advantage`` and the KL
    coefficient ``beta``, distillation the ``kind`` of problem, which has a teacher.
    """

    prompt_ids: list[int]
    token_ids: list[int]
    logprobs: list[float]
    temperature: float
    number: int = 0
    advantage: float = 0.0
    beta: float = 0.0
    kind: str = ""
    masks: list[Tensor | None] | None = None
    routing: Tensor | None = None
    selection: Tensor | None = None
    old: Tensor | None = None
    reference: Tensor | None = None

    @property
    def tokens(self) -> int:
        """The number of tokens of prompt and answer."""
        return len(self.prompt_ids) + len(self.token_ids)


@dataclass(frozen=True, slots=True)
class Keep:
    """Choices of the rollout that the trainer repeats."""

    routing: bool = False
    sampling_mask: bool = False
    selection: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """Log-probabilities and entropies of the answers' tokens, [S, T] padded with 0, and the indexers' mean KL."""

    logprobs_ST: Tensor
    entropy_ST: Tensor
    indexer_kl: Tensor


def by_prompt(samples: Sequence[Sample]) -> list[list[int]]:
    """Groups the numbers of the samples by prompt."""
    found: dict[tuple[int, ...], list[int]] = {}
    for number, sample in enumerate(samples):
        found.setdefault(tuple(sample.prompt_ids), []).append(number)
    return list(found.values())


def computed_tokens(samples: Sequence[Sample]) -> int:
    """Number of tokens of a packed batch: a shared prompt once, and each answer."""
    answers = sum(len(sample.token_ids) for sample in samples)
    return answers + sum(len(samples[numbers[0]].prompt_ids) for numbers in by_prompt(samples))


def micro_batches(samples: Sequence[Sample], tokens: int) -> Iterator[list[int]]:
    """Batches the samples' numbers, at most ``tokens`` computed tokens each; a prompt's samples stay together.

    Long answers are first, so that neighbors have similar lengths. The samples of a prompt that exceed the limit
    together are split, and the prompt is computed for each part; one sample alone may exceed it.
    """
    batch: list[int] = []
    total = 0
    groups = [part for numbers in by_prompt(samples) for part in _within(samples, numbers, tokens)]
    groups.sort(key=lambda numbers: -max(len(samples[number].token_ids) for number in numbers))
    for numbers in groups:
        size = len(samples[numbers[0]].prompt_ids) + sum(len(samples[number].token_ids) for number in numbers)
        if batch and total + size > tokens:
            yield batch
            batch, total = [], 0
        batch += numbers
        total += size
    if batch:
        yield batch


def _within(samples: Sequence[Sample], numbers: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Splits the samples of one prompt, at most ``tokens`` tokens with the prompt each."""
    prompt = len(samples[numbers[0]].prompt_ids)
    part: list[int] = []
    total = prompt
    for number in numbers:
        size = len(samples[number].token_ids)
        if part and total + size > tokens:
            yield part
            part, total = [], prompt
        part.append(number)
        total += size
    yield part


def mask_of(samples: Sequence[Sample], device: torch.device | str = "cpu") -> Tensor:
    """Returns a mask [S, T], true for tokens of the answers."""
    lengths_S1 = torch.tensor([[len(sample.token_ids)] for sample in samples], device=device)
    return torch.arange(int(lengths_S1.max()), device=device) < lengths_S1


def padded(rows: Sequence[Sequence[float] | Tensor], device: torch.device | str = "cpu") -> Tensor:
    """Stacks rows of numbers to [S, T], padded with 0; fp32, or the dtype of the rows."""
    tensors = [row if isinstance(row, Tensor) else torch.tensor(row, dtype=torch.float32) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True).to(device)


def score(module: PolicyModel, samples: Sequence[Sample], keep: Keep, stage: IndexerStage = "off") -> Scored:
    """Computes the answers' log-probabilities under ``module``, with the choices of the rollout that ``keep`` names.

    Raises ValueError where the rollout recorded no such choices, ModelError where the model cannot use them.
    """
    device = next(module.parameters()).device
    numbers = [number for group in by_prompt(samples) for number in group]
    ordered = [samples[number] for number in numbers]
    hidden_PM, indexer_kl = answer_states(module, ordered, keep, stage)
    tokens_P = torch.tensor([token for sample in ordered for token in sample.token_ids], device=device)
    kept_PK = None
    if keep.sampling_mask:
        kept_PK = pad_kept([mask for sample in ordered for mask in _masks(sample)]).to(device)
    temperature = ordered[0].temperature

    def of_rows(hidden_nM: Tensor, tokens_n: Tensor, kept_nK: Tensor | None) -> tuple[Tensor, ...]:
        return token_logprobs(module.logits(hidden_nM), tokens_n, temperature, kept_nK)

    scored = by_rows(of_rows, module.config.vocab_size, hidden_PM, tokens_P, kept_PK)
    lengths = [len(sample.token_ids) for sample in ordered]
    place_of = {number: place for place, number in enumerate(numbers)}
    rows = [value.split(lengths) for value in scored]
    sorted_back = [[row[place_of[number]] for number in range(len(samples))] for row in rows]
    return Scored(*(padded(row, device) for row in sorted_back), indexer_kl=indexer_kl)


def answer_states(
    module: PolicyModel, ordered: Sequence[Sample], keep: Keep, stage: IndexerStage = "off"
) -> tuple[Tensor, Tensor]:
    """Computes the hidden states [P, M] that predict the answers' tokens, answer by answer, and the indexers' mean KL.

    Samples of the same prompt must be neighbors in ``ordered`` (`by_prompt`). Raises as `score`.
    """
    device = next(module.parameters()).device
    packed, groups = _packed(ordered, device)
    hidden_NM, kl_L = module.packed(packed, stage, _replay(groups, keep, device))
    return hidden_NM.index_select(0, _predicting(packed, ordered)), kl_L.mean() / len(packed.ids_N)


def _packed(ordered: Sequence[Sample], device: torch.device) -> tuple[Packed, list[list[Sample]]]:
    groups = [[ordered[number] for number in numbers] for numbers in by_prompt(ordered)]
    # The last token of an answer predicts nothing, so it is no input.
    parts = [(group[0].prompt_ids, [sample.token_ids[:-1] for sample in group]) for group in groups]
    return pack_groups(parts, device), groups


def _predicting(packed: Packed, ordered: Sequence[Sample]) -> Tensor:
    """The position before each token of the answers."""
    answers = [branch for branch in packed.branches if branch.prompt.length]
    places = [
        place
        for branch, _ in zip(answers, ordered, strict=True)
        for place in (branch.prompt.places[-1], *branch.own.places)
    ]
    return torch.tensor(places, device=packed.ids_N.device)


def _masks(sample: Sample) -> list[Tensor | None]:
    if sample.masks is None:
        raise ValueError("the rollout recorded no sampling masks: sample with record_sampling_masks")
    return sample.masks


def _replay(groups: Sequence[Sequence[Sample]], keep: Keep, device: torch.device) -> RolloutReplay:
    routing = _joined(groups, "routing", device) if keep.routing else None
    selection = _joined(groups, "selection", device) if keep.selection else None
    return RolloutReplay(None if routing is None else routing.long(), selection)


def _joined(groups: Sequence[Sequence[Sample]], name: str, device: torch.device) -> Tensor:
    """Concatenates the recorded choices of all packed tokens: a shared prompt once, then each answer."""
    parts = []
    for group in groups:
        prompt = len(group[0].prompt_ids)
        records = [getattr(sample, name) for sample in group]
        if any(record is None for record in records):
            raise ValueError(f"the rollout recorded no {name}: set capture_{name} of the engine")
        parts.append(records[0][:prompt])
        parts += [record[prompt:] for record in records]
    return torch.cat(parts).to(device)
