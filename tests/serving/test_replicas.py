"""Replicas behind one address: the same answers as one server, also after one of them dies."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
import torch
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import LemmataError
from lemmata.cli import main
from serving.proxy_middleware import RetryableErrors, middlewares
from serving.replicas import check_device, with_absolute_path
from tests.clocks import HANG
from tests.serving.rig import NAME, Reply, Server, chat, served
from tests.serving.test_limits import settings

pytestmark = pytest.mark.slow

REPLICA = b"ray::ServeReplica:lemmata:"


@pytest.fixture(scope="module")
def replicas(folder: Path) -> Iterator[Server]:
    """Two replicas, on the Ray cluster at RAY_ADDRESS if it is set; the last test that uses them stops them."""
    pytest.importorskip("ray")
    place = [f"ray_address={address}"] if (address := os.environ.get("RAY_ADDRESS")) else []
    with served(folder, "engine.cache_tokens=32768", "replicas=2", *place) as running:
        yield running


def family(server: Server) -> dict[int, bytes]:
    """Returns the command lines of all descendants of the server process, and of every replica."""
    parents, lines = dict[int, int](), dict[int, bytes]()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has ended meanwhile
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            lines[int(path.name)] = (path / "cmdline").read_bytes()
    found = {process for process, line in lines.items() if line.startswith(REPLICA)}
    fresh = {server.pid}
    while fresh := {child for child, parent in parents.items() if parent in fresh}:
        found |= fresh
    return {process: lines[process] for process in found if lines.get(process)}


def processes(server: Server) -> set[int]:
    """Returns the process ids of the replicas."""
    return {process for process, line in family(server).items() if line.startswith(REPLICA)}


def wait_for_two(server: Server, others_than: int = 0) -> None:
    deadline = time.monotonic() + HANG
    while len(processes(server) - {others_than}) < 2:
        assert time.monotonic() < deadline, family(server)
        time.sleep(0.2)


def text_and_usage(reply: Reply) -> Any:
    """Returns the parts of a reply that do not differ from request to request."""
    assert reply.status == 200, reply.body
    return reply.value["choices"], reply.value["usage"]["completion_tokens"]


def test_answers_equal_those_of_one_server(replicas: Server, server: Server) -> None:
    assert len(processes(replicas)) == 2
    bodies = [chat(f"Question {seed}", seed=seed, max_tokens=30, n=2, logprobs=True) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = [text_and_usage(reply)[0] for reply in pool.map(replicas.post, bodies)]
    for replicated, body in zip(found, bodies, strict=True):
        single = text_and_usage(server.post(body))[0]
        assert [choice["message"] for choice in replicated] == [choice["message"] for choice in single]
        for one, other in zip(replicated, single, strict=True):
            logprobs = [[piece["logprob"] for piece in choice["logprobs"]["content"]] for choice in (one, other)]
            assert logprobs[0] == pytest.approx(logprobs[1], abs=1e-4)
    assert replicas.request("GET", "/v1/models").value == server.request("GET", "/v1/models").value


def test_a_stream_is_not_buffered(replicas: Server, server: Server) -> None:
    def text(one: Server) -> tuple[str, list[float]]:
        times, pieces = [], []
        asked: dict[str, Any] = chat("Stream", seed=4, max_tokens=200, stream=True)
        for event in one.client.chat.completions.create(**asked, extra_body={"ignore_eos": True}):
            times.append(time.monotonic())
            pieces.append(getattr(event.choices[0].delta, "reasoning_content", "") or "")
        return "".join(pieces), times

    replicated, times = text(replicas)
    assert replicated == text(server)[0]
    assert len(times) > 20
    assert times[len(times) // 2] < times[-1]


def test_errors_equal_those_of_one_server(replicas: Server, server: Server) -> None:
    for body in (b"{", chat(n=200), chat(model="other"), chat(nonsense=1), chat("x" * 5000)):
        replicated, single = replicas.post(body), server.post(body)
        assert replicated.status == single.status >= 400
        assert replicated.error == single.error
    assert replicas.request("GET", "/nonsense").error == server.request("GET", "/nonsense").error


def test_a_killed_replica_is_replaced(replicas: Server) -> None:
    long = chat(max_tokens=400, ignore_eos=True)
    with ThreadPoolExecutor(8) as pool:
        in_work = [pool.submit(replicas.post, long) for _ in range(8)]
        while not replicas.health()["running"]:
            time.sleep(0.02)
        victim = min(processes(replicas))
        os.kill(victim, signal.SIGKILL)
        later = list(pool.map(lambda seed: replicas.post(chat(seed=seed, max_tokens=3)).status, range(20)))
        assert later == [200] * 20
        replies = [reply.result() for reply in in_work]
    # Its requests are lost, with an error that clients retry; those of the other replica are answered.
    assert {reply.status for reply in replies} <= {200, 503}
    assert {reply.error["code"] for reply in replies if reply.status == 503} <= {"no_replica"}
    assert [reply for reply in replies if reply.status == 200]
    wait_for_two(replicas, victim)
    assert replicas.post(chat(max_tokens=3)).status == 200


def test_ctrl_c_lets_running_requests_finish(replicas: Server) -> None:
    with ThreadPoolExecutor(1) as pool:
        in_work = pool.submit(replicas.post, chat(max_tokens=300, ignore_eos=True))
        while not (replicas.health()["running"] or in_work.done()):
            time.sleep(0.02)
        started = family(replicas)
        for process in (replicas.pid, *started):  # like a terminal
            os.kill(process, signal.SIGINT)
        assert text_and_usage(in_work.result())[1] == 300
    assert replicas.end() == 0
    assert "Traceback" not in replicas.output  # Ray itself reports that a replica was killed
    deadline = time.monotonic() + HANG
    while left := [child for child in started if running(child)]:
        assert time.monotonic() < deadline, [started[child] for child in left]
        time.sleep(0.1)


def running(process: int) -> bool:
    """Returns True if a process exists and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Without Ray


def test_settings_that_replicas_cannot_have(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match="replicas"):
        settings(folder, replicas=0)
    with pytest.raises(LemmataError, match="device=cuda:1: with replicas=2 it must be cpu, or cuda"):
        check_device(settings(folder, replicas=2, device="cuda:1"))
    many = torch.cuda.device_count() + 2
    with pytest.raises(LemmataError, match=f"replicas={many} on cuda need a GPU each, and {many - 2} are visible"):
        check_device(settings(folder, replicas=many, device="cuda"))


def test_the_model_is_checked_before_ray_starts(folder: Path, tmp_path: Path) -> None:
    found = with_absolute_path(settings(folder, replicas=2))
    assert (found.model, found.name) == (str(folder), NAME)
    with pytest.raises(LemmataError, match=r"has no tokenizer\.json; save the model with one"):
        with_absolute_path(settings(tmp_path))
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with_absolute_path(settings(tmp_path))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(LemmataError, match=f"{tmp_path} cannot be served: "):
        with_absolute_path(settings(tmp_path))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(LemmataError, match=f"{tmp_path} cannot be served: "):
        with_absolute_path(settings(tmp_path))


def test_missing_ray_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(sys, "argv", ["lemmata", "serve", f"model={folder}", "replicas=2"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "lemmata: replicas=2 need Ray Serve: pip install '.[model,serve,scale]'\n"


async def half(_: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"data: 1", "more_body": True})


async def silence(_scope: Scope, _receive: Receive, _send: Send) -> None:
    return None


@pytest.mark.parametrize(
    "app", [silence, PlainTextResponse("Path not found", 404), PlainTextResponse("Unexpected error", 503)]
)
def test_errors_of_the_proxy_become_retryable(app: ASGIApp) -> None:
    answer = TestClient(RetryableErrors(app)).post("/v1/chat/completions")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"]["code"] == "no_replica"
    assert [middleware.cls for middleware in middlewares()] == [RetryableErrors]


@pytest.mark.parametrize("app", [JSONResponse({"error": 1}, 429, {"retry-after": "9"}), PlainTextResponse("data: 1")])
def test_responses_of_a_replica_are_unchanged(app: ASGIApp) -> None:
    answer, same = TestClient(RetryableErrors(app)).get("/v1/models"), TestClient(app).get("/v1/models")
    assert (answer.status_code, answer.headers, answer.content) == (same.status_code, same.headers, same.content)


def test_a_response_that_breaks_off_is_not_completed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    asyncio.run(RetryableErrors(half)({"type": "http", "path": "/v1/completions"}, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"]
