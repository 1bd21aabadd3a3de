"""``lemmata serve``: OpenAI-compatible server of a DSA model."""

from importlib import import_module
from typing import Any

from rich.console import Console

from core.config import read_config
from core.errors import LemmataError
from lemmata.terminal import plain
from serving.config import ServeConfig, VllmServeConfig
from serving.vllm_server import serve_with_vllm

NEEDS = ("torch", "transformers", "fastapi", "uvicorn")


def serve_command(config: dict[str, Any]) -> int:
    """Serve until told to stop."""
    console = Console(highlight=False)

    def ready(url: str) -> None:
        console.print(plain(f"serving at {url}  (ctrl-C stops)"), soft_wrap=True)

    if config["engine"].get("kind") == "vllm":
        vllm_settings = read_config(VllmServeConfig, config, "")
        console.print(plain(f"starting vLLM with {vllm_settings.model}"), soft_wrap=True)
        serve_with_vllm(vllm_settings, ready)
        return 0
    settings = read_config(ServeConfig, config, "")
    try:
        if settings.replicas == 1:
            serve = import_module("serving.server").serve
        else:
            serve = import_module("serving.replicas").serve_replicas
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDS:
            raise
        raise LemmataError(f"`lemmata serve` needs {error.name}: pip install '.[model,serve]'") from error
    console.print(plain(f"loading {settings.model}"), soft_wrap=True)
    serve(settings, ready)
    return 0
