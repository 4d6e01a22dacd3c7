"""TLS as the backend verifies it: always, against the well-known authorities and the CA of the overlay.

The backend's image carries Mozilla's authorities; so does `certifi`. Those of this machine do not count: a private CA
that is installed here is not in the pod.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from cryptography import x509

from convexctl.preflight.check import client

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_EXPIRED, _NOT_YET_VALID, _HOST_MISMATCH, _ADDRESS_MISMATCH = 10, 9, 62, 64
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)

CA_REMEDY = "give the overlay the CA certificate of the server (caSecret of the database)"
"""What to do where the server's authority is unknown."""


def authorities(ca_pem: str = "") -> str:
    """The certificates that the backend trusts, as PEM: the well-known ones and, if given, those of the overlay's CA.

    Raises ValueError if `ca_pem` is not empty and holds no certificate.
    """
    own = _CERTIFICATE.findall(ca_pem)
    if ca_pem and not own:
        raise ValueError("it holds no certificate (PEM, beginning with -----BEGIN CERTIFICATE-----)")
    return "\n".join([Path(client("certifi").where()).read_text(encoding="ascii"), *own]) + "\n"


def context(trusted_pem: str, *, check_host: bool = True, verify: bool = True) -> ssl.SSLContext:
    """A context that trusts `trusted_pem` and nothing else. Raises ValueError if OpenSSL cannot read it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = check_host and verify
    made.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    try:
        made.load_verify_locations(cadata=trusted_pem)
    except ssl.SSLError:
        raise ValueError("it holds a certificate that cannot be read") from None
    return made


def refusal(error: ssl.SSLError, host: str, ca_remedy: str = CA_REMEDY) -> tuple[str, str]:
    """What a failed handshake means, and its remedy: `ca_remedy` where the authority is unknown."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"the TLS handshake failed ({error.reason or 'no reason given'})", "see the server's log"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return (
            "the server's certificate comes from an unknown authority",
            ca_remedy,
        )
    if error.verify_code in (_HOST_MISMATCH, _ADDRESS_MISMATCH):
        return (
            f"the server's certificate is not for {host}",
            "use a host name that the certificate names (subject alternative names), or have it issued for this one",
        )
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return f"the server's certificate is not valid now ({error.verify_message})", "renew it, or set the clock right"
    return f"the server's certificate is not accepted ({error.verify_message})", "have it issued again"


def certificate_problem(der: bytes) -> tuple[str, str] | None:
    """What rustls, the backend's library, refuses in a server's certificate and OpenSSL does not, and the remedy."""
    certificate = x509.load_der_x509_certificate(der)
    if certificate.version is not x509.Version.v3:
        return (
            "the server's certificate is of X.509 version 1, which the backend refuses",
            "have it issued as version 3",
        )
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    if authority:
        return (
            "the server's certificate is one of an authority (CA:TRUE), which the backend refuses for a server",
            "have a server certificate issued by that authority, and give the overlay the authority's own as CA",
        )
    return None
