"""Settings of ``lemmata serve``; lemmata/conf/serve.yaml comments every key. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from core.config import STRICT, Name, Positive, settings
from model.engine_config import EngineConfig, RowsFormat
from policy.local_config import Dtype

Seconds = Annotated[float, Field(gt=0)]


@settings(frozen=True, config=STRICT)
class Limits:
    """Limits per server and request. A completion counts once, and once more for each of its ``top_logprobs``."""

    requests: Positive
    completions: Positive
    n: Positive
    max_tokens: Positive | None
    body_bytes: Positive
    read_timeout: Seconds
    write_timeout: Seconds
    shutdown_timeout: Seconds


@settings(frozen=True, config=STRICT)
class VllmConfig:
    """Settings of vLLM as the engine; ``arguments`` are passed to its server as they are."""

    kind: Literal["vllm"]
    python: Name | None
    architecture: Literal["LemmataDsaForCausalLM", "LemmataParallelForCausalLM"]
    tensor_parallel_size: Positive
    max_model_len: Positive | None
    max_num_seqs: Positive
    cache_gib: Positive
    rows_format: RowsFormat
    arguments: tuple[Name, ...]


@settings(frozen=True, config=STRICT)
class VllmServeConfig:
    """Settings of one server of vLLM. It has limits of its own, and replicas by its own arguments."""

    model: Name
    replicas: Literal[1]
    ray_address: None
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    name: Name | None
    dtype: Dtype
    device: Literal["cpu", "cuda"]
    thinking: bool
    on_overflow: Literal["refuse"]
    api_key_env: str | None
    engine: VllmConfig
    limits: Limits


@settings(frozen=True, config=STRICT)
class ServeConfig:
    """Settings of one server. With more than one of ``replicas``, Ray Serve runs them."""

    model: Name
    replicas: Positive
    ray_address: Name | None
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    name: Name | None
    dtype: Dtype
    device: str
    thinking: bool
    on_overflow: Literal["refuse", "discard_tools"]
    api_key_env: str | None
    engine: EngineConfig
    limits: Limits
