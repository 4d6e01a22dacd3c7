"""Admin keys: they open here when the backend made them, and open elsewhere when we made them."""

from __future__ import annotations

import hashlib
import hmac
import re
import string
import struct
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from convexctl.errors import UserError
from convexctl.secrets.admin_key import AdminKey, AdminKeyError, make_admin_key, open_admin_key

# Sealed with aws-lc, the library that the backend uses.
SECRET = "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc"
SEALED = "01a0a1a2a3a4a5a6a7a8a9aaab39b7af65feaf606650d60695e846353918bee28e9079667e"
NONCE = bytes.fromhex("a0a1a2a3a4a5a6a7a8a9aaab")
ISSUED_S = 1_737_568_313
MESSAGE = bytes.fromhex("10b9e0c4bc061800")

OTHER_SECRET = "f" * 64

names = st.text(string.ascii_lowercase + string.digits + "-_", min_size=1, max_size=63)
secrets_ = st.binary(min_size=32, max_size=32).map(bytes.hex)


def aes(key: bytes, block: bytes) -> bytes:
    return Cipher(AES(key), ECB()).encryptor().update(block)  # noqa: S305  (the building block, on one block)


def polyval(key: bytes, data: bytes) -> bytes:
    polynomial = 1 << 128 | 1 << 127 | 1 << 126 | 1 << 121 | 1
    h, total = int.from_bytes(key, "little"), 0
    for start in range(0, len(data), 16):
        x, product = total ^ int.from_bytes(data[start : start + 16], "little"), 0
        for bit in range(128):
            if x >> bit & 1:
                product ^= h << bit
        for _ in range(128):
            product = (product ^ polynomial if product & 1 else product) >> 1
        total = product
    return total.to_bytes(16, "little")


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


class Rfc8452:
    """AES-128-GCM-SIV by the letter of RFC 8452, from nothing but the AES block cipher."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        derived = [aes(key, struct.pack("<I", counter) + nonce)[:8] for counter in range(4)]
        self.nonce, self.authentication_key, self.encryption_key = nonce, b"".join(derived[:2]), b"".join(derived[2:])

    def seal(self, plaintext: bytes, associated: bytes) -> bytes:
        tag = self.tag(plaintext, associated)
        return self.with_keystream(plaintext, tag) + tag

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        tag = sealed[-16:]
        plaintext = self.with_keystream(sealed[:-16], tag)
        assert self.tag(plaintext, associated) == tag, "the tag does not fit"
        return plaintext

    def tag(self, plaintext: bytes, associated: bytes) -> bytes:
        lengths = struct.pack("<QQ", len(associated) * 8, len(plaintext) * 8)
        digest = bytearray(polyval(self.authentication_key, padded(associated) + padded(plaintext) + lengths))
        digest[:12] = bytes(d ^ n for d, n in zip(digest, self.nonce, strict=False))
        digest[15] &= 0x7F
        return aes(self.encryption_key, bytes(digest))

    def with_keystream(self, data: bytes, tag: bytes) -> bytes:
        first, rest = int.from_bytes(tag[:4], "little"), tag[4:15] + bytes([tag[15] | 0x80])
        blocks = range(-(-len(data) // 16))
        stream = b"".join(aes(self.encryption_key, struct.pack("<I", (first + n) % 2**32) + rest) for n in blocks)
        return bytes(d ^ s for d, s in zip(data, stream, strict=False))


def derived_key(instance_secret: str) -> bytes:
    return hmac.new(bytes.fromhex(instance_secret), b"\0\0\0\1admin key", hashlib.sha256).digest()[:16]


def message_of(key: str, instance_secret: str) -> bytes:
    """Open a key without any code of ours, down to the protobuf message."""
    data = bytes.fromhex(key.split("|")[1])
    assert data[0] == 1
    return Rfc8452(derived_key(instance_secret), data[1:13]).open(data[13:], data[:1])


def key_of(message: str) -> str:
    """Seal a protobuf message (hex) without any code of ours."""
    sealed = Rfc8452(derived_key(SECRET), NONCE).seal(bytes.fromhex(message), b"\1")
    return f"convex|01{NONCE.hex()}{sealed.hex()}"


def test_the_independent_implementation_gives_the_answer_of_the_rfc() -> None:
    cipher = Rfc8452(b"\1" + bytes(15), b"\3" + bytes(11))
    sealed = bytes.fromhex("b5d839330ac7b786578782fff6013b815b287c22493a364c")
    assert cipher.seal(b"\1" + bytes(7), b"") == sealed
    assert cipher.open(sealed, b"") == b"\1" + bytes(7)


def test_a_key_sealed_by_the_backends_library_opens() -> None:
    opened = open_admin_key(f"convex|{SEALED}", "convex", SECRET)
    assert message_of(f"convex|{SEALED}", SECRET) == MESSAGE
    assert opened == AdminKey("convex", datetime.fromtimestamp(ISSUED_S, UTC), member_id=0, read_only=False)


def test_the_same_time_and_nonce_give_the_backends_own_bytes() -> None:
    assert make_admin_key("convex", SECRET, issued_s=ISSUED_S, nonce=NONCE) == f"convex|{SEALED}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({}, "10 b9 e0 c4 bc 06  18 00", id="the generic admin's member id is written out"),
        pytest.param({"member_id": 127}, "10 b9 e0 c4 bc 06  18 7f", id="the largest member in one byte"),
        pytest.param({"member_id": 128}, "10 b9 e0 c4 bc 06  18 80 01", id="the smallest in two"),
        pytest.param({"member_id": 300}, "10 b9 e0 c4 bc 06  18 ac 02", id="a member"),
        pytest.param({"read_only": True}, "10 b9 e0 c4 bc 06  18 00  28 01", id="read-only"),
        pytest.param({"issued_s": 0}, "18 00", id="zero seconds are left out"),
    ],
)
def test_what_is_sealed_is_the_protobuf_message_of_upstream(arguments: dict[str, int], message: str) -> None:
    key = make_admin_key("convex", SECRET, **{"issued_s": ISSUED_S, **arguments})  # type: ignore[arg-type]
    assert message_of(key, SECRET) == bytes.fromhex(message)


@given(
    name=names,
    instance_secret=secrets_,
    nonce=st.binary(min_size=12, max_size=12),
    issued_s=st.integers(0, 253_402_300_799),
    member_id=st.integers(0, 2**64 - 1),
    read_only=st.booleans(),
)
def test_what_goes_in_comes_out(
    *, name: str, instance_secret: str, nonce: bytes, issued_s: int, member_id: int, read_only: bool
) -> None:
    key = make_admin_key(
        name, instance_secret, member_id=member_id, read_only=read_only, issued_s=issued_s, nonce=nonce
    )
    issued = datetime.fromtimestamp(issued_s, UTC)
    assert open_admin_key(key, name, instance_secret) == AdminKey(name, issued, member_id, read_only)
    assert re.fullmatch(rf"{re.escape(name)}\|([0-9a-f]{{2}})+", key)


def test_two_keys_made_at_the_same_time_differ() -> None:
    assert make_admin_key("convex", SECRET, issued_s=1) != make_admin_key("convex", SECRET, issued_s=1)


def test_upper_case_hex_in_secret_and_key_is_the_same() -> None:
    assert open_admin_key(f"convex|{SEALED.upper()}", "convex", SECRET.upper()).member_id == 0


def test_a_system_key_of_the_backend_opens_and_has_no_member() -> None:
    opened = open_admin_key(key_of("1005 2200"), "convex", SECRET)
    assert opened == AdminKey("convex", datetime.fromtimestamp(5, UTC), member_id=None, read_only=False)


def altered(position: int) -> str:
    data = bytearray.fromhex(SEALED)
    data[position] ^= 1
    return f"convex|{data.hex()}"


@pytest.mark.parametrize(
    ("key", "name", "instance_secret", "message"),
    [
        pytest.param(SEALED, "convex", SECRET, "this is not an admin key", id="no name"),
        pytest.param(f'"convex|{SEALED}"', "convex", SECRET, "without quotes", id="quotes"),
        pytest.param(f"convex|{SEALED}\n", "convex", SECRET, "on one line", id="a new line at the end"),
        pytest.param(f"convex|{SEALED[:-1]}", "convex", SECRET, "this is not an admin key", id="half a byte"),
        pytest.param(f"convex|{SEALED[:40]}", "convex", SECRET, "too short", id="cut off"),
        pytest.param(f"other|{SEALED}", "convex", SECRET, "for the instance 'other'", id="another instance"),
        pytest.param(
            f"convex|{SEALED}", "convex", OTHER_SECRET, "not made with this instance secret", id="other secret"
        ),
        pytest.param(altered(-1), "convex", SECRET, "altered", id="altered tag"),
        pytest.param(altered(1), "convex", SECRET, "altered", id="altered nonce"),
        pytest.param(altered(14), "convex", SECRET, "altered", id="altered message"),
        pytest.param(altered(0), "convex", SECRET, "version 0", id="another version"),
        pytest.param(f"convex|{SEALED}", "convex", SECRET[:-2], "64 hex digits", id="short secret"),
    ],
)
def test_a_key_that_does_not_belong_is_refused(key: str, name: str, instance_secret: str, message: str) -> None:
    with pytest.raises(AdminKeyError, match=re.escape(message)) as refused:
        open_admin_key(key, name, instance_secret)
    assert isinstance(refused.value, UserError)
    assert SEALED[:32] not in str(refused.value)
    assert instance_secret[:32] not in str(refused.value)


@pytest.mark.parametrize(
    ("sealed_message", "message"),
    [
        pytest.param("10", "cannot be read", id="cut varint"),
        pytest.param("2205 00", "cannot be read", id="cut text"),
        pytest.param("13 00", "cannot be read", id="a group"),
        pytest.param("10 ffffffffffffffffff01 1800", "cannot be read", id="a time beyond every calendar"),
        pytest.param("1005", "nothing of whose it is", id="no identity"),
    ],
)
def test_a_message_of_another_form_is_said_to_be_so(sealed_message: str, message: str) -> None:
    with pytest.raises(AdminKeyError, match=message):
        open_admin_key(key_of(sealed_message), "convex", SECRET)


@pytest.mark.parametrize(
    ("name", "instance_secret", "arguments", "message"),
    [
        pytest.param("", SECRET, {}, "must not be empty", id="empty name"),
        pytest.param("a|b", SECRET, {}, "`|`", id="name with a bar"),
        pytest.param("a:b", SECRET, {}, "`:`", id="name with a colon"),
        pytest.param("convex\n", SECRET, {}, "white space", id="name with a new line"),
        pytest.param("convex", "x" * 64, {}, "64 hex digits", id="secret that is not hex"),
        pytest.param("convex", SECRET + "\n", {}, "64 hex digits", id="secret with a new line"),
        pytest.param("convex", SECRET, {"member_id": -1}, "the member id must be", id="negative member"),
        pytest.param("convex", SECRET, {"member_id": 2**64}, "the member id must be", id="member beyond 64 bits"),
        pytest.param("convex", SECRET, {"issued_s": -1}, "the time of issue must be", id="before 1970"),
        pytest.param("convex", SECRET, {"nonce": b"short"}, "12 bytes, not 5", id="short nonce"),
    ],
)
def test_what_makes_no_key_is_refused(
    name: str, instance_secret: str, arguments: dict[str, int | bytes], message: str
) -> None:
    with pytest.raises(AdminKeyError, match=re.escape(message)) as refused:
        make_admin_key(name, instance_secret, **arguments)  # type: ignore[arg-type]
    assert instance_secret not in str(refused.value)
