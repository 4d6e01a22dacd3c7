"""What every model of the values shares: camelCase keys, no unknown keys, no silent conversion."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from convex_k8s.problems import Problem
from convex_k8s.secrecy import random_looking, shown


class Model(BaseModel):
    """A part of the values. Its fields are the keys; the text under a field is the key's documentation."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_means_unset(cls, data: Any) -> Any:
        """Take `null` as Helm does: the key is not there. What has a meaning for null, or is no field, keeps it."""
        if not isinstance(data, dict):
            return data
        never_null, maps = _kinds_of_keys(cls)
        kept = {}
        for key, value in data.items():
            if value is None and key in never_null:
                continue
            is_map = key in maps and isinstance(value, dict)
            kept[key] = {name: item for name, item in value.items() if item is not None} if is_map else value
        return kept

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Nothing changes values: pydantic need not copy a default for each overlay."""
        return self


@functools.cache
def _kinds_of_keys(model: type[Model]) -> tuple[frozenset[str], frozenset[str]]:
    """The keys for which null has no meaning, and the keys of maps."""
    annotations = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    never_null = frozenset(key for key, of in annotations.items() if NoneType not in get_args(of))
    return never_null, frozenset(key for key, of in annotations.items() if get_origin(of) is dict)


def wrong(message: str) -> PydanticCustomError:
    """An error whose text reaches the user as it is, braces and all."""
    return PydanticCustomError("convex", "{text}", {"text": message})


def wrong_inside(problems: list[Problem]) -> PydanticCustomError:
    """Errors inside a value that is not a model; their paths begin at the value."""
    return PydanticCustomError("convex_inside", "{count} problems", {"count": len(problems), "all": problems})


@dataclass(frozen=True)
class TextLike:
    """Marks a string that `pattern` must match whole; `what` completes "must be ..."; an optional one may be empty.

    A `hidden` one, the place of a reference to a Secret, is never shown: somebody may have put the secret itself there.
    """

    pattern: str
    what: str
    longest: int | None = None
    optional: bool = False
    hidden: bool = False

    def check(self, value: str) -> str:
        """Return the value, or raise what is wrong with it."""
        if self.optional and not value:
            return value
        if not re.fullmatch(self.pattern, value):
            raise wrong(f"must be {self.what}{'' if self.hidden else shown(value)}")
        if self.hidden and random_looking(value):
            raise wrong(f"must be {self.what}. It looks like a credential, which belongs into a Secret (not shown)")
        if self.longest and len(value) > self.longest:
            raise wrong(f"must be {self.what}: it has {len(value)} characters, and {self.longest} are the most")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        longest = {"maxLength": self.longest} if self.longest else {}
        return {"type": "string", "pattern": f"^({'|' if self.optional else ''}{self.pattern})$", **longest}


@dataclass(frozen=True)
class OriginLike:
    """Marks an origin: scheme, host and port, and nothing after them but `path` where one is allowed."""

    what: str = "an origin"
    path: str = ""
    optional: bool = False

    def check(self, value: str) -> str:
        """Return the value, or raise what is wrong with it."""
        if self.optional and not value:
            return value
        match = re.match(r"(https?)://([^/?#]*)(.*)", value, re.DOTALL)
        if not match:
            raise wrong(f"must be {self.what}: http:// or https://, a host and perhaps a port{shown(value)}")
        scheme, host, rest = match.groups()
        if "@" in host:
            raise wrong(f"must have no user name or password in it: write {scheme}://, the host and perhaps a port")
        name, _, port = host.partition(":")
        if not re.fullmatch(HOST, name):
            raise wrong(f"must have a host name or IPv4 address after {scheme}://{shown(value)}")
        if ":" in host and not (port.isdigit() and 1 <= int(port) <= 65535):
            raise wrong(f"has a port that is not a number from 1 to 65535{shown(value)}")
        if rest == "/":
            raise wrong(f"must not end in a slash: write {scheme}://{host}")
        if rest not in ("", self.path):
            also = f", or that with {self.path} behind it" if self.path else ""
            raise wrong(f"must be {self.what} without a path: write {scheme}://{host}{also}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        pattern = ORIGIN + (f"({self.path})?" if self.path else "")
        return {"type": "string", "pattern": f"^({'|' if self.optional else ''}{pattern})$"}


LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
HOST = r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
ORIGIN = rf"https?://{HOST}(:[0-9]{{1,5}})?"
QUALIFIED = rf"((?=[^/]{{1,253}}/){SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
SECRET_KEY = r"(?!\.$|\.\.)[-._a-zA-Z0-9]+"
LARGEST = 2**31 - 1
"""The largest number that Kubernetes takes in most fields."""

ReleaseName = Annotated[
    str,
    TextLike(
        r"[a-z]([-a-z0-9]*[a-z0-9])?",
        "a name of lower-case letters, digits and dashes that begins with a letter, of at most 44 characters "
        "(a label made from it, <releaseName>-backend-<hash of ten>, may have 63)",
        longest=44,
    ),
]
ClusterName = Annotated[
    str, TextLike(r"[!-~]([ -~]*[!-~])?", "a name in one line of ASCII characters", longest=100, optional=True)
]
NamespaceName = Annotated[
    str, TextLike(LABEL, "a DNS label (lower-case letters, digits, dashes)", longest=63, optional=True)
]
ObjectName = Annotated[
    str,
    TextLike(
        SUBDOMAIN,
        "the name of an object (lower-case letters, digits, dashes, dots), not its content",
        longest=253,
        hidden=True,
    ),
]
OptionalObjectName = Annotated[
    str,
    TextLike(
        SUBDOMAIN,
        "the name of an object (lower-case letters, digits, dashes, dots), not its content",
        longest=253,
        optional=True,
        hidden=True,
    ),
]
OptionalHost = Annotated[
    str,
    TextLike(
        rf"(?![0-9.]+$){HOST}",
        "a host name like api.example.com, without scheme, port or path, and no IP address",
        longest=253,
        optional=True,
    ),
]
CertificateHost = Annotated[
    str,
    TextLike(
        rf"(\*\.)?{HOST}",
        "a host name like api.example.com or *.example.com, without scheme, port or path",
        longest=253,
    ),
]
SecretKey = Annotated[
    str,
    TextLike(SECRET_KEY, "the key inside the Secret (letters, digits, -, _ and .)", longest=253, hidden=True),
]
OptionalSecretKey = Annotated[
    str,
    TextLike(
        SECRET_KEY,
        "the key inside the Secret (letters, digits, -, _ and .)",
        longest=253,
        optional=True,
        hidden=True,
    ),
]
StorageClassName = Annotated[
    str,
    TextLike(
        rf"-|{SUBDOMAIN}",
        'the name of a StorageClass, "" for the cluster\'s default one or "-" for none',
        longest=253,
        optional=True,
    ),
]
EnvironmentName = Annotated[
    str,
    TextLike(
        r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable (letters, digits, _; at most 253)", longest=253
    ),
]
LabelKey = Annotated[str, TextLike(QUALIFIED, "a label key like team or example.com/team")]
LabelValue = Annotated[
    str,
    TextLike(
        r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?",
        "a label value (at most 63 letters, digits, -, _ and .)",
        longest=63,
        optional=True,
    ),
]
AnnotationKey = Annotated[str, TextLike(QUALIFIED, "an annotation key like example.com/owner")]

Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=LARGEST)]
Seconds = Annotated[int, Field(ge=1, le=LARGEST)]
UserId = Annotated[int, Field(ge=0, le=LARGEST)]


def _boolean_in_quotes(value: Any) -> Any:
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    return value


ChartBoolean = Annotated[
    bool,
    BeforeValidator(_boolean_in_quotes),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]}),
]
"""A boolean that the Helm chart writes as a string: `"false"` means false, and so does `false`."""
