"""Admin keys, made and opened without a running backend.

An admin key is a function of the instance name, the instance secret, a time and a nonce. It lets its bearer do
everything with an instance (or, when read-only, read everything), so the text of one is as secret as the secret itself.
The format is upstream's: `<instance name>|<hex>`, the hex part being a version byte, a nonce, and a small protobuf
message under AES-128-GCM-SIV, whose key is derived from the instance secret.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from convexctl.errors import UserError

GENERIC_ADMIN = 0
"""The member id of nobody in particular, which upstream's own tools put into a self-hosted key."""

_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_PURPOSE = b"admin key"
_ISSUED, _MEMBER, _SYSTEM, _READ_ONLY = 2, 3, 4, 5
_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_LARGEST_MEMBER_ID = 2**64 - 1
_LATEST_ISSUED_S = 253_402_300_799
"""The last second of the year 9999: what `datetime` can say."""


class AdminKeyError(UserError):
    """A key cannot be made, or does not belong to this instance. The message holds neither key nor secret."""


@dataclass(frozen=True)
class AdminKey:
    """What an admin key says about itself."""

    instance_name: str
    """The instance it was made for."""
    issued: datetime
    """When it was made (UTC, whole seconds). Keys do not expire."""
    member_id: int | None
    """Whose key it is; 0 (`GENERIC_ADMIN`) is nobody in particular, None is the system itself."""
    read_only: bool
    """Whether it can only read."""


def make_admin_key(
    instance_name: str,
    instance_secret: str,
    *,
    member_id: int = GENERIC_ADMIN,
    read_only: bool = False,
    issued_s: int | None = None,
    nonce: bytes | None = None,
) -> str:
    """Make an admin key for an instance.

    `instance_secret` is 64 hex digits. `issued_s` (seconds since the epoch; default: now) and `nonce` (12 bytes;
    default: random) are there for tests. Raises AdminKeyError if name, secret, member id or time make no key.
    """
    _check_instance_name(instance_name)
    issued_s = int(time.time()) if issued_s is None else issued_s
    nonce = secrets.token_bytes(_NONCE_BYTES) if nonce is None else nonce
    if not 0 <= member_id <= _LARGEST_MEMBER_ID:
        raise AdminKeyError(f"the member id must be between 0 and 2^64 - 1, not {member_id}")
    if not 0 <= issued_s <= _LATEST_ISSUED_S:
        raise AdminKeyError(f"the time of issue must be between 0 and {_LATEST_ISSUED_S} seconds, not {issued_s}")
    if len(nonce) != _NONCE_BYTES:
        raise AdminKeyError(f"the nonce must have {_NONCE_BYTES} bytes, not {len(nonce)}")
    # A proto3 encoder leaves zero out, except for the member id, which is one of a oneof.
    message = _field(_ISSUED, issued_s) if issued_s else b""
    message += _field(_MEMBER, member_id)
    message += _field(_READ_ONLY, 1) if read_only else b""
    sealed = _cipher(instance_secret).encrypt(nonce, message, _VERSION)
    return f"{instance_name}|{(_VERSION + nonce + sealed).hex()}"


def open_admin_key(key: str, instance_name: str, instance_secret: str) -> AdminKey:
    """Open an admin key of this instance and say what it holds.

    Raises AdminKeyError if `key` is not an admin key, was made for another instance name or with another secret, or
    was altered.
    """
    name, separator, hexadecimal = key.partition("|")
    if not separator or not re.fullmatch(r"([0-9a-fA-F]{2})+", hexadecimal):
        raise AdminKeyError(
            "this is not an admin key: one reads <instance name>|<hex digits>, on one line, without quotes"
        )
    if name != instance_name:
        raise AdminKeyError(f"the admin key is for the instance {name!r}, and this one is {instance_name!r}")
    data = bytes.fromhex(hexadecimal)
    if len(data) < len(_VERSION) + _NONCE_BYTES + _TAG_BYTES:
        raise AdminKeyError("the admin key is too short: a part of it is missing")
    if data[:1] != _VERSION:
        raise AdminKeyError(
            f"the admin key has version {data[0]}, and only version 1 is known "
            "(keys made before July 2025 have another form): make a new one"
        )
    nonce, sealed = data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
    try:
        message = _cipher(instance_secret).decrypt(nonce, sealed, _VERSION)
    except InvalidTag:
        raise AdminKeyError(
            "the admin key was not made with this instance secret (or was altered on the way): "
            "the backend would refuse it; make a new one"
        ) from None
    return _read(name, message)


def _cipher(instance_secret: str) -> AESGCMSIV:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", instance_secret):
        raise AdminKeyError("the instance secret must be 64 hex digits (32 bytes): `openssl rand -hex 32` makes one")
    key = KBKDFHMAC(
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=16,
        rlen=4,
        llen=None,
        location=CounterLocation.BeforeFixed,
        label=None,
        context=None,
        fixed=_PURPOSE,
    ).derive(bytes.fromhex(instance_secret))
    return AESGCMSIV(key)


def _check_instance_name(name: str) -> None:
    if not name or re.search(r"[:|\s]", name):
        raise AdminKeyError("the instance name must not be empty and has no `:`, `|` or white space in it")


def _field(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read(name: str, message: bytes) -> AdminKey:
    try:
        fields = _fields(message)
        issued = datetime.fromtimestamp(fields.get(_ISSUED, 0), UTC)
    except (IndexError, ValueError, OverflowError, OSError):
        raise AdminKeyError("the admin key opens, but what is in it cannot be read: a newer form?") from None
    if _MEMBER not in fields and _SYSTEM not in fields:
        raise AdminKeyError("the admin key opens, but says nothing of whose it is: a newer form?")
    return AdminKey(
        instance_name=name,
        issued=issued,
        member_id=fields.get(_MEMBER),
        read_only=bool(fields.get(_READ_ONLY, 0)),
    )


def _fields(message: bytes) -> dict[int, int]:
    """Read a protobuf message: numbers by field, and the length of what is not a number."""
    fields: dict[int, int] = {}
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while position < len(message):
        tag = varint()
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            fields[number] = varint()
            continue
        widths = {_FIXED64: 8, _FIXED32: 4}
        if kind not in (*widths, _LENGTH_DELIMITED):
            raise ValueError(kind)
        width = widths[kind] if kind in widths else varint()
        position += width
        if position > len(message):
            raise IndexError
        fields[number] = width
    return fields
