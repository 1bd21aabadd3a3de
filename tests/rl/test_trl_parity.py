"""Loss and gradients of TRL's GRPOTrainer on the same model and batch; needs trl, which is not a dependency."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl", minversion="1.16")

import torch
from datasets import Dataset
from torch import Tensor

from rl.logprobs import token_logprobs
from rl.loss import LossInputs, policy_loss
from tests.model.llamas import save_llama
from tests.model.tiny import byte_tokenizer
from tests.rl.settings import loss_config

pytestmark = [pytest.mark.trains, pytest.mark.slow]

TEMPERATURE = 0.7
BETA, DELTA = 0.04, 0.15


def trainer(folder: Path, **changes: Any) -> Any:
    """A GRPOTrainer around a tiny random Llama, with the options of DeepSeek-V3.2."""
    save_llama(folder / "model", vocab_size=259)
    trl: Any = import_module("trl")
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "report_to": [],
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 9,
        "temperature": TEMPERATURE,
        "loss_type": "grpo",
        "scale_rewards": "none",
        "beta": BETA,
        "use_bias_correction_kl": True,
        "off_policy_mask_threshold": DELTA,
        "epsilon": 0.2,
        "epsilon_high": 0.28,
        "model_init_kwargs": {"dtype": "float32"},
    }
    made = trl.GRPOTrainer(
        model=str(folder / "model"),
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=trl.GRPOConfig(**(settings | changes)),
        train_dataset=Dataset.from_dict({"prompt": ["x"] * 8}),
        processing_class=byte_tokenizer(),
    )
    made.current_gradient_accumulation_steps = 1  # its training loop sets it
    return made


def batch() -> dict[str, Tensor]:
    """Ragged completions; log-probabilities that are off-policy in all three ways."""
    generator = torch.Generator().manual_seed(1)
    S, P, T = 8, 4, 9
    lengths_S = torch.tensor([9, 5, 1, 7, 3, 9, 2, 8])
    return {
        "prompt_ids": torch.randint(3, 259, (S, P), generator=generator),
        "prompt_mask": torch.ones(S, P, dtype=torch.long),
        "completion_ids": torch.randint(3, 259, (S, T), generator=generator),
        "completion_mask": (torch.arange(T) < lengths_S.unsqueeze(1)).long(),
        "advantages": torch.randn(S, generator=generator),
        "noise": torch.randn(3, S, T, generator=generator),
    }


def logprobs(model: Any, data: dict[str, Tensor]) -> Tensor:
    """Ours, of the completion's tokens, [S, T]."""
    ids = torch.cat([data["prompt_ids"], data["completion_ids"]], dim=1)
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    tokens = data["completion_ids"]
    return token_logprobs(logits[:, -tokens.shape[1] - 1 : -1], tokens, TEMPERATURE).logprobs


@pytest.mark.parametrize(
    ("trl", "settings_"),
    [
        ({}, {}),
        ({"loss_type": "dr_grpo"}, {"aggregation": "constant", "constant_length": 9}),
        ({"loss_type": "bnpo"}, {"aggregation": "token"}),
        ({"delta": 1.4}, {"dual_clip": 1.4}),
        ({"use_bias_correction_kl": False}, {"kl": "k3"}),
        ({"importance_sampling_level": "sequence", "beta": 0.0}, {"ratio": "sequence", "beta": 0.0}),
    ],
)
def test_loss_and_gradients_equal_those_of_trl(tmp_path: Path, trl: dict[str, Any], settings_: dict[str, Any]) -> None:
    grpo = trainer(tmp_path, **trl)
    model, data = grpo.model, batch()
    now = logprobs(grpo.model, data).detach()
    old, sampler, reference = now + torch.tensor([0.3, 0.35, 0.5])[:, None, None] * data.pop("noise")
    sampler = sampler + 0.1
    data |= {"old_per_token_logps": old, "sampling_per_token_logps": sampler, "ref_per_token_logps": reference}
    model.zero_grad()
    their_loss = grpo._compute_loss(model, data)
    their_loss.backward()
    their_gradients = {name: weight.grad.clone() for name, weight in model.named_parameters()}

    model.zero_grad()
    settings: dict[str, Any] = {"clip_high": 0.28, "off_policy_delta": DELTA, "beta": BETA} | settings_
    inputs = LossInputs(
        new_ST=logprobs(model, data),
        old_ST=old,
        sampler_ST=sampler,
        mask_ST=data["completion_mask"],
        advantages_S=data["advantages"],
        reference_ST=reference,
    )
    result = policy_loss(inputs, loss_config(**settings))
    result.loss.backward()
    assert 0 < result.parts["off_policy_masked"] < 1
    apart = abs(result.loss.item() - their_loss.item())
    gradients = [(weight.grad - their_gradients[name]).norm() for name, weight in model.named_parameters()]
    whole = torch.stack([gradient.norm() for gradient in their_gradients.values()]).norm()
    relative = (torch.stack(gradients).norm() / whole).item()
    print(f"{trl or 'grpo'}: loss {result.loss.item():.7f}, apart {apart:.1e}; gradients, relative {relative:.1e}")
    assert apart < 1e-6
    assert relative < 1e-5
