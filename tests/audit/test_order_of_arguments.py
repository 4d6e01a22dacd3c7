"""`audit` gives one answer in whatever order its inputs come, and says where two of them are one object."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from convexctl.audit import Report, audit
from convexctl.audit.formats import as_json, sarif, text
from convexctl.audit.reading import read
from tests.support.convex_manifests import Object, backend, claim_template, config_map, dashboard, ingress, mounted

FILES: dict[str, list[Object]] = {
    "convex.yaml": [
        backend({"INSTANCE_SECRET": None, "DO_NOT_REQUIRE_SSL": "false"}, container={"envFrom": [
            {"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "unseen"}},
        ]}),
        dashboard(),
    ],
    "settings.yaml": [config_map("settings", {"INSTANCE_NAME": "shop", "AWS_REGION": "eu"})],
    "again.yaml": [config_map("settings", {"INSTANCE_NAME": "blog"}), backend({"REDACT_LOGS_TO_CLIENT": "no"})],
    "second.yaml": [
        backend(name="second", spec={"volumeClaimTemplates": [claim_template()]}, container=mounted()),
        ingress({"api.example.com": [("/", "api", "api")]}),
    ],
}  # fmt: skip


def answer(files: list[Path]) -> Report:
    documents = read(map(str, files))
    return audit(documents.plain(), documents=documents)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, manifests in FILES.items():
        (tmp_path / name).write_text(yaml.safe_dump_all(manifests))
    return [tmp_path / name for name in FILES]


def test_every_order_gives_the_same_answer(files: list[Path]) -> None:
    first = answer(files)
    expected = [write(first) for write in (text, as_json, sarif)]
    for order in itertools.permutations(files):
        assert [write(answer(list(order))) for write in (text, as_json, sarif)] == expected, order


def test_two_documents_of_one_object_are_said_once_for_each_object(files: list[Path]) -> None:
    twice = [finding for finding in answer(files).findings if finding.rule.id == "object-twice"]
    assert sorted(finding.source.name for finding in twice) == ["convex", "settings"]


def test_what_is_found_in_each_of_two_documents_is_said(files: list[Path]) -> None:
    said = {finding.message for finding in answer(files).findings if finding.rule.id == "presence-false"}
    assert {message.split(" ")[0] for message in said} == {"DO_NOT_REQUIRE_SSL", "REDACT_LOGS_TO_CLIENT"}


def test_a_file_given_twice_is_one(files: list[Path]) -> None:
    first = files[:1]
    assert as_json(answer([*first, *first])) == as_json(answer(first))
