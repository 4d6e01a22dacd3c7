"""The admin's HTTP API of a Convex backend. Nothing of a key is ever in a message."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from convexctl.errors import UserError

_ANSWER_S = 60
_PART_S = 600
_LONGEST_ANSWER = 16 * 1024 * 1024
LOOPBACK = ("127.0.0.1", "localhost")


class ConvexError(UserError):
    """The backend does not answer, refuses, or fails.

    `status` is the HTTP status of the answer; 0 if there is none, or if it is no answer of a backend.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def code(self) -> str:
        """The error code that the backend names; empty if it names none."""
        try:
            code = json.loads(self.body)["code"]
        except (ValueError, KeyError, TypeError):
            return ""
        return code if isinstance(code, str) else ""


@dataclass(frozen=True)
class ConvexApi:
    """A backend at a URL, opened with an admin key; without a key only what needs none can be asked."""

    url: str
    key: str = field(default="", repr=False)
    trust: ssl.SSLContext | None = None
    """The trusted certificate authorities; None: this machine's."""

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = "application/json",
        timeout_s: float = _ANSWER_S,
        longest: int = _LONGEST_ANSWER,
    ) -> Answer:
        """Send a request. Any status is an answer, read up to `longest`; `ConvexError` where nothing answers."""
        request = urllib.request.Request(f"{self.url}{path}", body, method=method)  # noqa: S310 (an origin: http or https)
        if body is not None:
            request.add_header("Content-Type", content_type)
        if self.key:
            request.add_header("Authorization", f"Convex {self.key}")
        try:
            with self._opener().open(request, timeout=timeout_s) as response:
                return Answer(response.status, dict(response.headers.items()), response.read(longest))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers.items()), error.read(_LONGEST_ANSWER))
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise ConvexError(f"{self.url} does not answer: {reason}") from None

    def json(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Send JSON and return the JSON of the answer; None for an empty one. Raises `ConvexError` for any refusal."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        answer = self.send(method, path, raw, **options)
        route = path.partition("?")[0]
        if answer.status in (401, 403):
            raise ConvexError(f"{self.url} refused the admin key ({answer.status})", answer.status)
        if answer.status != 200:
            code = f" ({answer.code})" if answer.code else ""
            raise ConvexError(f"{self.url}{route} answered {answer.status}{code}", answer.status)
        if not answer.body.strip():
            return None
        try:
            return json.loads(answer.body)
        except ValueError:
            raise ConvexError(f"{self.url}{route} answered something that is not JSON: is it a backend?") from None

    def query(self, path: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Run a system query and return its value."""
        answer = self.json("POST", "/api/query", {"path": path, "args": arguments or {}, "format": "json"})
        if not isinstance(answer, dict) or answer.get("status") != "success":
            reason = answer.get("errorMessage") if isinstance(answer, dict) else None
            raise ConvexError(f"the query {path} failed: {reason or 'no reason given'}")
        return answer.get("value")

    def instance_name(self) -> str:
        """The name of the instance, which the backend tells everybody."""
        answer = self.send("GET", "/instance_name")
        if answer.status != 200:
            raise ConvexError(f"{self.url}/instance_name answered {answer.status}: is it a Convex backend?")
        return answer.text.strip()

    def version(self) -> str:
        """What `/version` answers."""
        answer = self.send("GET", "/version")
        if answer.status != 200:
            raise ConvexError(f"{self.url}/version answered {answer.status}")
        return answer.text.strip()

    def key_is_read_only(self) -> bool:
        """Whether the key, which must be good, may only read."""
        found = self.json("GET", "/api/check_admin_key")
        return bool(isinstance(found, dict) and found.get("isReadOnly"))

    def functions(self) -> list[Any]:
        """The deployed functions; none of a backend that is healthy but empty."""
        found = self.query("_system/cli/modules:apiSpec")
        return found if isinstance(found, list) else []

    def cloud_origin(self) -> str:
        """The API's public URL, from which the running backend makes upload and storage URLs."""
        found = self.query("_system/cli/convexUrl:cloudUrl")
        return found if isinstance(found, str) else ""

    def poll_log(self, seconds: float) -> Answer:
        """Wait for log entries of the far future: the server answers, with none, after a minute."""
        cursor = (time.time() + 3600) * 1000
        return self.send("GET", f"/api/stream_udf_execution?cursor={cursor:.0f}", timeout_s=seconds)

    def start_upload(self) -> str:
        """Begin the upload of an import and return its token."""
        return self._text("POST", "/api/import/start_upload", None, "uploadToken")

    def upload_part(self, token: str, number: int, part: bytes) -> Any:
        """Send a part, numbered from 1, and return its token."""
        path = f"/api/import/upload_part?uploadToken={quote(token, safe='')}&partNumber={number}"
        return self.json("POST", path, part, content_type="application/octet-stream", timeout_s=_PART_S)

    def finish_upload(self, token: str, parts: list[Any]) -> str:
        """End the upload of a ZIP that will replace everything, and return the import's id. Nothing is replaced yet."""
        how = {"format": "zip", "mode": "replaceAll"}
        body = {"import": how, "uploadToken": token, "partTokens": parts}
        return self._text("POST", "/api/import/finish_upload", body, "importId")

    def import_state(self, import_id: str) -> dict[str, Any]:
        """How far an import is: `state`, with what belongs to it."""
        found = self.query("_system/cli/queryImport", {"importId": import_id})
        state = found.get("state") if isinstance(found, dict) else None
        if not isinstance(state, dict) or not isinstance(state.get("state"), str):
            raise ConvexError(f"{self.url} knows no import {import_id}")
        return state

    def perform_import(self, import_id: str) -> None:
        """Confirm an import: from here on it replaces."""
        self.json("POST", "/api/perform_import", {"importId": import_id})

    def cancel_import(self, import_id: str) -> None:
        """Give an import up."""
        self.json("POST", "/api/cancel_import", {"importId": import_id})

    def _text(self, method: str, path: str, body: Any, key: str) -> str:
        found = self.json(method, path, body)
        value = found.get(key) if isinstance(found, dict) else None
        if not isinstance(value, str):
            raise ConvexError(f"{self.url}{path} answered without {key}")
        return value

    def _opener(self) -> urllib.request.OpenerDirector:
        """Through the user's proxy, but not to this machine. A redirect is an answer: the key follows none."""
        local = urlsplit(self.url).hostname in LOOPBACK
        handlers: list[Any] = [_NoRedirect, *([urllib.request.ProxyHandler({})] if local else [])]
        if self.trust:
            handlers.append(urllib.request.HTTPSHandler(context=self.trust))
        return urllib.request.build_opener(*handlers)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
