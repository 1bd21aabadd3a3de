"""ASGI application: the routes of the server."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from model.engine import Request as EngineRequest
from serving.admission import TICKET, AdmissionControl, Load, read_body
from serving.backend import Backend
from serving.errors import ApiError, ClientGone
from serving.events import EventStream, run_while_connected
from serving.fields import ChatRequest, CompletionRequest, read_request
from serving.metrics import CONTENT_TYPE
from serving.response import ChatResponseBuilder, CompletionResponseBuilder, ResponseBuilder

CLIENT_CLOSED_REQUEST = 499  # nginx's status; no client receives this response


def make_app(backend: Backend, key: str | None) -> ASGIApp:
    """Returns the server's ASGI application. ``key``: API key that clients must send, if any."""
    app = FastAPI(openapi_url=None)
    limits = backend.config.limits

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        async def prepare(body: bytes) -> ResponseBuilder:
            params = read_request(ChatRequest, body)
            job = await backend.chat_job(params, request.scope[TICKET])
            return ChatResponseBuilder(params, [job], backend.chat)

        return await _respond(backend, request, prepare)

    @app.post("/v1/completions")
    async def completions(request: Request) -> Response:
        async def prepare(body: bytes) -> ResponseBuilder:
            params = read_request(CompletionRequest, body)
            jobs = await backend.plain_jobs(params, request.scope[TICKET])
            return CompletionResponseBuilder(params, jobs, backend.chat)

        return await _respond(backend, request, prepare)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [backend.card]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        backend.check_name(name)
        return backend.card

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> Response:
        return error.response

    @app.exception_handler(HTTPException)
    async def no_such_route(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path[:200]}: {error.detail}; see docs/guides/serving.md"
        return ApiError(error.status_code, message).response

    load = Load()
    _add_state(app, backend, load)
    return AdmissionControl(app, limits, load, key)


def _add_state(app: FastAPI, backend: Backend, load: Load) -> None:
    """Adds the routes that report the server's state, for supervisors and Prometheus."""

    @app.get("/health")
    async def health() -> JSONResponse:
        healthy, value = backend.health()
        counts = {"requests": load.requests, "completions": load.completions}
        return JSONResponse(value | counts, 200 if healthy else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        text = backend.metrics.render(backend.service.engine.load, load.requests)
        return Response(text, media_type=CONTENT_TYPE)


async def _respond(
    backend: Backend, request: Request, prepare: Callable[[bytes], Awaitable[ResponseBuilder]]
) -> Response:
    """Responds to a POST with one JSON object, or with a stream of events."""
    try:
        builder = await prepare(await read_body(request.receive, backend.config.limits))
        if builder.params.stream:
            return EventStream(backend, builder)
        return JSONResponse(builder.full(await run_while_connected(request.receive, _finished(backend, builder))))
    except ClientGone:
        return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _finished(backend: Backend, builder: ResponseBuilder) -> list[EngineRequest]:
    requests = dict([item async for item in backend.stream(builder.jobs, partial=False)])
    return [requests[place] for place in range(len(builder.jobs))]
