"""What `synth` says about its own manifests: the errors and warnings of the audit on valid, unusual overlays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from convex_k8s.values.audit import Audit

from convexctl.audit import Severity, audit
from convexctl.synth import self_audit
from convexctl.synth.environment import synthesise, synthesise_all
from tests.support.command_line import run
from tests.support.overlay_cases import CASES, SAMPLES, Case, overlay_of

POSTGRES = "postgres: {enabled: true, maxConnections: 64}\n"


def told(folder: Path, *overlays: str) -> list[str]:
    """The warnings on overlays that are called a, b and so on, without their folder."""
    for name, text in zip("abc", overlays, strict=False):
        (folder / f"{name}.yaml").write_text(text)
    lines = [line for each in synthesise_all(folder) for line in self_audit.told(each, folder).warnings]
    return [line.removeprefix(f"{folder}/") for line in lines]


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        pytest.param(
            POSTGRES + "backend: {resources: {requests: {memory: 1Mi}, limits: {memory: 1Mi}}}\n",
            "a.yaml: StatefulSet/convex-backend: Little memory for the backend: the memory limit is 1Mi "
            "[audit: memory-limit-low]; see backend.resources.limits.memory (4Gi by default)",
            id="a limit with the wrong unit",
        ),
        pytest.param(
            "postgres: {enabled: true}\n",
            "a.yaml: StatefulSet/convex-backend: More connections than a stock server grants: up to 128 connections, "
            "and a stock server grants 97 [audit: database-pool-too-large]; "
            "see postgres.maxConnections, mysql.maxConnections",
            id="a pool that a stock server refuses",
        ),
        pytest.param(
            POSTGRES + "backend: {terminationGracePeriodSeconds: 1}\n",
            "a.yaml: StatefulSet/convex-backend: Too little time to stop: the grace period is 1 s "
            "[audit: short-grace]; see backend.terminationGracePeriodSeconds",
            id="a stop that is a kill",
        ),
    ],
)
def test_an_unusual_overlay_is_told_with_the_parameter(tmp_path: Path, overlay: str, message: str) -> None:
    assert told(tmp_path, overlay) == [message]


def test_a_tag_of_which_the_overlays_warnings_say_nothing_is_told(tmp_path: Path) -> None:
    images = "backend: {image: {tag: abc}}\ndashboard: {image: {tag: abc}}\n"
    assert [line.partition(" [audit: ")[0] for line in told(tmp_path, POSTGRES + images)] == [
        "a.yaml: StatefulSet/convex-backend: A tag that upstream never had: the tag is abc",
        "a.yaml: Deployment/convex-dashboard: A tag that upstream never had: the tag is abc",
    ]


@pytest.mark.parametrize(
    "overlay",
    [
        pytest.param("backend: {env: {ACTIONS_USER_TIMEOUT_SECS: 60}}\n", id="a dead variable"),
        pytest.param("backend: {env: {APPLICATION_MAX_CONCURENT_QUERIES: 8}}\n", id="a misspelt variable"),
        pytest.param(
            "convexConfig: {cloudOrigin: 'http://localhost:8000', siteOrigin: 'http://localhost:8001', "
            "deploymentUrl: 'http://localhost:8000'}\n",
            id="local origins",
        ),
        pytest.param("backend: {image: {tag: 1.2.3}}\ndashboard: {image: {tag: 1.2.3}}\n", id="a version as a tag"),
    ],
)
def test_what_the_overlays_warnings_say_is_not_told_again(tmp_path: Path, overlay: str) -> None:
    assert overlay_of(POSTGRES + overlay).warnings
    assert told(tmp_path, POSTGRES + overlay) == []


def test_a_variable_of_which_they_say_nothing_is_told(tmp_path: Path) -> None:
    overlay = "backend: {env: {CONVEX_URL: 'https://api.example.com', ACTIONS_USER_TIMEOUT_SECS: 60}}\n"
    (line,) = told(tmp_path, POSTGRES + overlay)
    assert "CONVEX_URL is not read" in line


def test_a_url_that_only_the_cluster_knows_is_told(
    tmp_path: Path,
) -> None:
    lines = told(tmp_path, POSTGRES + "convexConfig: {deploymentUrl: 'http://convex-backend:3210'}\n")
    assert any("NEXT_PUBLIC_DEPLOYMENT_URL is http://convex-backend:3210 [audit: cluster-only-url]" in x for x in lines)


def test_the_samples_are_above_reproach() -> None:
    environments = [case.environment() for case in CASES if case.folder == SAMPLES]
    assert len(environments) == 2
    assert [self_audit.told(environment, SAMPLES).warnings for environment in environments] == [[], []]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_finding_is_told_once(case: Case) -> None:
    """Either the overlay's own warnings tell it, which know the line, or the audit's do."""
    (environment,) = synthesise_all(case.folder, [case.stem])
    parameters = {
        "data-lost-with-pod": ("persistence.enabled: is false", "persistence.allowEphemeralData"),
        "instance-secret-unstable": ("instance.existingSecret: is empty",),
        "tag-latest": ("image.tag: is latest",),
        "tag-skew": ("dashboard.image.tag: is ",),
        "tag-unknown": ("image.tag: looks like",),
    }
    audited = "\n".join(self_audit.told(environment, case.folder).warnings)
    for finding in audit(environment.manifests).findings:
        if finding.severity is Severity.INFORMATION or finding.accepted:
            assert f"{finding.message} [audit: {finding.rule.id}]" not in audited
            continue
        by_values = parameters.get(finding.rule.id, ())
        said = any(text in warning for text in by_values for warning in environment.overlay.warnings)
        assert said != (f"{finding.message} [audit: {finding.rule.id}]" in audited), finding.rule.id


def test_the_warnings_stand_in_the_output_of_synth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("overlays").mkdir()
    Path("overlays", "one.yaml").write_text(POSTGRES + "backend: {terminationGracePeriodSeconds: 1}\n")
    done = run(capsys, "synth", "--overlays", "overlays", "-o", "out", "--quiet")
    assert done.code == 0
    assert "warning: overlays/one.yaml: StatefulSet/convex-backend: Too little time to stop: " in done.stderr


LITTLE = POSTGRES + "backend: {resources: {requests: {memory: 1Mi}, limits: {memory: 1Mi}}}\n"


def test_a_finding_that_the_overlay_accepts_is_shown_as_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("overlays").mkdir()
    Path("overlays", "one.yaml").write_text(LITTLE + "audit: {ignore: {memory-limit-low: a test cluster}}\n")
    said = (
        "accepted: overlays/one.yaml: StatefulSet/convex-backend: Little memory for the backend: the memory limit is "
        "1Mi [audit: memory-limit-low]: a test cluster\n"
    )
    for _ in ("the first run", "a run that finds nothing to do"):
        done = run(capsys, "synth", "--overlays", "overlays", "-o", "out")
        assert (done.code, "warning: " in done.stderr, said in done.stderr) == (0, False, True)
    assert "[memory-limit-low] StatefulSet/convex-backend" in run(capsys, "audit", "out").stdout.split("Accepted")[1]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_overlay_can_accept_whatever_the_audit_finds(case: Case) -> None:
    """Whatever object a finding is about. The overlay's own warnings about the same are accepted with it."""
    values = case.overlay().values
    found = {finding.rule.id: "a reason" for finding in audit(case.environment().manifests).findings}
    accepting = replace(case.overlay(), values=values.model_copy(update={"audit": Audit(ignore=found)}))
    environment = synthesise(accepting)
    assert [finding.rule.id for finding in audit(environment.manifests).findings if not finding.accepted] == []
    assert {warning.rule for warning in accepting.values.warnings} & found.keys() == set()


def test_what_an_overlay_accepts_in_vain_is_told_unless_it_is_inherited(tmp_path: Path) -> None:
    (tmp_path / "_base.yaml").write_text(POSTGRES + "audit: {ignore: {tag-latest: inherited}}\n")
    (line,) = told(tmp_path, "extends: _base\naudit:\n  ignore:\n    short-grace: own\n")
    assert line == "a.yaml:4: audit.ignore.short-grace: the audit does not find this here: remove it"


def test_an_annotation_of_the_overlays_own_that_names_no_rule_is_told(tmp_path: Path) -> None:
    lines = told(tmp_path, POSTGRES + "commonAnnotations: {convex-k8s.audit/ignore.no-such-rule: x}\n")
    assert lines
    assert all("names no rule of the audit" in line for line in lines)
