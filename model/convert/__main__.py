"""Conversion of a model to a DSA model: ``python -m model.convert gqa | warm-up | measure``."""

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from model.checkpoint import load_pretrained, save_pretrained
from model.convert.gqa import convert_gqa
from model.convert.measure import NUM_FIRST, measure
from model.convert.text import fingerprint, read_documents, stream, tokenize, windows
from model.convert.warm_up import WarmUp, warm_up
from model.errors import ModelError
from model.tokenizer import load_tokenizer
from model.transformer import DsaModel

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def gqa(args: argparse.Namespace) -> None:
    """Converts a model and copies its tokenizer."""
    sizes = {name: getattr(args, name) for name in ("index_n_heads", "index_head_dim", "index_topk", "seed")}
    model = convert_gqa(args.source, **sizes, dtype=DTYPES[args.dtype])
    save_with_tokenizer(model, args.source, args.target)


def warm_up_indexers(args: argparse.Namespace) -> None:
    """Trains the indexers, resuming an interrupted run, and saves the model."""
    model = load_pretrained(args.source, device=args.device)
    documents = tokenize(args.source, read_documents(args.text))
    names = ("steps", "batch", "tokens", "lr", "seed", "save_every")
    settings = WarmUp(fingerprint(args.text), **{name: getattr(args, name) for name in names})
    start = time.perf_counter()

    def report(step: int, loss: float) -> None:
        print(f"step {step + 1} of {args.steps}: KL {loss:.4f}, {time.perf_counter() - start:.0f} s", flush=True)

    warm_up(model, stream(documents, end_of(model)), settings, args.state, report)
    save_with_tokenizer(model.to(DTYPES[args.dtype]), args.source, args.target)


def measure_selections(args: argparse.Namespace) -> None:
    """Prints a table of perplexities, and writes it as JSON with model, text and machine."""
    model = load_pretrained(args.model, device=args.device)
    text = windows(tokenize(args.model, read_documents(args.text)), args.tokens, args.windows)
    check_ks(args.top_k, text)
    perplexity, measured = measure(model, text, args.top_k, args.batch)
    machine = torch.cuda.get_device_name() if args.device == "cuda" else platform.processor() or platform.machine()
    record = {
        "model": args.model.name,
        "text": fingerprint(args.text),
        "windows": len(text),
        "tokens": args.tokens,
        "machine": machine,
        "dense_perplexity": perplexity,
        "selections": [asdict(row) | {"selection": row.selection.name, "k": row.selection.k} for row in measured],
    }
    print(f"dense perplexity {perplexity:.3f} over {len(text)} windows of {args.tokens} tokens")
    for row in measured:
        perplexity_text = "" if row.perplexity is None else f"perplexity {row.perplexity:10.3f}, "
        print(f"{row.selection.name:24} k={row.selection.k:<5} {perplexity_text}share of attention {row.share:.3f}")
    if args.out is not None:
        args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def check_ks(ks: list[int], windows_NS: Tensor) -> None:
    """Raises ModelError if a k is as large as half a window, or as small as the baseline's fixed tokens."""
    half = windows_NS.shape[1] // 2
    if wrong := [k for k in ks if not NUM_FIRST < k < half]:
        raise ModelError(
            f"--top-k {wrong[0]} is not between {NUM_FIRST} and half a window ({half} tokens); change it or --tokens"
        )


def end_of(model: DsaModel) -> int:
    """Returns the token that ends a document. Raises ModelError if the model's configuration has none."""
    end = model.config.eos_token_id
    if end is None:
        raise ModelError("config.json has no eos_token_id, which is needed between documents; add it")
    return end[0] if isinstance(end, tuple) else end


def save_with_tokenizer(model: DsaModel, source: Path, target: Path) -> None:
    """Saves a model with the tokenizer of the source, if it has one."""
    tokenizer = load_tokenizer(source) if (source / "tokenizer.json").is_file() else None
    save_pretrained(model, target, tokenizer)


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.convert", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser(
        "gqa", help="convert a Llama, Mistral or Qwen model to a DSA model with untrained indexers"
    )
    command.set_defaults(run=gqa)
    command.add_argument("source", type=Path)
    command.add_argument("target", type=Path)
    command.add_argument("--index-n-heads", type=int, default=8)
    command.add_argument("--index-head-dim", type=int, default=64)
    command.add_argument("--index-topk", type=int, default=2048)
    command.add_argument("--seed", type=int, default=0, help="of the indexers' weights")
    command.add_argument("--dtype", choices=DTYPES, default="float32")
    command = commands.add_parser("warm-up", help="train the indexers to rank tokens as attention does; resumes")
    command.set_defaults(run=warm_up_indexers)
    command.add_argument("source", type=Path)
    command.add_argument("target", type=Path)
    command.add_argument("--text", type=Path, required=True, help='JSON lines with "text"')
    command.add_argument("--state", type=Path, required=True, help="file from which an interrupted run resumes")
    command.add_argument("--steps", type=int, default=1000)
    command.add_argument("--batch", type=int, default=8)
    command.add_argument("--tokens", type=int, default=2048)
    command.add_argument("--lr", type=float, default=1e-3)
    command.add_argument("--seed", type=int, default=0, help="of the batches")
    command.add_argument("--save-every", type=int, default=25)
    command.add_argument("--device", default="cpu")
    command.add_argument("--dtype", choices=DTYPES, default="float32", help="of the saved weights")
    command = commands.add_parser("measure", help="perplexity and attention under selections of k tokens")
    command.set_defaults(run=measure_selections)
    command.add_argument("model", type=Path)
    command.add_argument("--text", type=Path, required=True, help='held-out JSON lines with "text"')
    command.add_argument("--top-k", type=int, nargs="+", default=[32, 64, 128, 256, 512])
    command.add_argument("--tokens", type=int, default=2048)
    command.add_argument("--windows", type=int, default=16)
    command.add_argument("--batch", type=int, default=1)
    command.add_argument("--device", default="cpu")
    command.add_argument("--out", type=Path)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; input errors are printed as one line."""
    args = parsed(sys.argv[1:] if arguments is None else arguments)
    try:
        args.run(args)
    except ModelError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
