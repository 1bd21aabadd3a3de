"""Settings of ``lemmata serve``; lemmata/conf/serve.yaml comments every key. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from core.config import STRICT, Name, Positive, settings
from model.engine_config import EngineConfig
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
