"""Log-probabilities of tokens: against torch's own, and against what the engine recorded."""

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from model.engine import EngineConfig, LLMEngine, SamplingParams
from rl.logprobs import pad_kept, token_logprobs
from tests.model.tiny import byte_model, byte_tokenizer


def inputs(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Logits [3, 4, 11], tokens [3, 4] and kept tokens [3, 4, 5]; some rows keep all, most hold their token."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(3, 4, 11, generator=generator, dtype=torch.float64)
    tokens = torch.randint(11, (3, 4), generator=generator)
    kept = torch.stack([torch.randperm(11, generator=generator)[:5] for _ in range(12)]).view(3, 4, 5)
    kept[kept == tokens.unsqueeze(-1)] = -1
    kept[..., 0] = torch.where(torch.rand(3, 4, generator=generator) < 0.7, tokens, kept[..., 0])
    kept[..., 3:] = torch.where(torch.rand(3, 4, 2, generator=generator) < 0.5, -1, kept[..., 3:])
    kept[0, 1] = kept[2, 3] = -1
    return logits.to(dtype), tokens, kept.int()


def spelled_out(logits: Tensor, tokens: Tensor, temperature: float, kept: Tensor | None) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies by a boolean mask over the whole vocabulary."""
    allowed = torch.ones_like(logits, dtype=torch.bool)
    if kept is not None:
        for place in torch.cartesian_prod(torch.arange(3), torch.arange(4)).tolist():
            ids = {index for index in kept[tuple(place)].tolist() if index >= 0}
            if ids:
                allowed[tuple(place)] = False
                allowed[tuple(place)][[*ids, int(tokens[tuple(place)])]] = True
    all_logprobs = (logits / temperature).masked_fill(~allowed, -torch.inf).log_softmax(-1)
    entropy = torch.special.entr(all_logprobs.exp()).sum(-1)
    return all_logprobs.gather(-1, tokens.unsqueeze(-1))[..., 0], entropy


@pytest.mark.parametrize("chunk", [1, 5, 1024])
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_values_and_gradients(chunk: int, masks: bool, temperature: float) -> None:
    logits, tokens, kept = inputs()
    kept = kept if masks else None
    fused, plain = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    result = token_logprobs(fused, tokens, temperature, kept, chunk)
    expected, entropy = spelled_out(plain, tokens, temperature, kept)
    assert torch.allclose(result.logprobs, expected, rtol=0, atol=1e-13)
    assert torch.allclose(result.entropy, entropy, rtol=0, atol=1e-13)
    weight = torch.randn(3, 4, dtype=torch.float64)
    gradients = [
        torch.autograd.grad((values * weight).sum(), source)[0]
        for values, source in ((result.logprobs, fused), (expected, plain))
    ]
    assert torch.allclose(*gradients, rtol=0, atol=1e-13)


def test_a_row_that_keeps_nothing_keeps_all_and_the_token_is_always_inside() -> None:
    logits, tokens, _ = inputs()
    nothing = torch.full((3, 4, 2), -1)
    assert torch.equal(token_logprobs(logits, tokens, kept=nothing).logprobs, token_logprobs(logits, tokens).logprobs)
    alone = (tokens.unsqueeze(-1) + 1) % 11  # another token than the sampled one
    two = token_logprobs(logits, tokens, kept=alone).logprobs
    other = token_logprobs(logits, (tokens + 1) % 11, kept=tokens.unsqueeze(-1)).logprobs
    assert torch.allclose(two.exp() + other.exp(), torch.ones(3, 4, dtype=torch.float64))


def test_half_precision_logits_count_in_fp32() -> None:
    logits, tokens, kept = inputs(dtype=torch.bfloat16)
    logits.requires_grad_()
    result = token_logprobs(logits, tokens, 0.7, kept)
    expected, _ = spelled_out(logits.double(), tokens, 0.7, kept)
    assert result.logprobs.dtype == torch.float32
    assert torch.allclose(result.logprobs.double(), expected, rtol=0, atol=2e-6)
    assert torch.autograd.grad(result.logprobs.sum(), logits)[0].dtype == torch.bfloat16


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[0.0, 3e4, -3e4]], requires_grad=True)
    result = token_logprobs(logits, torch.tensor([2]), 0.5, torch.tensor([[0, 2, -1]]))
    assert result.logprobs.item() == -6e4
    assert result.entropy.item() == 0
    assert torch.autograd.grad(result.logprobs.sum(), logits)[0].tolist() == [[-2.0, 0.0, 2.0]]


def test_what_does_not_fit_is_refused() -> None:
    logits, tokens, kept = inputs()
    with pytest.raises(ValueError, match="leading dimensions"):
        token_logprobs(logits, tokens[:2])
    with pytest.raises(ValueError, match="leading dimensions"):
        token_logprobs(logits, tokens, kept=kept[0])
    with pytest.raises(ValueError, match="temperature=0"):
        token_logprobs(logits, tokens, temperature=0)


def test_padding_of_recorded_masks() -> None:
    masks = [torch.tensor([4, 7], dtype=torch.int32), None, torch.tensor([1], dtype=torch.int32)]
    assert pad_kept(masks).tolist() == [[4, 7], [-1, -1], [1, -1]]
    assert pad_kept([None, None]).shape == (2, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.7, 0, 1.0), (1.0, 20, 1.0), (1.0, 0, 0.8), (0.6, 30, 0.9)]
)
@torch.no_grad()
def test_equal_to_what_the_engine_recorded(dtype: torch.dtype, temperature: float, top_k: int, top_p: float) -> None:
    model = byte_model(dtype=dtype, initializer_range=0.3)
    engine = LLMEngine(model, byte_tokenizer(), EngineConfig(cache_tokens=1024, page_size=4, max_prefill_tokens=16))
    settings = SamplingParams(
        n=3,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=1,
        max_tokens=24,
        ignore_eos=True,
        record_sampling_masks=True,
    )
    prompt = engine.encode("Prove that 1 + 1 is 2.")
    for completion in engine.generate(["Prove that 1 + 1 is 2."], settings)[0]:
        logits_TV = model(torch.tensor([[*prompt, *completion.token_ids]]))[0, len(prompt) - 1 : -1]
        tokens_T, kept_TK = torch.tensor(completion.token_ids), pad_kept(completion.masks)
        result = token_logprobs(logits_TV, tokens_T, temperature, kept_TK)
        recorded_T = torch.tensor(completion.logprobs, dtype=torch.float64)
        # In fp32 the model's own two passes, token by token and at once, differ by 5e-6.
        assert (result.logprobs - recorded_T).abs().max() < (1e-12 if dtype == torch.float64 else 1e-5)
        if top_k or top_p < 1:
            assert (token_logprobs(logits_TV, tokens_T, temperature).logprobs - recorded_T).abs().max() > 1e-2


def test_no_second_copy_of_the_logits_is_saved_for_the_backward_pass() -> None:
    logits = torch.randn(64, 500, requires_grad=True)
    saved: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        saved.append(0 if tensor.data_ptr() == logits.data_ptr() else tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        token_logprobs(logits, torch.zeros(64, dtype=torch.long), chunk=8)
    assert sum(saved) <= 3 * 64
