"""Checks of one value: a name, an address, a path, a number between two others."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from convex_k8s.secrecy import shown
from convex_k8s.values.base import LABEL, LARGEST, QUALIFIED, SECRET_KEY, SUBDOMAIN

Check = Callable[[Any], str]


def like(pattern: str, what: str, longest: int = 253) -> Check:
    """A text of this pattern, which `what` describes."""

    def fault(value: Any) -> str:
        if not isinstance(value, str) or not value:
            return ""
        if len(value) > longest:
            return f"must be {what}: it has {len(value)} characters, and {longest} are the most"
        return "" if re.fullmatch(pattern, value) else f"must be {what}{shown(value)}"

    return fault


def between(low: int, high: int, what: str = "") -> Check:
    """A number between two others."""

    def fault(value: Any) -> str:
        if not isinstance(value, int) or low <= value <= high:
            return ""
        return f"must be {what or f'from {low} to {high}'}{shown(value)}"

    return fault


def at_least(low: int) -> Check:
    """A number with a lower end only."""
    return between(low, 2**63, f"{low} or more")


def ip_fault(value: Any) -> str:
    """What is wrong with an IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return f"must be an IP address like 10.9.8.7{shown(value)}"
    return ""


def cidr_fault(value: Any) -> str:
    """What is wrong with a network."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"must be a network like 10.9.8.0/24{shown(value)}"
    return "" if "/" in str(value) else f"must be a network like 10.9.8.0/24{shown(value)}"


def source_range_fault(value: Any) -> str:
    """What is wrong with a network that callers come from."""
    fault = cidr_fault(value.strip())
    if not fault and str(network := ipaddress.ip_network(value.strip(), strict=False)) != value.strip():
        fault = f"must be a network without bits of a host: {network}{shown(value)}"
    return fault


def external_ip_fault(value: Any) -> str:
    """What is wrong with an address from outside of a Service."""
    if fault := ip_fault(value):
        return fault
    ip = ipaddress.ip_address(value)
    local = ip.is_unspecified or ip.is_loopback or ip.is_link_local
    if local or ip in ipaddress.ip_network("224.0.0.0/24") or ip in ipaddress.ip_network("ff02::/16"):
        return f"must be an address that packets come to from outside{shown(value)}"
    return ""


def windows_user_fault(value: Any) -> str:
    """What is wrong with a user name of Windows."""
    fits = re.fullmatch(r"([^\\]+\\)?[^\"/\\:;|=,+*?<>@\[\]]+", value)
    return "" if fits else f"must be a user of Windows like ContainerUser{shown(value)}"


def path_fault(value: Any) -> str:
    """What is wrong with a path inside a volume."""
    if not isinstance(value, str):
        return ""
    outside = value.startswith("/") or ".." in value.split("/") or value.startswith("..")
    return f"must be a path without / in front and without ..{shown(value)}" if outside else ""


def port_fault(value: Any) -> str:
    """What is wrong with the name or number of a port."""
    return PORT_NAME(value) if isinstance(value, str) else PORT(value)


def each(check: Check) -> Check:
    """A list of which each item passes the check."""

    def fault(value: Any) -> str:
        faults = ("has an empty item" if item == "" else check(item) for item in value)
        return next(filter(None, faults), "")

    return fault


def labels_fault(value: Any) -> str:
    """What is wrong with labels."""
    if not isinstance(value, dict):
        return ""
    return next((fault for key, item in value.items() if (fault := LABEL_KEY(key) or LABEL_VALUE(item))), "")


def annotations_fault(value: Any) -> str:
    """What is wrong with annotations."""
    keys = value if isinstance(value, dict) else {}
    return next(filter(None, (ANNOTATION_KEY(str(key).lower()) for key in keys)), "")


def cluster_ip_fault(value: Any) -> str:
    """What is wrong with the address of a Service."""
    return "" if value in ("", "None") else ip_fault(value)


def base64_fault(value: Any) -> str:
    """What is wrong with binary data, by key."""
    for key, text in value.items():
        try:
            base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
        except ValueError:
            return f"must be base64 under {key}: text belongs under data"
    return ""


def amounts_fault(value: Any) -> str:
    """What is wrong with amounts of resources."""
    below = [name for name, amount in value.items() if str(amount).startswith("-")]
    return f"must be 0 or more, for {below[0]}" if below else ""


def pods_fault(value: Any) -> str:
    """What is wrong with a number of pods, or a percentage."""
    fits = value >= 0 if isinstance(value, int) else re.fullmatch("[0-9]{1,9}%", value)
    return "" if fits else f"must be a number of pods, or a percentage like 50%{shown(value)}"


def share_fault(value: Any) -> str:
    """What is wrong with a number of pods out of all."""
    fault = pods_fault(value)
    above = isinstance(value, str) and not fault and int(value[:-1]) > 100
    return f"must be 100% at most{shown(value)}" if above else fault


def data_keys_fault(value: Any) -> str:
    """What is wrong with the keys of a ConfigMap."""
    return next(filter(None, map(DATA_KEY, value)), "") if isinstance(value, dict) else ""


def binary_data_fault(value: Any) -> str:
    """What is wrong with keys and values of binary data."""
    return data_keys_fault(value) or base64_fault(value)


def iscsi_name_fault(value: Any) -> str:
    """The name of an iSCSI target or initiator, which begins with the kind of name that it is."""
    fits = re.fullmatch(
        r"iqn\.\d{4}-\d{2}\.[A-Za-z0-9.-]+:[^,;*&$|\s]+|eui\.[A-Za-z0-9]{16}|naa\.[A-Za-z0-9]{32}", value
    )
    return "" if fits else f"must be an iSCSI name like iqn.2001-04.com.example:disk1{shown(value)}"


LABEL_KEY = like(QUALIFIED, "a label key like team or example.com/team", 317)
LABEL_VALUE = like(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", "a label value (letters, digits, -, _ and .)", 63)
DATA_KEY = like(SECRET_KEY, "a key of letters, digits, -, _ and .")
DNS_LABEL = like(LABEL, "a DNS label (lower-case letters, digits, dashes)", 63)
DNS_NAME = like(SUBDOMAIN, "a DNS name (lower-case letters, digits, dashes, dots)")
PORT = between(1, 65535)
PORT_NAME = like(
    r"(?!.*--)(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    "the name of a port (lower-case letters, digits, single dashes, and a letter among them)",
    15,
)
ENVIRONMENT_NAME = like(
    r"[-._A-Za-z][-._A-Za-z0-9]*", "the name of a variable (letters, digits, _, no digit in front)", 4096
)
ANNOTATION_KEY = like(QUALIFIED, "an annotation key like example.com/owner", 317)
SEGMENT = like(r"(?!\.\.?$)[^/%]+", "a name without / and %")
PROVISIONER = like(QUALIFIED, "a provisioner like ebs.csi.aws.com", 317)
MODE = between(0, 0o777, "a mode from 0 to 511, which is 0777 in octal")
ID = between(0, LARGEST)
WILDCARD = like(rf"(?![0-9.]+$)(\*\.)?{SUBDOMAIN}", "a host name like api.example.com or *.example.com")
