"""vLLM worker for ``benchmarks.throughput``: one batch of completions for every line of JSON on standard input.

Runs in the environment of vLLM, with the project's plugin on its path (``serving.vllm_server.plugin_path``). After
every batch it prints the CPU seconds that it took.

    python -P benchmarks/vllm_worker.py MODEL_FOLDER
"""

import json
import os
import sys
import time

# Before vLLM is imported: the engine in this process, so that its CPU time counts.
os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_MLA_DISABLE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
os.environ |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}

import torch
from vllm import LLM, SamplingParams  # pyright: ignore[reportMissingImports]  of an environment of its own


def main() -> None:
    """Batches until standard input ends."""
    torch.set_num_threads(1)
    llm = LLM(
        sys.argv[1],
        dtype="float32",
        enforce_eager=True,
        enable_prefix_caching=False,
        tokenizer_mode="hf",
        hf_overrides={"architectures": ["LemmataDsaForCausalLM"]},
        max_num_seqs=64,
        max_num_batched_tokens=8192,
    )
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        batch = json.loads(line)
        params = SamplingParams(max_tokens=batch["new"], ignore_eos=True, top_p=batch["top_p"], detokenize=True)
        prompts = [{"prompt_token_ids": ids} for ids in batch["prompts"]]
        started = time.process_time()
        outputs = llm.generate(prompts, params, use_tqdm=False)
        seconds = time.process_time() - started
        assert all(len(output.outputs[0].token_ids) == batch["new"] for output in outputs)
        print(json.dumps({"cpu_seconds": seconds}), flush=True)


main()
