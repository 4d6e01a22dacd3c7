"""The edge between the world and the pods: names, certificates, websockets, body sizes, closed metrics."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509

from convexctl.errors import UserError
from convexctl.preflight.check import Check, failed, ok, skipped
from convexctl.preflight.questions import Question
from convexctl.preflight.tls import refusal
from convexctl.project import PROGRAM
from convexctl.tools.convex_api import ConvexApi
from convexctl.verify.place import Place

LARGE_BYTES = 17 * 1024 * 1024
"""More than the largest body that the API itself takes in one call, and than the 1 MB of nginx's default."""
API_LARGE_BYTES = 15 * 1024 * 1024
"""What the public API still takes in one call."""
QUIET_S = 75
"""Longer than the minute after which most proxies give up."""
LATE_S = 60
"""After how long the backend answers a poll of its log where nothing is logged."""
_ANSWER_S = 15
_FEW_DAYS = 10
_SKEW_S = 30
_CA_REMEDY = "have it issued by an authority that browsers know, or name your own with --ca FILE"


def edge_questions(place: Place, *, slow: bool) -> Iterator[Question]:
    """The checks of names, certificates and the way through the edge."""
    for netloc, origin in place.origins().items():
        if place.forwarded:
            continue
        yield Question(f"dns {netloc}", _dns(netloc, origin))
        if origin.startswith("https"):
            yield Question(f"certificate {netloc}", _certificate(place, netloc, origin), (f"dns {netloc}",))
    cloud = urlsplit(place.cloud).netloc
    rests_on = (f"dns {cloud}", f"certificate {cloud}", "api")
    yield Question("websocket", lambda: _websocket(place, 0), rests_on)
    yield Question("slow connection", lambda: _slow(place, slow=slow), ("websocket",))
    yield Question("slow request", lambda: _late(place, slow=slow), rests_on)
    for netloc, origin in place.origins().items():
        yield Question(f"metrics {netloc}", _metrics(place, netloc, origin), (f"dns {netloc}", f"certificate {netloc}"))
    yield Question("clock", lambda: _clock(place), rests_on)
    # Last, because a port-forward ends for good when the backend closes a connection in the middle of a body.
    yield Question("large request", lambda: _large(place), rests_on)


def _dns(netloc: str, origin: str) -> Callable[[], Check]:
    parts = urlsplit(origin)

    def answer() -> Check:
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        except OSError:
            remedy = f"make the DNS record: `{PROGRAM} provision` prints it"
            return failed(f"dns {netloc}", f"no address is known here for {parts.hostname}", remedy)
        return ok(f"dns {netloc}", ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found)))

    return answer


def _certificate(place: Place, netloc: str, origin: str) -> Callable[[], Check]:
    name = f"certificate {netloc}"

    def answer() -> Check:
        host = urlsplit(origin).hostname or ""
        try:
            with _connection(place, origin) as connection:
                der = connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None
        except ssl.SSLError as error:
            return failed(name, *refusal(error, host, _CA_REMEDY))
        except OSError as error:
            return failed(name, f"{netloc} cannot be reached ({error.strerror or error})", "see firewall and edge")
        end = x509.load_der_x509_certificate(der or b"").not_valid_after_utc
        days = (end - datetime.now(UTC)).days
        if days < _FEW_DAYS:
            remedy = "see why it is not renewed: `kubectl describe certificate`"
            return failed(name, f"valid for {host}, but only until {end:%Y-%m-%d} ({days} days)", remedy)
        return ok(name, f"valid for {host} until {end:%Y-%m-%d} ({days} days)")

    return answer


def _connection(place: Place, origin: str) -> socket.socket:
    parts = urlsplit(origin)
    host = parts.hostname or ""
    plain = socket.create_connection((host, parts.port or (443 if parts.scheme == "https" else 80)), _ANSWER_S)
    if parts.scheme != "https":
        return plain
    try:
        return (place.trust or ssl.create_default_context()).wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


def _websocket(place: Place, hold_s: int) -> Check:
    """Ask for the handshake and, with `hold_s`, read what the server sends until that time is over."""
    name = "slow connection" if hold_s else "websocket"
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /api/sync HTTP/1.1\r\nHost: {urlsplit(place.cloud).netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    remedy = "let the edge pass websockets, and keep idle ones for at least 60 s"
    try:
        with _connection(place, place.cloud) as connection:
            connection.sendall(request.encode())
            status = connection.recv(4096).split(b"\r\n")[0].decode(errors="replace")
            if " 101" not in status:
                return failed(name, f"/api/sync answered {status or 'nothing'}, not 101", remedy)
            end = time.monotonic() + hold_s
            while (left := end - time.monotonic()) > 0:
                connection.settimeout(left)
                try:
                    if not connection.recv(4096):
                        return failed(name, f"closed after {hold_s - left:.0f} s", remedy)
                except TimeoutError:
                    break
    except OSError as error:
        return failed(name, f"/api/sync: {error.strerror or error}", remedy)
    return ok(name, f"open for {hold_s} s" if hold_s else "/api/sync answers 101")


def _slow(place: Place, *, slow: bool) -> Check:
    if not slow:
        return skipped("slow connection", f"takes {QUIET_S} s: ask for it with --slow")
    return _websocket(place, QUIET_S)


def _late(place: Place, *, slow: bool) -> Check:
    """Ask what the backend answers only after a minute: an edge that gives up by then cuts long actions too."""
    name = "slow request"
    if not slow:
        return skipped(name, f"takes {LATE_S} s: ask for it with --slow")
    if not place.key:
        return skipped(name, place.no_key)
    remedy = "let the edge wait 300 s for an answer (nginx: proxy-read-timeout), as long as the backend itself does"
    most, began = LATE_S + 30, time.monotonic()
    try:
        answer = place.admin.poll_log(most)
    except UserError as error:
        took = time.monotonic() - began
        if took >= most:
            return skipped(name, f"no answer within {most} s, and nobody cut it off")
        return failed(name, f"cut off after {took:.0f} s: {error}", remedy)
    took = time.monotonic() - began
    if answer.status in (408, 502, 503, 504):
        return failed(name, f"the edge gave up after {took:.0f} s, with {answer.status}", remedy)
    if answer.status != 200:
        return skipped(name, f"the backend answers {answer.status} to a poll of its log, which this check needs")
    if took < LATE_S - 1:
        return skipped(name, f"was answered after {took:.0f} s already")
    return ok(name, f"an answer that began after {took:.0f} s came through")


def _large(place: Place) -> Check:
    name, size = "large request", f"{LARGE_BYTES // 1024 // 1024} MiB"
    remedy = "raise the edge's limit of request bodies (nginx: proxy-body-size 0)"
    try:
        body = bytes(LARGE_BYTES)
        answer = place.api.send(
            "POST", "/echo", body, content_type="application/octet-stream", timeout_s=120, longest=LARGE_BYTES + 1
        )
    except UserError as error:
        if place.forwarded:
            return skipped(
                name, f"{size} did not come through the port-forward, which says nothing of an edge: {error}"
            )
        return failed(name, f"{size} were cut off: {error}", remedy)
    if answer.status == 413:
        return failed(name, f"{size} were refused with 413", remedy)
    if answer.status in (403, 404, 405):
        return _large_to_the_api(place, name, remedy)
    if answer.status != 200 or len(answer.body) != LARGE_BYTES:
        return failed(name, f"{size} came back as {len(answer.body)} bytes with status {answer.status}", remedy)
    return ok(name, f"{size} there and back")


def _large_to_the_api(place: Place, name: str, remedy: str) -> Check:
    """What an edge that passes only the API's paths lets through: the backend itself refuses a body of zeros."""
    size = f"{API_LARGE_BYTES // 1024 // 1024} MiB"
    try:
        status = place.api.send("POST", "/api/query", bytes(API_LARGE_BYTES), timeout_s=120).status
    except UserError as error:
        return failed(name, f"{size} were cut off: {error}", remedy)
    if status == 413 or status >= 500:
        return failed(name, f"{size} were refused with {status}", remedy)
    return ok(name, f"{size} came to /api/query, which answered {status}")


def _metrics(place: Place, netloc: str, origin: str) -> Callable[[], Check]:
    name = f"metrics {netloc}"

    def answer() -> Check:
        if place.forwarded:
            return skipped(name, "seen through a port-forward, not through the edge")
        try:
            found = ConvexApi(origin, trust=place.trust).send("GET", "/metrics", timeout_s=_ANSWER_S, longest=4096)
        except UserError as error:
            return skipped(name, str(error))
        if found.status == 200 and ("# TYPE" in found.text or "# HELP" in found.text):
            remedy = "keep /metrics from the outside: backend.metrics.enabled with our Ingress does"
            return failed(name, "everybody can read /metrics", remedy)
        return ok(name, f"closed: /metrics answers {found.status}, and no metrics")

    return answer


def _clock(place: Place) -> Check:
    from email.utils import parsedate_to_datetime

    headers = {key.lower(): value for key, value in place.api.send("GET", "/version").headers.items()}
    try:
        there = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return skipped("clock", "the answer has no date")
    skew = abs((datetime.now(UTC) - there).total_seconds())
    if skew > _SKEW_S:
        remedy = "set the clocks right (NTP): a node whose clock is behind cannot take the database's lease"
        return failed("clock", f"the clock there and the one here differ by {skew:.0f} s", remedy)
    return ok("clock", f"differs from the one here by {skew:.0f} s")
