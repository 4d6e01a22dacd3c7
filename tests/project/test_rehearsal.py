"""The overlay of the rehearsal in docs/upgrading.md, beside the production sample with backups."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from convexctl.synth.environment import synthesise_all
from tests.support.overlay_cases import ROOT, SAMPLES

BACKUP = "backup: {enabled: true, s3: {bucket: convex-production-backups}}\n"


def test_the_rehearsal_shares_nothing_with_production_but_the_bucket(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    (overlay,) = re.findall(r"^   ```yaml\n(   extends: production\n.*?)   ```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "rehearsal.yaml").write_text(textwrap.dedent(overlay))
    (tmp_path / "production.yaml").write_text((SAMPLES / "production.yaml").read_text(encoding="utf-8") + BACKUP)
    production, rehearsal = synthesise_all(tmp_path, ["production", "rehearsal"])
    assert {each["metadata"].get("namespace") for each in rehearsal.manifests} == {"convex-rehearsal"}
    assert not [each for each in rehearsal.manifests if each["kind"] == "Ingress"]
    text = str(rehearsal.manifests)
    for name in ("convex-postgres-secret", "convex-s3-credentials"):
        assert name in str(production.manifests)
        assert name not in text
    assert "convex-production-backups" in text
