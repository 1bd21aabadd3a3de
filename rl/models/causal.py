"""An ordinary causal model of transformers with the packed forward pass of training.

Shape suffixes: N all packed tokens, B sequences of a group, T their tokens, M model width, V vocabulary.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM
from transformers.modeling_layers import GradientCheckpointingLayer

from model.errors import ModelError
from model.packed import SIMILAR, Packed, RolloutReplay, pack
from model.packed_attention import IndexerStage


class CausalLM(nn.Module):
    """The transformers model ``lm``: its decoder, then its head.

    Raises ModelError where the model does more with its head's logits, such as scaling or capping them.
    """

    def __init__(self, lm: Any) -> None:
        super().__init__()
        self.lm = lm.eval()
        self.config = lm.config.get_text_config()
        self._check_head()

    @property
    def decoder(self) -> Any:
        """The model without its head."""
        return self.lm.base_model

    def packed(
        self, packed: Packed, stage: IndexerStage = "off", replay: RolloutReplay | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns normed hidden states [N, M], and 0 for the indexers' KL, [1], as `DsaModel.packed` does.

        Each completion is computed with its prompt, the first one for the prompt too. Sequences are padded at their
        ends, which a causal model's earlier tokens do not see.

        Raises ModelError for a ``stage`` or a ``replay`` of a DSA model.
        """
        if stage != "off":
            raise ModelError(f"stage {stage} trains indexers, and an ordinary causal model has none")
        (replay or RolloutReplay()).finish()
        order_N = torch.empty_like(packed.ids_N)
        states, first = [], 0
        for rows_BT, own_BT in _groups(packed):
            output_BTM = self.decoder(input_ids=packed.ids_N[rows_BT], use_cache=False).last_hidden_state
            states.append(output_BTM.flatten(0, 1))
            places_X = torch.arange(first, first + rows_BT.numel(), device=order_N.device)
            own_X = own_BT.flatten()
            order_N[rows_BT.flatten()[own_X]] = places_X[own_X]
            first += rows_BT.numel()
        hidden_NM = torch.cat(states).index_select(0, order_N)
        return hidden_NM, hidden_NM.new_zeros(1, dtype=torch.promote_types(hidden_NM.dtype, torch.float32))

    def logits(self, hidden_NM: Tensor) -> Tensor:
        """Returns the logits [..., V] of normed hidden states [..., M], in fp32 or fp64."""
        logits_NV = self.lm.get_output_embeddings()(hidden_NM)
        return logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))

    def gradient_checkpointing_enable(self) -> None:
        """Trades time for memory, as `DsaModel` does. Dropout stays off: only the layers' own flag says training.

        Raises ModelError where transformers cannot do it for the model.
        """
        # The name in transformers from 5.24 on, and before.
        enable = getattr(self.lm, "activation_checkpointing_enable", self.lm.gradient_checkpointing_enable)
        try:
            enable({"use_reentrant": False})
        except ValueError as error:
            raise ModelError(f"gradient_checkpointing=true: {error}") from error
        for module in self.lm.modules():
            if isinstance(module, GradientCheckpointingLayer):
                module.training = True

    @torch.no_grad()
    def _check_head(self) -> None:
        ids = list(range(min(4, self.config.vocab_size)))
        own_NV = self.logits(self.packed(pack([ids], self.lm.device))[0])
        expected_NV = self.lm(input_ids=torch.tensor([ids], device=self.lm.device), use_cache=False).logits[0]
        if not torch.allclose(own_NV, expected_NV.to(own_NV.dtype), rtol=1e-3, atol=1e-3):
            raise ModelError(
                f"{type(self.lm).__name__} changes the logits of its head (scaling or capping), which training does "
                "not; use a model without"
            )


def _groups(packed: Packed) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields rows_BT, the packed tokens of sequences of similar length (padding: 0), and own_BT, true where the state
    of a token is taken from there; each of the N tokens is true once.
    """
    sequences: list[tuple[list[int], int]] = []  # tokens, and the place of the first whose state is taken
    computed: set[int] = set()  # prompts that a completion has computed
    for branch in packed.branches:
        if branch.prompt.length and branch.own.length:
            new = branch.prompt.start not in computed
            computed.add(branch.prompt.start)
            sequences.append(([*branch.prompt.places, *branch.own.places], 0 if new else branch.prompt.length))
    sequences += [
        (list(branch.own.places), 0)
        for branch in packed.branches
        if not branch.prompt.length and branch.own.start not in computed
    ]
    sequences.sort(key=lambda sequence: -len(sequence[0]))
    groups: list[list[tuple[list[int], int]]] = []
    for sequence in sequences:
        if not groups or len(sequence[0]) < SIMILAR * len(groups[-1][0][0]):
            groups.append([])
        groups[-1].append(sequence)
    device = packed.ids_N.device
    for group in groups:
        rows = [torch.tensor(tokens, device=device) for tokens, _ in group]
        own = [torch.arange(len(tokens), device=device) >= first for tokens, first in group]
        yield pad_sequence(rows, batch_first=True), pad_sequence(own, batch_first=True, padding_value=False)


def load_causal(folder: Path, dtype: torch.dtype, device: str) -> CausalLM:
    """Loads the causal model in ``folder``; code in the folder is not run. Raises ModelError if that fails."""
    try:
        lm: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False
        )
        return CausalLM(lm.to(device))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"the model in {folder} cannot be loaded to {device}: {error}") from error
