"""The routes."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from model.engine import Request as EngineRequest
from serving.answer import ChatShape, PlainShape, Shape
from serving.backend import Backend
from serving.errors import ApiError, ClientGone
from serving.events import EventStream, unless_gone
from serving.fields import ChatRequest, CompletionRequest, read_request
from serving.gate import TICKET, Gate, Load, read_body

NOBODY_THERE = 499  # as nginx logs it; the answer reaches nobody


def make_app(backend: Backend, key: str | None) -> ASGIApp:
    """The server's ASGI application. ``key``: what clients must send, if any."""
    app = FastAPI(openapi_url=None)
    limits = backend.config.limits

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        async def shape(body: bytes) -> Shape:
            asked = read_request(ChatRequest, body)
            return ChatShape(asked, await backend.chat_job(asked, request.scope[TICKET]), backend.chat)

        return await _answered(backend, request, shape)

    @app.post("/v1/completions")
    async def completions(request: Request) -> Response:
        async def shape(body: bytes) -> Shape:
            asked = read_request(CompletionRequest, body)
            return PlainShape(asked, await backend.plain_job(asked, request.scope[TICKET]), backend.chat)

        return await _answered(backend, request, shape)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        entry = {"id": backend.name, "object": "model", "created": 0, "owned_by": "lemmata"}
        return {"object": "list", "data": [entry | {"max_model_len": backend.max_model_len}]}

    @app.get("/health")
    async def health() -> JSONResponse:
        healthy, value = backend.health()
        counts = {"requests": load.requests, "completions": load.completions}
        return JSONResponse(value | counts, 200 if healthy else 503)

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> Response:
        return error.response

    @app.exception_handler(HTTPException)
    async def no_such_route(request: Request, error: HTTPException) -> Response:
        said = f"{request.method} {request.url.path[:200]}: {error.detail}; see docs/guides/serving.md"
        return ApiError(error.status_code, said).response

    load = Load()
    return Gate(app, limits, load, key)


async def _answered(backend: Backend, request: Request, shape: Callable[[bytes], Awaitable[Shape]]) -> Response:
    """The answer to a POST: whole, or as a stream of events."""
    try:
        form = await shape(await read_body(request.receive, backend.config.limits))
        if form.asked.stream:
            return EventStream(backend, form)
        return JSONResponse(form.whole(await unless_gone(request.receive, _finished(backend, form))))
    except ClientGone:
        return Response(status_code=NOBODY_THERE)


async def _finished(backend: Backend, shape: Shape) -> EngineRequest:
    return [request async for request in backend.stream(shape.job)][-1]
