"""The tiny model on the kernels: forward, backward, and decoding from a cache, beside the same on the reference."""

import torch
from torch import Tensor

from kernels import dispatch
from model.cache import Cache
from tests.model.tiny import TINY, random_ids, tiny_model

torch.set_num_threads(1)
IDS = random_ids(2, 12)


def forward_and_backward() -> list[Tensor]:
    model = tiny_model()
    logits = model(IDS)
    loss = logits.float().log_softmax(-1)[:, :-1].gather(-1, IDS[:, 1:, None]).mean()
    loss.backward()
    gradients = [p.grad for name, p in sorted(model.named_parameters()) if p.grad is not None and "indexer" not in name]
    return [logits.detach(), *gradients]


def decoded() -> Tensor:
    """Logits of the last tokens, fed one by one after a prefill of nine."""
    model = tiny_model()
    cache = Cache.contiguous(TINY, 2, 12, torch.zeros(()))
    positions = torch.arange(12).expand(2, -1)
    with torch.no_grad():
        parts = [slice(0, 9), slice(9, 10), slice(10, 11), slice(11, 12)]
        return torch.cat([model(IDS[:, part], positions[:, part], cache) for part in parts], 1)


def test_forward_and_backward() -> None:
    expected = forward_and_backward()
    with dispatch.preferring("triton"):
        actual = forward_and_backward()
    assert len(actual) > 10
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_decoding() -> None:
    with dispatch.preferring("triton"):
        actual = decoded()
    torch.testing.assert_close(actual, decoded(), rtol=1e-4, atol=1e-4)
