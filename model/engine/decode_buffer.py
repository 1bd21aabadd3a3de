"""Rows of the sequences that decode side by side, laid out for products on a CPU.

A sequence's rows lie in pages; gathering them costs more than the attention over them. While the same sequences decode,
each step adds one row to each lane, and nothing is gathered; when some end, the lanes of the others are kept. Lanes end
at the same place, so that all new rows go to one column; the shorter ones begin later.

Shape suffixes: L layers, B sequences, T places of a lane, D = latent + rope width, C latent width.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.reference import NEVER
from model.cache import DecodeRows


class DecodeStep(NamedTuple):
    """What a step decodes: the pages of each sequence, and where its new token stands."""

    pages: list[list[int]]
    positions: list[int]

    def places_in(self, before: "DecodeStep") -> list[int] | None:
        """Where in ``before`` each sequence stands, if these are the next tokens of sequences of it in their order,
        whose pages nobody else has written since; None if not.
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
        """Whether a sequence has one of ``pages``."""
        return not set().union(*self.pages).isdisjoint(pages)


class DecodeBuffer:
    """Copies of the rows ``numbers_BT`` before ``positions``, where each sequence's next token is."""

    def __init__(self, rows_LND: Tensor, latent: int, numbers_BT: Tensor, positions: list[int]) -> None:
        self._end = max(positions)
        offsets_B1 = self._end - torch.tensor(positions, device=numbers_BT.device)[:, None]
        places_BT = torch.arange(numbers_BT.shape[1], device=numbers_BT.device) - offsets_B1
        numbers_BT = numbers_BT.gather(1, places_BT.clamp(min=0))
        rows_LBTD = rows_LND.index_select(1, numbers_BT.flatten()).unflatten(1, numbers_BT.shape)
        # Rows that nobody wrote may hold anything, and 0 * NaN is NaN.
        unwritten_BT = (places_BT < 0) | (places_BT >= self._end - offsets_B1)
        rows_LBTD = rows_LBTD.to(torch.promote_types(rows_LND.dtype, torch.float32))
        rows_LBTD = rows_LBTD.masked_fill(unwritten_BT.unsqueeze(-1), 0.0)
        self._keys_LBDT = rows_LBTD.transpose(2, 3).contiguous()
        self._values_LBTC = rows_LBTD[..., :latent].contiguous()
        self._bias_B1T = None
        if any(position != self._end for position in positions):
            self._bias_B1T = rows_LBTD.new_zeros(places_BT.shape).masked_fill_(places_BT < 0, NEVER).unsqueeze(1)

    def keep(self, places: list[int]) -> None:
        """Go on with the sequences at ``places`` alone."""
        if len(places) == self._values_LBTC.shape[1]:
            return
        kept = torch.tensor(places, device=self._values_LBTC.device)
        self._keys_LBDT = self._keys_LBDT.index_select(1, kept)
        self._values_LBTC = self._values_LBTC.index_select(1, kept)
        if self._bias_B1T is not None:
            self._bias_B1T = self._bias_B1T.index_select(0, kept)

    def advance(self) -> bool:
        """Go on to the next token of each sequence, where there is room for it."""
        room = self._end + 1 < self._values_LBTC.shape[2]
        self._end += room
        return room

    def store(self, layer: int, rows_BSD: Tensor) -> None:
        """Add each sequence's new row, [B, 1, D], in one layer."""
        rows_BD = rows_BSD[:, 0]
        self._keys_LBDT[layer, ..., self._end] = rows_BD
        self._values_LBTC[layer, :, self._end] = rows_BD[:, : self._values_LBTC.shape[-1]]

    def rows(self, layer: int) -> DecodeRows:
        """One layer's lanes up to the new tokens."""
        tokens = self._end + 1
        bias_B1T = None if self._bias_B1T is None else self._bias_B1T[..., :tokens]
        return DecodeRows(self._keys_LBDT[layer, ..., :tokens], self._values_LBTC[layer, :, :tokens], bias_B1T)
