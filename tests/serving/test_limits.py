"""Limits, the key, and how the server starts and stops."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
import openai
import pytest
from omegaconf import OmegaConf

from core.config import read_config
from core.errors import LemmataError
from lemmata.cli import main
from model import save_pretrained
from model.tokenizer import byte_tokenizer
from serving.config import ServeConfig
from serving.server import load_backend
from serving.server_address import listening_socket, read_key
from tests import preloaded
from tests.clocks import HANG
from tests.model.tiny import tiny_model
from tests.serving.rig import Server, chat, served, start

pytestmark = pytest.mark.slow

LIMITS = {"requests": 4, "completions": 6, "n": 5, "max_tokens": 1000, "body_bytes": 5000, "read_timeout": 1}
TIGHT = [f"limits.{name}={value}" for name, value in LIMITS.items()]
KEY = {"authorization": "Bearer sesame"}
LONG: dict[str, Any] = {"max_tokens": 1000, "ignore_eos": True, "stream": True}


@pytest.fixture(scope="module")
def tight(folder: Path) -> Iterator[Server]:
    """Server with tiny limits and an API key."""
    more = ["limits.write_timeout=1", "limits.shutdown_timeout=1", "api_key_env=THE_KEY", "name=tiny"]
    with served(folder, *TIGHT, *more, environment={"THE_KEY": "sesame"}) as running:
        yield running


def connect(server: Server, body: dict[str, Any], buffer: int | None = None) -> Any:
    return server.connect(body, buffer, "authorization: Bearer sesame\r\n")


def test_a_key_is_required(tight: Server) -> None:
    for headers in ({}, {"authorization": "Bearer simsim"}, {"authorization": "sesame"}):
        reply = tight.post(chat(), headers=headers)
        assert reply.status == 401
        assert reply.error["code"] == "invalid_api_key"
    with pytest.raises(openai.AuthenticationError, match="send 'Authorization: Bearer KEY'"):
        tight.client.models.list()
    client = openai.OpenAI(base_url=tight.url, api_key="sesame")
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert tight.health()["status"] == "ok"  # needs no key


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (chat(n=6), "n=6 exceeds this server's limit of 5"),
        (chat(logprobs=True, top_logprobs=6), "n=1 completions of 1 prompt with 6 top log-probabilities need 7"),
        (chat(max_tokens=1001), "max_tokens=1001 exceeds this server's limit of 1000"),
    ],
)
def test_limits_of_one_request(tight: Server, body: Any, message: str) -> None:
    reply = tight.post(body, headers=KEY)
    assert reply.status == 400
    assert message in reply.error["message"]


def test_too_many_completions_are_refused_until_slots_are_free(tight: Server) -> None:
    tight.wait_until_idle()
    busy = connect(tight, chat(n=4, **LONG))
    busy.recv(100)
    reply = tight.post(chat(n=3), headers=KEY)
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    assert reply.error["code"] == "too_many_requests"
    assert "server busy: 4 of 6 completion slots in use, and this request needs 3" in reply.error["message"]
    assert tight.post(chat(n=2, max_tokens=2), headers=KEY).status == 200
    busy.close()
    tight.wait_until_idle()
    assert tight.post(chat(n=3, max_tokens=2), headers=KEY).status == 200


def test_too_many_requests_are_refused_until_slots_are_free(tight: Server) -> None:
    tight.wait_until_idle()
    busy = [connect(tight, chat(**LONG)) for _ in range(4)]
    for connection in busy:
        connection.recv(100)
    reply = tight.post(chat(), headers=KEY)
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    for connection in busy:
        connection.close()
    tight.wait_until_idle()
    with ThreadPoolExecutor(20) as pool:
        client = openai.OpenAI(base_url=tight.url, api_key="sesame", max_retries=20, timeout=HANG)
        body: Any = chat(max_tokens=2)
        answers = list(pool.map(lambda _: client.chat.completions.create(**body), range(20)))
    assert len(answers) == 20


def test_a_body_that_does_not_arrive(tight: Server) -> None:
    connection = tight.connect({}, None, "authorization: Bearer sesame\r\nexpect: nothing\r\n", promised=100)
    assert connection.recv(1000).startswith(b"HTTP/1.1 408")
    connection.close()
    connection = tight.connect({}, None, "authorization: Bearer sesame\r\n", promised=100)
    connection.close()
    tight.wait_until_idle()


def test_a_client_that_never_reads_is_disconnected(tight: Server) -> None:
    body = chat("slow", logprobs=True, top_logprobs=1, n=3, **LONG)
    connection = connect(tight, body, 4096)
    while not tight.health()["running"]:
        time.sleep(0.01)
    tight.wait_until_idle()
    connection.settimeout(HANG)
    output = b""
    with suppress(ConnectionError):  # disconnected by the system after the same timeout
        while piece := connection.recv(65536):
            output += piece
    assert b"[DONE]" not in output


def test_shutdown_answers_waiting_requests(folder: Path) -> None:
    with served(folder, "limits.shutdown_timeout=2") as server, ThreadPoolExecutor(2) as pool:
        quick = pool.submit(server.post, chat(max_tokens=5))
        slow = pool.submit(server.post, chat(max_tokens=3000, ignore_eos=True, n=32))  # half of max_num_seqs
        while server.health()["completions"] < 32 + (not quick.done()):
            time.sleep(0.01)
        os.kill(server.pid, signal.SIGTERM)
        assert quick.result().status == 200
        reply = slow.result()
        assert (reply.status, reply.error["code"]) == (503, "stopping")
        assert (server.end(), server.output) == (0, "")


def test_an_address_in_use(tight: Server, folder: Path, tmp_path: Path) -> None:
    port, log = tight.address[1], tmp_path / "output"
    code = preloaded.exit_code(start(folder, log, {}, f"port={port}"), log)
    *_, output = log.read_text().splitlines()
    assert (code, output) == (
        1,
        f"lemmata: cannot listen on 127.0.0.1:{port}: Address already in use; choose another port=",
    )


def settings(folder: Path, **changes: Any) -> ServeConfig:
    """Returns the settings of lemmata/conf/serve.yaml."""
    with hydra.initialize_config_module("lemmata.conf", version_base="1.3"):
        value = OmegaConf.to_container(hydra.compose("serve"))
    assert isinstance(value, dict)
    return read_config(
        ServeConfig, {str(key): item for key, item in value.items()} | {"model": str(folder), **changes}, ""
    )


def test_models_and_settings_that_cannot_be_served(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match=r"has no tokenizer\.json; save the model with one"):
        load_backend(settings(tmp_path))
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(LemmataError, match="the tokenizer has no chat template; save one"):
        load_backend(settings(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(LemmataError, match=f"the tokenizer in {tmp_path} cannot be read"):
        load_backend(settings(tmp_path))
    with pytest.raises(LemmataError, match="cannot be served: "):
        load_backend(settings(folder, device="nonsense"))
    with pytest.raises(LemmataError, match="api_key_env=NO_KEY: that environment variable holds no key"):
        read_key("NO_KEY")
    with pytest.raises(LemmataError, match="host=no such host"):
        listening_socket(settings(folder, host="no such host"))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("serving.server", "serving.app"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setattr(sys, "argv", ["lemmata", "serve", "model=m"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == "lemmata: `lemmata serve` needs fastapi: pip install '.[model,serve]'\n"


def test_a_model_that_is_broken_is_reported(tmp_path: Path) -> None:
    """Responses report the failure, and GET /health is 503 afterwards, so that a load balancer avoids the server."""
    tokenizer = byte_tokenizer()
    model = tiny_model(vocab_size=len(tokenizer))
    model.model.norm.weight.data.fill_(3e38)  # finite, so that it is served, but with infinite logits
    save_pretrained(model, tmp_path / "tiny", tokenizer)
    with served(tmp_path / "tiny") as server:
        reply = server.post(chat(max_tokens=3))
        assert (reply.status, reply.error["code"]) == (500, "engine_failed")
        assert "logits are NaN or infinite" in reply.error["message"]
        assert b'"error"' in server.post(chat(max_tokens=3, stream=True)).body
        health = server.request("GET", "/health")
        assert health.status == 503
        assert "NaN" in health.value["status"]
        assert health.value["pages"]["available"] == health.value["pages"]["count"]
