"""Export to servers without sparse attention: against transformers' DeepSeek-V3, and against a running vLLM.

The latter needs an environment of its own (docs/guides/model.md) and runs where LEMMATA_VLLM_PYTHON is its interpreter.
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clocks import HANG

pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5.11")

import torch
from tokenizers import Tokenizer, models
from transformers import DeepseekV3ForCausalLM

from model import ModelError
from model.config import Yarn
from model.dense_serving import export_for_dense_serving
from tests.model.tiny import TINY, random_ids, tiny_model

pytestmark = pytest.mark.slow

VLLM = os.environ.get("LEMMATA_VLLM_PYTHON")
HEAD_32: dict[str, Any] = {"qk_nope_head_dim": 24}  # with the rope part, a size that vLLM's CPU attention supports
YARN: dict[str, Any] = {"yarn": Yarn(4.0, 64, mscale=1.0, mscale_all_dim=1.0), "max_position_embeddings": 256}
TIED: dict[str, Any] = {"tie_word_embeddings": True, "num_nextn_predict_layers": 1, "q_lora_rank": None}
LATENT_512: dict[str, Any] = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "index_head_dim": 64}
TOPK = 64


@pytest.mark.parametrize("changes", [{}, YARN, TIED])
def test_transformers_reads_it_as_deepseek_v3(changes: dict[str, Any], tmp_path: Path) -> None:
    model = tiny_model(index_topk=TOPK, **changes)
    export_for_dense_serving(model, tmp_path)
    loaded: Any = DeepseekV3ForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    reference, report = loaded
    assert not any(report.values()), report
    with torch.no_grad():
        ids = random_ids(2, TOPK)
        torch.testing.assert_close(model(ids), reference(ids, use_cache=False).logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("context", "topk"), [(256, 64), (32, 64)])
def test_the_context_stays_within_top_k(context: int, topk: int, tmp_path: Path) -> None:
    export_for_dense_serving(tiny_model(index_topk=topk, max_position_embeddings=context), tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["max_position_embeddings"] == min(context, topk)
    assert not [key for key in written if key.startswith("index")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rope_groups": 2}, "rope_groups=2 .*serve the original"),
        ({"latent_norm": False}, "latent_norm=False"),
        ({"rms_norm_eps": 1e-5}, "rms_norm_eps=1e-05 .* 1e-06"),
        ({"yarn": Yarn(4.0, 64, mscale=0.5)}, "mscale_all_dim must be"),
    ],
)
def test_models_that_vllm_computes_differently_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        export_for_dense_serving(tiny_model(**changes), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def save_tokenizer(folder: Path) -> None:
    """Saves a tokenizer with one word per token id; the server returns log-probabilities only with a tokenizer."""
    words = {f"w{number}": number for number in range(TINY.vocab_size)}
    Tokenizer(models.WordLevel(words, unk_token="w0")).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')


@contextmanager
def vllm(folder: Path, log: Path, environment: dict[str, str]) -> Iterator[str]:
    """Yields the URL of a running vLLM server of the model in ``folder``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--model", str(folder), "--served-model-name", "tested", "--host", "127.0.0.1", "--port", str(port)]
    options += ["--dtype", "float32", "--enforce-eager"]
    options += ["--compilation-config", '{"custom_ops":["-rotary_embedding"]}']  # vLLM's CPU rotation is wrong for MLA
    here = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "0-1", "HF_HUB_OFFLINE": "1", **environment}
    command = [str(VLLM), "-m", "vllm.entrypoints.openai.api_server", *options]
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | here, cwd=folder)
    try:
        wait_until_ready(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1/completions"
    finally:
        server.terminate()
        server.wait(60)


def wait_until_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Waits until ``url`` answers; fails with the end of the log if the server exits, or after 5 minutes."""
    for _ in range(300):
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=HANG):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    pytest.fail(log.read_text()[-3000:])


def completion(url: str, ids: list[int], new: int) -> tuple[list[int], list[float | None]]:
    """Returns prompt and greedy continuation, and the server's log-probability of each token (the first has none)."""
    body = {"model": "tested", "prompt": ids, "max_tokens": new, "temperature": 0, "echo": True, "logprobs": 1}
    body |= {"ignore_eos": True, "return_tokens_as_token_ids": True}
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=HANG) as answer:
            logprobs = json.load(answer)["choices"][0]["logprobs"]
    except urllib.error.HTTPError as error:
        raise ValueError(error.read().decode()) from error
    return [int(token.removeprefix("token_id:")) for token in logprobs["tokens"]], logprobs["token_logprobs"]


@pytest.mark.skipif(VLLM is None, reason="LEMMATA_VLLM_PYTHON does not name the Python of an environment with vLLM")
@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        (HEAD_32, {"VLLM_MLA_DISABLE": "1"}),
        (HEAD_32 | YARN, {"VLLM_MLA_DISABLE": "1"}),
        (HEAD_32 | TIED, {"VLLM_MLA_DISABLE": "1"}),
        (LATENT_512, {}),  # the only size of vLLM's latent attention on CPU
    ],
)
@torch.no_grad()
def test_vllm_has_the_same_log_probabilities(
    changes: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    model = tiny_model(index_topk=TOPK, **changes)
    export_for_dense_serving(model, tmp_path / "model")
    save_tokenizer(tmp_path / "model")
    worst, compared = 0.0, 0
    with vllm(tmp_path / "model", tmp_path / "log", environment) as url:
        for tokens in (1, 7, 33, 56):
            prompt = random_ids(1, tokens, seed=tokens)[0].tolist()
            ids, reference = completion(url, prompt, 8)
            assert ids[:tokens] == prompt
            assert len(ids) == tokens + 8
            logprobs = model(torch.tensor([ids]))[0, :-1].log_softmax(-1)
            expected = logprobs.gather(-1, torch.tensor(ids[1:]).unsqueeze(-1)).squeeze(-1)
            given = torch.tensor([logprob for logprob in reference[1:] if logprob is not None])
            compared += len(given)
            assert given.shape == expected.shape
            worst = max(worst, (given - expected).abs().max().item())
        assert len(completion(url, prompt, TOPK)[0]) == TOPK  # generation stops at the end of the context
        with pytest.raises(ValueError, match="maximum context length"):
            completion(url, random_ids(1, TOPK + 1)[0].tolist(), 1)
    print(f"{compared} log-probabilities of {TINY.vocab_size} tokens, largest difference {worst:.1e}")
    assert worst < 1e-4
