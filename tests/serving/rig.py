"""Test server: ``lemmata serve`` in its own process with a tiny random model, and a client for it."""

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import openai

from model import load_pretrained, save_pretrained
from model.tokenizer import byte_tokenizer, load_tokenizer
from model.transformer import DsaModel
from tests import preloaded
from tests.clocks import HANG
from tests.model.tiny import tiny_model

ROOT = Path(__file__).parents[2]
CONTEXT = 4096
NAME = "tiny"
READY = "serving at "


def save_tiny(folder: Path) -> Path:
    """Saves a model folder with tokenizer and chat template. Its texts are noise."""
    tokenizer = byte_tokenizer()
    model = tiny_model(vocab_size=len(tokenizer), max_position_embeddings=CONTEXT, num_hidden_layers=2)
    save_pretrained(model, folder / NAME, tokenizer)
    return folder / NAME


@dataclass(frozen=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        """The JSON body."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The error in OpenAI's format."""
        error = self.value["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error


@dataclass
class Server:
    """A running server."""

    process: BaseProcess
    url: str
    folder: Path
    log: Path

    @property
    def pid(self) -> int:
        """Process id."""
        assert self.process.pid
        return self.process.pid

    @property
    def output(self) -> str:
        """The output since the line with the address."""
        return self.log.read_text().partition(READY)[2].partition("\n")[2]

    def end(self) -> int:
        """Waits for the end of the process; returns its exit code."""
        return preloaded.exit_code(self.process, self.log)

    @property
    def client(self) -> openai.OpenAI:
        """OpenAI client without retries."""
        return openai.OpenAI(base_url=self.url, api_key="none", max_retries=0, timeout=HANG)

    @property
    def address(self) -> tuple[str, int]:
        """Address for a socket."""
        found = urlsplit(self.url)
        assert found.hostname
        assert found.port
        return found.hostname, found.port

    def model(self) -> DsaModel:
        """The served model."""
        return load_pretrained(self.folder)

    def health(self) -> dict[str, Any]:
        """Returns the body of GET /health."""
        return self.request("GET", "/health").value

    def post(self, body: Any, path: str = "/v1/chat/completions", headers: Mapping[str, str] | None = None) -> Reply:
        """Sends a chat request: bytes unchanged, anything else as JSON."""
        return self.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Sends any request."""
        connection = http.client.HTTPConnection(*self.address, timeout=HANG)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def memory(self) -> int:
        """Returns the resident bytes of the process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def wait_until_idle(self) -> dict[str, Any]:
        """Waits until no request is running, and returns the health."""
        deadline = time.monotonic() + HANG
        while True:
            found = self.health()
            if not any(found[name] for name in ("running", "waiting", "requests", "completions")):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def connect(
        self, body: Mapping[str, Any], buffer: int | None = None, headers: str = "", promised: int = 0
    ) -> socket.socket:
        """A connection on which a chat request was sent, and nothing read.

        ``buffer``: what the system reads ahead. ``promised``: bytes of the body that will not come.
        """
        content = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content) + promised}\r\n"
        connection = socket.socket()
        connection.settimeout(HANG)
        if buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.connect(self.address)
        connection.sendall(f"{head}{headers}\r\n".encode() + content)
        return connection


def chat(content: str = "Hello", **changes: Any) -> dict[str, Any]:
    """Returns the body of a chat request."""
    return {"model": NAME, "messages": [{"role": "user", "content": content}], **changes}


def start(folder: Path, log: Path, environment: Mapping[str, str], *settings: str) -> BaseProcess:
    """Starts ``lemmata serve`` in a process of its own, whose output goes to ``log``."""
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "COLUMNS": "200"}
    arguments = ("serve", f"model={folder}", "port=0", *settings)
    return preloaded.start(log, preloaded.command, ROOT, {**quiet, **environment}, *arguments)


@contextmanager
def served(folder: Path, *settings: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Runs a server within the block."""
    with TemporaryDirectory() as place:
        log = Path(place) / "output"
        process = start(folder, log, environment or {}, *settings)
        try:
            while READY not in (log.read_text() if log.exists() else ""):
                assert process.is_alive(), log.read_text()
                time.sleep(0.02)
            url = log.read_text().partition(READY)[2].split()[0]
            yield Server(process, url, folder, log)
        finally:
            process.kill()
            process.join()


def tokenizer_of(server: Server) -> Any:
    """Returns the tokenizer of the server's model."""
    return load_tokenizer(server.folder)
