"""Each parameter has a sentence in its model and a line in the table; those of later chapters are on a page too."""

from __future__ import annotations

import re

import pytest

from tests.support.overlay_cases import ROOT

TABLE = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
PAGES = "\n".join(
    page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md") if page.name != "parameters.md"
)
LATER = re.compile(
    r"(gateway|networkPolicy|podDisruptionBudget|monitoring|maintenance|backup|functions|patches|extraObjects|image)"
    r"(\..*)?|(backend|dashboard)\.(affinity|topologySpreadConstraints|hostAliases|initContainers|extra(Containers|"
    r"Volumes|VolumeMounts)|serviceAccount\..*|paused|tmp\.sizeLimit|env|envFrom|enabled)|service\..*(odePort|"
    r"loadBalancerClass)|ingress\.(dashboard|backend|site|certManager)\..*|(postgres|mysql)\.(host|port|keys\.(host|port|username|password))|"
    r"postgres\.cloudNativePG\..*"
)
ROWS = re.findall(r"^\| `([A-Za-z0-9.]+)` \| .* \| ([^|]*) \|$", TABLE, re.MULTILINE)


def test_there_are_rows_of_every_chapter() -> None:
    assert len([name for name, _ in ROWS if LATER.fullmatch(name)]) > 140


@pytest.mark.parametrize("what", ["a sentence", "a page"])
def test_every_parameter_has(what: str) -> None:
    if what == "a sentence":
        without = [name for name, meaning in ROWS if not meaning.strip().endswith((".", ")"))]
    else:
        later = [name for name, _ in ROWS if LATER.fullmatch(name)]
        without = [name for name in later if not re.search(rf"\b{name.rpartition('.')[2]}\b", PAGES)]
    assert without == []
