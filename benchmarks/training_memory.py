"""Peak memory of a training step by model and tokens, with and without gradient checkpointing.

    python -m benchmarks.training_memory MODEL TOKENS [TOKENS ...] [--checkpointing true|false|both]

MODEL is a folder as `lemmata train model=` takes it. Each measurement is a process of its own: weights and AdamW's
state in fp32, then forward and backward pass of one sequence of so many random tokens, each a target. ``state`` is the
resident memory before, with weights, gradients and AdamW's state; ``step`` the peak above it. Prints JSON lines.
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from model.packed import pack
from policy.local_config import model_folder
from rl.head import by_rows
from rl.models.kinds import load_policy

MIB = 1 << 20
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(key: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``VmHWM`` at the peak since `reset_peak`."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def reset_peak() -> None:
    """Starts a new peak."""
    CLEAR.write_text("5")


def backward(module: Any, tokens: int) -> None:
    """Computes the gradients of a sequence of random tokens."""
    generator = torch.Generator().manual_seed(0)
    ids_N = torch.randint(module.config.vocab_size, (tokens + 1,), generator=generator)

    def of_rows(hidden_nM: Tensor, targets_n: Tensor) -> tuple[Tensor]:
        return (functional.cross_entropy(module.logits(hidden_nM), targets_n, reduction="none"),)

    hidden_NM, _ = module.packed(pack([ids_N[:-1].tolist()]), "off")
    (losses_N,) = by_rows(of_rows, module.config.vocab_size, hidden_NM, ids_N[1:])
    losses_N.mean().backward()


def measure(folder: Path, tokens: int, checkpointing: bool) -> dict[str, Any]:
    """Measures one step in this process."""
    torch.set_num_threads(1)
    module, _ = load_policy(folder, "float32", "cpu")
    module.requires_grad_(True)
    if checkpointing:
        module.gradient_checkpointing_enable()
    optimizer = torch.optim.AdamW(module.parameters())
    backward(module, 8)
    for weight in module.parameters():  # also those that 8 tokens do not reach: indexers and experts
        weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
    optimizer.step()
    gc.collect()
    reset_peak()
    before, cpu = resident("VmRSS"), time.process_time()
    backward(module, tokens)
    return {
        "model": folder.name,
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "tokens": tokens,
        "gradient_checkpointing": checkpointing,
        "state_mib": round(before / MIB),
        "step_mib": round((resident("VmHWM") - before) / MIB),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }


def main() -> None:
    """Measures each combination in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("tokens", type=int, nargs="+")
    parser.add_argument("--checkpointing", choices=("true", "false", "both"), default="both")
    parser.add_argument("--here", action="store_true", help="measure in this process")
    options = parser.parse_args()
    choices = {"true": (True,), "false": (False,), "both": (False, True)}[options.checkpointing]
    for tokens in options.tokens:
        for checkpointing in choices:
            if options.here:
                print(json.dumps(measure(model_folder(options.model), tokens, checkpointing)), flush=True)
                continue
            own = [options.model, str(tokens), "--checkpointing", str(checkpointing).lower(), "--here"]
            subprocess.run([sys.executable, "-m", "benchmarks.training_memory", *own], check=True)


if __name__ == "__main__":
    main()
