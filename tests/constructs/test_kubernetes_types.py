"""The table of Kubernetes' types is what its schemas say, and the typed structs have what the table says they have."""

from __future__ import annotations

import json

from convex_k8s.values.kubernetes import types as kubernetes_types

from tests.support import kubernetes_types as generator


def test_the_table_is_up_to_date() -> None:
    assert generator.FILE.read_text(encoding="utf-8") == generator.text(), "run `make kubernetes-types`"


def test_no_two_types_share_a_name() -> None:
    pairs = json.loads(generator.text(), object_pairs_hook=lambda pairs: pairs)
    names = [name for name, _ in dict(pairs)["types"]]
    assert len(names) == len(set(names))


def test_every_type_of_a_field_is_known() -> None:
    table = json.loads(generator.FILE.read_text(encoding="utf-8"))
    for name in table["types"]:
        for field in kubernetes_types.fields(name).values():
            assert field.type in table["types"] or field.type in kubernetes_types.PLAIN, (name, field)
