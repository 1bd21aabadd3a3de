"""Replicas behind one address: Ray Serve starts them, distributes requests, and replaces replicas that die."""

import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from core.errors import LemmataError
from model.errors import ModelError
from model.loading import check_model
from serving.config import ServeConfig
from serving.replica import Replica
from serving.server import LAST_RESORT
from serving.server_address import address_of, listening_socket, read_key

APP = "lemmata"
STORE_BYTES = 256 * 2**20  # Ray's object store holds only requests and responses
POLL = 0.1  # seconds
INSTALL = "pip install '.[model,serve,scale]'"
ENVIRONMENT = {  # defaults for all processes of Ray
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serving.proxy_middleware.middlewares",
}
CHECK = 2.0  # seconds between two health checks of a replica


def serve_replicas(config: ServeConfig, ready: Callable[[str], None]) -> None:
    """Serves with ``config.replicas`` processes until SIGTERM or ctrl-C; calls ``ready`` with the address when all run.

    Raises:
        LemmataError: the errors of ``serving.server.serve``, most of them before Ray starts; Ray is not installed or
            does not start, or there are too few GPUs.
    """
    ray, serve = load_ray(config)
    key = read_key(config.api_key_env)
    check_device(config)
    config = with_absolute_path(config)
    listener = listening_socket(config)
    with listener:
        address, url = listener.getsockname()[:2], address_of(listener)
        _start_ray(ray, config)
    if others := serve.status().applications:
        raise LemmataError(
            f"ray_address={config.ray_address}: that cluster already serves {', '.join(others)}; use another cluster"
        )
    try:  # from here on the address is Ray's
        _start_replicas(serve, config, key, address)
        with stop_event() as stopped:
            ready(url)
            stopped.wait()
        _finish(serve, config.limits.shutdown_timeout + LAST_RESORT)
    finally:
        if config.ray_address is not None:
            serve.shutdown()
        ray.shutdown()


def check_device(config: ServeConfig) -> None:
    """Raises LemmataError if the replicas cannot have a device each: ``cpu`` is shared, a GPU is not."""
    if config.device == "cpu":
        return
    if config.device != "cuda":
        message = f"device={config.device}: with replicas={config.replicas} it must be cpu, or cuda for one GPU each"
        raise LemmataError(message)
    if config.ray_address is None and (count := torch.cuda.device_count()) < config.replicas:
        message = f"replicas={config.replicas} on cuda need a GPU each, and {count} are visible; lower replicas"
        raise LemmataError(message)


def with_absolute_path(config: ServeConfig) -> ServeConfig:
    """Returns ``config`` with an absolute model path and a name. Raises LemmataError if there is no model to serve."""
    folder = Path(config.model).resolve()
    try:
        check_model(folder, config.dtype)
    except ModelError as error:
        raise LemmataError(f"{config.model} cannot be served: {error}") from error
    return replace(config, model=str(folder), name=config.name or folder.name)


def load_ray(config: ServeConfig) -> tuple[Any, Any]:
    """Imports ``ray`` and ``ray.serve`` with their environment set. Raises LemmataError if they are not installed."""
    if find_spec("ray") is None:
        raise LemmataError(f"replicas={config.replicas} need Ray Serve: {INSTALL}")
    threads = max(1, (os.cpu_count() or 1) // config.replicas)
    own = {"OMP_NUM_THREADS": str(threads), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for name, value in (ENVIRONMENT if config.ray_address else ENVIRONMENT | own).items():
        os.environ.setdefault(name, value)
    try:
        return import_module("ray"), import_module("ray.serve")
    except ModuleNotFoundError as error:
        raise LemmataError(f"replicas={config.replicas} need Ray Serve ({error}): {INSTALL}") from error


def _start_ray(ray: Any, config: ServeConfig) -> None:
    """Connects to the cluster at ``ray_address``, or starts one on this machine that ends with this process."""
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    own = {
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "num_gpus": config.replicas if config.device == "cuda" else 0,
    }
    address, settings = ("local", own) if config.ray_address is None else (config.ray_address, {})
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **settings)
    except Exception as error:  # Ray raises plain Exception if one of its processes starts too slowly
        raise LemmataError(f"Ray does not start: {error}") from error


def _start_replicas(serve: Any, config: ServeConfig, key: str | None, address: tuple[str, int]) -> None:
    limits, host_port = config.limits, dict(zip(("host", "port"), address, strict=True))
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name="replica",
        num_replicas=config.replicas,
        # More than a replica accepts, so that the replica refuses, with a proper message.
        max_ongoing_requests=2 * limits.requests + 16,
        ray_actor_options={"num_cpus": 0, "num_gpus": int(config.device == "cuda")},
        graceful_shutdown_timeout_s=limits.shutdown_timeout,
        graceful_shutdown_wait_loop_s=POLL,
        health_check_period_s=CHECK,
        max_constructor_retry_count=1,
    )
    try:
        serve.start(proxy_location="HeadOnly", http_options=host_port, logging_config=quiet)
        serve.run(deployment.bind(config, key), name=APP, logging_config=quiet)
    except RuntimeError as error:
        raise LemmataError(f"the replicas do not start: {_cause(serve, error)}") from error


def _cause(serve: Any, error: RuntimeError) -> str:
    """Returns a replica's last error message from Ray's report with its traceback."""
    found = serve.status().applications.get(APP)
    reports = [str(error), *(part.message for part in (found.deployments.values() if found else ()))]
    lines = [line.strip() for report in reports for line in report.splitlines() if line.strip()]
    return next((line for line in lines if "LemmataError: " in line), lines[-1]).rpartition("LemmataError: ")[2]


def _finish(serve: Any, seconds: float) -> None:
    """Stops accepting requests, and waits up to ``seconds`` for the running ones."""
    serve.delete(APP, _blocking=False)
    deadline = time.monotonic() + seconds
    while APP in serve.status().applications and time.monotonic() < deadline:
        time.sleep(POLL)


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Yields an event that SIGTERM and ctrl-C set; a second signal has its default effect."""
    stopped = threading.Event()

    def note(number: int, _frame: Any) -> None:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    yield stopped
