"""API errors in OpenAI's format."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

TYPES = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}


class ApiError(Exception):
    """An error response. The message states the problem and its fix.

    ``param`` names the wrong field, ``code`` the kind of error for programs. ``retry_after`` in seconds, 0: not sent.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.retry_after = status, message, param, code, retry_after

    @property
    def body(self) -> Mapping[str, Any]:
        """JSON body of the response."""
        kind = TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def response(self) -> JSONResponse:
        """HTTP response."""
        headers = {"retry-after": str(self.retry_after)} if self.retry_after else None
        return JSONResponse(self.body, self.status, headers)


class ClientGone(Exception):
    """The client has disconnected."""
