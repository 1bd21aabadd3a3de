"""Block-FP8: one scale per block, with partial blocks at the edges."""

import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.fp8 import dequantize, quantize, scale_shape

size = st.integers(1, 300)


@settings(max_examples=30)
@given(size, size, st.integers(0, 9))
def test_round_trip(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator) * torch.logspace(-3, 3, columns)
    entries, scale_inv = quantize(weight)
    assert entries.dtype == torch.float8_e4m3fn
    assert scale_inv.shape == scale_shape((rows, columns))
    # e4m3 has 3 bits after the point: half a step is 1/16 of an entry, or half of the smallest number, 2^-10.
    largest = scale_inv.repeat_interleave(128, 0).repeat_interleave(128, 1)[:rows, :columns]
    assert ((dequantize(entries, scale_inv) - weight).abs() <= weight.abs() / 16 + largest * 2**-10 * 1.001).all()
    again = quantize(dequantize(entries, scale_inv))
    torch.testing.assert_close(dequantize(*again), dequantize(entries, scale_inv))


def test_each_block_has_its_own_scale() -> None:
    entries, scale_inv = torch.ones(130, 129).to(torch.float8_e4m3fn), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    weight = dequantize(entries, scale_inv)
    assert weight[0, 0] == 1
    assert weight[0, 128] == 2
    assert weight[129, 127] == 3
    assert weight[129, 128] == 4


def test_zeros_stay_zeros() -> None:
    assert dequantize(*quantize(torch.zeros(3, 200))).eq(0).all()
