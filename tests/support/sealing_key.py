"""The key pair of a Sealed Secrets controller, and kubeseal to open with the private key what was sealed with it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.control_plane import ASSETS


def kubeseal() -> Path:
    """kubeseal of `KUBEBUILDER_ASSETS`. Skips the test if there is none."""
    folder = os.environ.get(ASSETS)
    if not folder or not (Path(folder) / "kubeseal").is_file():
        pytest.skip(f"needs kubeseal in the folder that {ASSETS} names")
    return Path(folder) / "kubeseal"


class SealingKey:
    """A key pair as a controller makes it, in files below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._program = kubeseal()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sealed-secret")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        self.certificate, self._private = folder / "sealing.crt", folder / "sealing.key"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._private.touch(mode=0o600)
        self._private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )

    @property
    def programs(self) -> Path:
        """The folder of kubeseal, for `PATH`."""
        return self._program.parent

    def opens(self, sealed: Mapping[str, Any]) -> bool:
        """Whether the controller could open a SealedSecret, under the name and namespace that it has now."""
        return self._open(sealed).returncode == 0

    def secret(self, sealed: Mapping[str, Any]) -> dict[str, Any]:
        """The Secret that the controller would make of it."""
        done = self._open(sealed)
        assert done.returncode == 0, done.stderr
        made: dict[str, Any] = json.loads(done.stdout)
        return made

    def values(self, sealed: Mapping[str, Any]) -> dict[str, str]:
        """The values in it."""
        return {key: base64.b64decode(value).decode() for key, value in self.secret(sealed)["data"].items()}

    def _open(self, sealed: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        command = [str(self._program), "--recovery-unseal", f"--recovery-private-key={self._private}"]
        return subprocess.run(command, input=json.dumps(sealed), capture_output=True, text=True, check=False)
