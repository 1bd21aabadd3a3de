"""Models served by vLLM with the plugin, over HTTP: set LEMMATA_VLLM_PYTHON to the interpreter of its environment."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from core.errors import LemmataError
from model import load_pretrained, save_pretrained
from model.cache import Cache
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.tokenizer import byte_tokenizer
from serving.vllm_plugin import check_version
from serving.vllm_server import check_environment, plugin_path
from tests.command import CommandLine
from tests.model.rounded_cache import RoundedLayerCache
from tests.model.tiny import tiny_model
from tests.serving.rig import NAME, Server, chat, served

TOPK, CONTEXT = 48, 512
PYTHON = os.environ.get("LEMMATA_VLLM_PYTHON")
with_vllm = pytest.mark.skipif(not PYTHON, reason="LEMMATA_VLLM_PYTHON names no interpreter with vLLM")


def save(folder: Path, seed: int, **changes: Any) -> Path:
    """Saves a small model whose contexts exceed top-k."""
    tokenizer = byte_tokenizer()
    shape: dict[str, Any] = {"index_topk": TOPK, "max_position_embeddings": CONTEXT, "num_hidden_layers": 3}
    shape |= {"initializer_range": 0.2, **changes}
    model = tiny_model(seed, vocab_size=len(tokenizer), **shape)
    save_pretrained(model, folder, tokenizer)
    return folder


@contextmanager
def vllm_server(folder: Path, *settings: str) -> Iterator[Server]:
    """Runs vLLM's server within the block, and stops it as a user does."""
    common = ("engine=vllm", "engine.cache_gib=1", "engine.max_num_seqs=8")
    with served(folder, *common, *settings, environment={"VLLM_SERVER_DEV_MODE": "1"}) as running:
        yield running
        running.process.terminate()
        assert running.end() == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with vllm_server(save(tmp_path_factory.mktemp("vllm") / NAME, seed=0)) as running:
        yield running


def expected(server: Server, ids: list[int], *, rounded: bool) -> list[float]:
    """Log-probabilities of a text by one forward pass of the model's own code, over rows as they are or in FP8."""
    model, positions = server.model(), torch.arange(len(ids)).unsqueeze(0)
    cache = Cache([RoundedLayerCache(model, len(ids)) for _ in model.model.layers]) if rounded else None
    with torch.no_grad():
        logprobs = model(torch.tensor([ids]), positions if rounded else None, cache)[0].log_softmax(-1)
    return [logprobs[place, token].item() for place, token in enumerate(ids[1:])]


def prompts() -> list[list[int]]:
    """Prompts within and beyond top-k, the last two with a common beginning."""
    rng = random.Random(3)
    texts = [[1, *(rng.randrange(20, 270) for _ in range(length - 1))] for length in (9, TOPK, 90, 300)]
    return [*texts, [*texts[-1][:200], *texts[0][1:]]]


def compare(server: Server, *, rounded: bool = False) -> None:
    """Checks prompt and completion log-probabilities of each prompt, sent one by one and all at once."""
    settings: dict[str, Any] = {"model": NAME, "temperature": 0, "max_tokens": 12, "logprobs": 0}
    together = server.client.completions.create(**settings, prompt=prompts())
    for prompt, one in zip(prompts(), together.choices, strict=True):
        alone = server.client.completions.create(
            **settings, prompt=prompt, extra_body={"prompt_logprobs": 0, "return_token_ids": True}
        )
        values: Any = alone.choices[0].model_dump()
        ids = prompt + values["token_ids"]
        reported = [next(iter(entry.values()))["logprob"] for entry in values["prompt_logprobs"][1:]]
        reported += values["logprobs"]["token_logprobs"]
        assert reported == pytest.approx(expected(server, ids, rounded=rounded), abs=1e-4)
        assert one.text == alone.choices[0].text


@with_vllm
@pytest.mark.slow
def test_the_same_log_probabilities_as_the_models_own_code(server: Server) -> None:
    compare(server)
    compare(server)  # now from the prefix cache


@with_vllm
@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        # Prompts in chunks, and a cache for three quarters of the tokens.
        ("engine.arguments=[--enable-chunked-prefill,--max-num-batched-tokens,64,--max-model-len,512,"
         "--block-size,16,--num-gpu-blocks-override,34]",),
        ("engine.architecture=LemmataParallelForCausalLM", "engine.tensor_parallel_size=2"),
    ],
    ids=["chunks and a small cache", "tensor parallel"],
)  # fmt: skip
def test_other_ways_to_compute_it(settings: tuple[str, ...], tmp_path: Path) -> None:
    with vllm_server(save(tmp_path / NAME, seed=0), *settings) as server:
        compare(server)


@with_vllm
@pytest.mark.slow
def test_rows_and_keys_in_fp8(tmp_path: Path) -> None:
    # A rounded number may fall to the other side where the server's own differs in its last bit: tiny weights, and a
    # width of keys that FP8 rows may have.
    folder = save(tmp_path / NAME, seed=0, index_head_dim=32, initializer_range=0.02)
    with vllm_server(folder, "engine.rows_format=fp8") as server:
        compare(server, rounded=True)


INTERPRETED = """
import json, os, sys
import torch
from kernels import dispatch
with dispatch.preferring("triton"):
    from vllm import LLM, SamplingParams
    llm = LLM(sys.argv[1], dtype="float32", enforce_eager=True, tokenizer_mode="hf", max_num_seqs=2, max_model_len=64,
              enable_prefix_caching=False, hf_overrides={"architectures": ["LemmataDsaForCausalLM"]},
              additional_config={"rows_format": sys.argv[2]})
    params = SamplingParams(max_tokens=3, temperature=0, logprobs=0, ignore_eos=True)
    outputs = llm.generate([{"prompt_token_ids": ids} for ids in json.loads(sys.argv[3])], params, use_tqdm=False)
for output in outputs:
    one = output.outputs[0]
    logprobs = [entry[token].logprob for token, entry in zip(one.token_ids, one.logprobs)]
    print("RESULT", json.dumps({"ids": list(one.token_ids), "logprobs": logprobs}))
"""


@with_vllm
@pytest.mark.slow
@pytest.mark.parametrize("rows_format", ["model", "fp8"])
def test_the_kernels_in_the_interpreter_inside_vllm(rows_format: str, tmp_path: Path) -> None:
    assert PYTHON is not None
    shape: dict[str, Any] = {"index_head_dim": 32, "index_topk": 8, "num_hidden_layers": 2, "initializer_range": 0.02}
    folder = save(tmp_path / NAME, seed=0, **shape)
    prompts = [list(range(20, 37)), [5, 6, 7]]  # beyond and within top-k
    given = {"TRITON_INTERPRET": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_MLA_DISABLE": "1"}
    given |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    with plugin_path() as path:
        environment = os.environ | given | {"PYTHONPATH": str(path), "VLLM_PLUGINS": "lemmata"}
        command = [PYTHON, "-c", INTERPRETED, str(folder), rows_format, json.dumps(prompts)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    results = [json.loads(line.split(" ", 1)[1]) for line in done.stdout.splitlines() if line.startswith("RESULT")]
    model, engine_config = load_pretrained(folder), EngineConfig(cache_tokens=512, rows_format=rows_format)  # pyright: ignore[reportArgumentType]
    engine = LLMEngine(model, byte_tokenizer(), engine_config)
    groups = engine.generate(prompts, SamplingParams(max_tokens=3, temperature=0, ignore_eos=True))
    for result, (one,) in zip(results, groups, strict=True):
        assert result["ids"] == one.token_ids
        assert result["logprobs"] == pytest.approx(one.model_logprobs, abs=1e-4)


def post(server: Server, path: str, body: Any) -> Any:
    """Sends JSON, and returns the answer's."""
    reply = server.post(body, path, {"content-type": "application/json"})
    assert reply.status == 200, (path, reply.body)
    return reply.value if reply.body else None


@with_vllm
@pytest.mark.slow
def test_weights_are_replaced_in_place(server: Server, tmp_path: Path) -> None:
    other = save(tmp_path / "other", seed=1)
    before = server.folder
    post(server, "/init_weight_transfer_engine", {"init_info": {}})
    for folder in (other, before):
        post(server, "/pause", {})
        post(server, "/start_weight_update", {})
        post(server, "/update_weights", {"update_info": {"path": str(folder / "model.safetensors")}})
        post(server, "/finish_weight_update", {})
        post(server, "/reset_prefix_cache", {})
        post(server, "/resume", {})
        server.folder = folder
        compare(server)


@with_vllm
@pytest.mark.slow
def test_chats_and_the_loop(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = post(server, "/v1/chat/completions", chat(max_tokens=5, seed=3, ignore_eos=True))
    assert answer["usage"]["completion_tokens"] == 5
    policy = ["policy=endpoint", f"policy.base_url={server.url}", f"policy.model={NAME}"]
    written = CommandLine(tmp_path, capsys).ok(
        "prove", "problem=Prove A.", "proofs=2", f"run={tmp_path / 'r'}", *policy, "sampling.max_tokens=20"
    )
    assert "2" in written.out


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("print('0.28.1')", "vLLM 0.28.1 is not supported by Lemmata's plugin; install one of 0.31"),
        ("pass", "has no vLLM; install one of 0.31"),
        ("raise SystemExit(3)", "does not run as a Python interpreter"),
    ],
)
def test_environments_that_cannot_serve(script: str, message: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{script}"\n')
    python.chmod(0o755)
    with pytest.raises(LemmataError, match=message):
        check_environment(str(python))


def test_supported_versions() -> None:
    for version in ("0.31.0", "0.32.1rc1", "0.33.0+cpu"):
        check_version(version)
    with pytest.raises(RuntimeError, match=r"vLLM 0\.34\.0 is not supported"):
        check_version("0.34.0")
    with pytest.raises(LemmataError, match=r"engine\.python is not set"):
        check_environment(None)


def test_the_plugins_packages_are_on_the_path_alone() -> None:
    with plugin_path() as path:
        found = {entry.name for entry in path.iterdir()}
        assert "serving" in found
        assert "torch" not in found
        assert (path / "serving" / "vllm_plugin" / "model.py").is_file()
        assert "serving.vllm_plugin:register" in (path / "lemmata_vllm_plugin-0.dist-info/entry_points.txt").read_text()
