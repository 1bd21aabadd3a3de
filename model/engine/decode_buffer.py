"""Contiguous copy of the latent rows of decoding sequences, laid out for matrix products on a CPU.

A sequence's rows lie in pages, and gathering them costs more than the attention over them. While the same sequences
decode, each step appends one row per sequence and gathers nothing; when some finish, the rows of the others are kept.
Sequences are aligned at their ends, so that all new rows go to one column; shorter ones begin later and are masked.

Shape suffixes: L layers, B sequences, H heads, T columns, D = latent + rope width, C latent width.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.reference import NEVER


class DecodeStep(NamedTuple):
    """Sequences of one decoding step: the pages of each, and the position of its new token."""

    pages: list[list[int]]
    positions: list[int]

    def places_in(self, before: "DecodeStep") -> list[int] | None:
        """Returns the index in ``before`` of each sequence, or None when the buffer of that step cannot be continued.

        It can when these are the next tokens of sequences of ``before``, in their order and on the same pages.
        """
        places: list[int] = []
        candidates = iter(enumerate(zip(*before, strict=True)))
        for row, now in zip(*self, strict=True):
            found = (place for place, (known, then) in candidates if now == then + 1 and row[: len(known)] == known)
            place = next(found, None)
            if place is None:
                return None
            places.append(place)
        return places

    def uses(self, pages: Iterable[int]) -> bool:
        """Returns True if a sequence has one of ``pages``."""
        return not set().union(*self.pages).isdisjoint(pages)


class DecodeBuffer:
    """Copies of the cache rows ``numbers_BT`` before ``positions``, the positions of the sequences' next tokens."""

    def __init__(self, rows_LND: Tensor, latent: int, numbers_BT: Tensor, positions: list[int]) -> None:
        self._end = max(positions)
        offsets_B1 = self._end - torch.tensor(positions, device=numbers_BT.device)[:, None]
        places_BT = torch.arange(numbers_BT.shape[1], device=numbers_BT.device) - offsets_B1
        numbers_BT = numbers_BT.gather(1, places_BT.clamp(min=0))
        rows_LBTD = rows_LND.index_select(1, numbers_BT.flatten()).unflatten(1, numbers_BT.shape)
        # Unwritten rows may hold anything, and 0 * NaN is NaN.
        unwritten_BT = (places_BT < 0) | (places_BT >= self._end - offsets_B1)
        rows_LBTD = rows_LBTD.to(torch.promote_types(rows_LND.dtype, torch.float32))
        rows_LBTD = rows_LBTD.masked_fill(unwritten_BT.unsqueeze(-1), 0.0)
        self._keys_LBDT = rows_LBTD.transpose(2, 3).contiguous()
        self._values_LBTC = rows_LBTD[..., :latent].contiguous()
        self._bias_B1T = None
        if any(position != self._end for position in positions):
            self._bias_B1T = rows_LBTD.new_zeros(places_BT.shape).masked_fill_(places_BT < 0, NEVER).unsqueeze(1)

    def keep(self, places: list[int]) -> None:
        """Drops all sequences but those at the indices ``places``."""
        if len(places) == self._values_LBTC.shape[1]:
            return
        kept = torch.tensor(places, device=self._values_LBTC.device)
        self._keys_LBDT = self._keys_LBDT.index_select(1, kept)
        self._values_LBTC = self._values_LBTC.index_select(1, kept)
        if self._bias_B1T is not None:
            self._bias_B1T = self._bias_B1T.index_select(0, kept)

    def advance(self) -> bool:
        """Moves to the next column. Returns False when the buffer is full."""
        room = self._end + 1 < self._values_LBTC.shape[2]
        self._end += room
        return room

    def store(self, layer: int, rows_BSD: Tensor) -> None:
        """Writes each sequence's new row, [B, 1, D], in one layer."""
        rows_BD = rows_BSD[:, 0]
        self._keys_LBDT[layer, ..., self._end] = rows_BD
        self._values_LBTC[layer, :, self._end] = rows_BD[:, : self._values_LBTC.shape[-1]]

    def attend(self, layer: int, q_BHD: Tensor, scale: float) -> Tensor:
        """Returns the attended latents [B, H, C] of one query a sequence over all its rows, the new ones included."""
        tokens = self._end + 1
        keys_BDT, values_BTC = self._keys_LBDT[layer, ..., :tokens], self._values_LBTC[layer, :, :tokens]
        logits_BHT = torch.bmm(q_BHD.to(keys_BDT.dtype) * scale, keys_BDT)
        if self._bias_B1T is not None:
            logits_BHT += self._bias_B1T[..., :tokens]
        return torch.bmm(logits_BHT.softmax(-1), values_BTC).to(q_BHD.dtype)
