"""e4m3 numbers in kernels: as such from sm89 on; before, where the type does not compile, bytes decoded to fp16."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# (A kernel is launched with options that its signature does not name, and its ranges are no Python ranges.)

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.fast import configs


@triton.jit
def decoded(x):
    """Numbers in fp16 of e4m3 numbers held as bytes; anything else as it is. Exact, but for e4m3's NaN.

    The 4 bits of exponent, put into fp16's lower 4, stand for 2^-8 of the number, subnormals included.
    """
    if x.dtype == tl.uint8:
        bits = x.to(tl.uint16)
        shifted = ((bits & 0x80) << 8) | ((bits & 0x7F) << 7)
        x = shifted.to(tl.float16, bitcast=True) * 256.0
    return x


def held(x: Tensor) -> Tensor:
    """The tensor as the kernels of its device take it: e4m3 as bytes where the GPU does not know it."""
    if x.dtype == torch.float8_e4m3fn and not configs.knows_fp8(x.device):
        return x.view(torch.uint8)
    return x
