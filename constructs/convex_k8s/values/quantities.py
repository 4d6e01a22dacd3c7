"""Kubernetes quantities: amounts of bytes and of CPU."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from convex_k8s.secrecy import shown
from convex_k8s.values.base import wrong

QUANTITY = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2}|[numkMGTPE]|[KMGTPE]i)?"


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


_quantity_schema = WithJsonSchema(
    {"anyOf": [{"type": "string", "pattern": f"^{QUANTITY}$"}, {"type": "number", "minimum": 0}]}
)


def _quantity(value: str) -> str:
    if not re.fullmatch(QUANTITY, value):
        raise wrong(f"must be a Kubernetes quantity like 500m, 2 or 5Gi{shown(value)}")
    return value


def amount(quantity: str) -> Decimal:
    """The number of a valid quantity: `500m` is 0.5, `2Ki` is 2048."""
    if quantity.endswith("i"):
        return Decimal(quantity[:-2]) * Decimal(1024 ** (1 + "KMGTPE".index(quantity[-2])))
    powers = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
    if quantity[-1] in powers:
        return Decimal(f"{quantity[:-1]}e{powers[quantity[-1]]}")
    return Decimal(quantity)


def number(quantity: Any) -> Decimal | None:
    """The number of a quantity as Kubernetes takes it; None if it is none."""
    text = str(quantity)
    return amount(text.lstrip("+")) if re.fullmatch(rf"\+?{QUANTITY}", text) else None


Quantity = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_quantity), _quantity_schema]
_FEWEST_BYTES = 2**20
_MOST_CORES = 100


def _bytes(value: str) -> str:
    """Refuse an amount of bytes that lost its suffix."""
    if value.endswith("m") and amount(value) < _FEWEST_BYTES:
        raise wrong(f"is {amount(value):f} bytes, because m means a thousandth: write {value[:-1]}Mi")
    if 0 < amount(value) < _FEWEST_BYTES:
        number = re.match(r"[0-9.]+", value)
        unit = "Gi" if amount(value) < 64 else "Mi"
        meant = f"{number[0]}{unit}" if number and value == number[0] else "5Gi"
        raise wrong(f"is {amount(value):f} bytes, which is too little for anything: write {meant}")
    return value


def _cores(value: str) -> str:
    """Refuse an amount of CPU that lost its suffix, or has one of memory."""
    if value[-1] in "iMGTPE":
        raise wrong(f"is {amount(value):f} cores, because {value.lstrip('0123456789.')} counts bytes: write 500m or 2")
    if value[-1].isdigit() and amount(value) >= _MOST_CORES:
        cores = f"{amount(value):f}"
        many = amount(value) / 1000
        meant = f"{many:f} of a core" if many < 1 else f"{many:f} core{'' if many == 1 else 's'}"
        raise wrong(f"is {cores} cores: write {cores}m for {meant}")
    return value


Bytes = Annotated[Quantity, AfterValidator(_bytes)]
Cores = Annotated[Quantity, AfterValidator(_cores)]
