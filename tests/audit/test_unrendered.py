"""Inputs of other tools: `audit` says what they are, and how to get at the manifests."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from convexctl.audit.other_formats import of_file
from convexctl.audit.reading import read
from convexctl.project import PROGRAM
from tests.support.command_line import run

IMAGE = "ghcr.io/get-convex/convex-backend:x"
TEMPLATE = f"""\
apiVersion: template.openshift.io/v1
kind: Template
objects:
- kind: Pod
  spec: {{containers: [{{name: b, image: "{IMAGE}"}}]}}
"""
UNIT = f"# Convex\n[Unit]\nDescription=Convex\n[Container]\nImage={IMAGE}\n"
NOMAD = f'job "convex" {{ task "b" {{ config {{ image = "{IMAGE}" }} }} }}\n'
APPLICATION = "apiVersion: {group}/v1\nkind: Application\nmetadata: {{name: convex}}\nspec: {{}}\n"


@pytest.mark.parametrize(
    ("file", "text", "what", "how"),
    [
        ("t.yaml", TEMPLATE, "a Template of OpenShift", "oc process --local --filename=t.yaml"),
        ("t.yaml", TEMPLATE.replace("template.openshift.io/", ""), "a Template of OpenShift", "oc process"),
        ("main.tf", f'resource "a" "b" {{ image = "{IMAGE}" }}', "a file of Terraform", "audit --live -n NAMESPACE"),
        ("terragrunt.hcl", 'terraform { source = "./convex" }', "a file of Terraform", "helm template"),
        ("convex.nomad.hcl", NOMAD, "a job of Nomad", "no Kubernetes manifests"),
        ("skaffold.yaml", "apiVersion: skaffold/v4beta11\nkind: Config\n", "Skaffold", "skaffold render --filename=s"),
        ("convex.container", UNIT, "a unit of systemd", "podman kube generate"),
        ("convex.txt", UNIT, "a unit of systemd", "podman kube generate"),
        ("Pulumi.yaml", "name: convex\nruntime: nodejs\n", "a file of Pulumi", "renderYamlToDirectory"),
        ("Pulumi.prod.yaml", "config: {convex:tag: a}\n", "a file of Pulumi", "renderYamlToDirectory"),
        ("helmfile.yaml", "releases:\n- {name: a, chart: ./a}\n", "a helmfile", "helmfile --file helmfile.yaml"),
        ("play.yml", "- hosts: all\n  tasks: []\n", "a playbook of Ansible", "audit --live"),
        ("a.yaml", "kind: Pod\nmetadata: {name: #@ data.values.name\n}", "a template of ytt", "ytt --file a.yaml"),
        ("a.yaml", APPLICATION.format(group="argoproj.io"), "of Argo CD", "argocd app manifests"),
        ("a.yaml", APPLICATION.format(group="core.oam.dev"), "of KubeVela", "vela dry-run"),
        (
            "fly.production.toml",
            f'app = "convex"\n[build]\n  image = "{IMAGE}"\n',
            "a file for fly.io",
            "no Kubernetes",
        ),
        ("pyproject.toml", '[project]\nname = "convex"\n', "a file of TOML", "no manifests"),
        ("x.sh", f"docker run {IMAGE}\n", "holds no object of Kubernetes", ""),
    ],
)
def test_a_file_is_named_for_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, what: str, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).write_text(text)
    (line,) = read([file]).unrendered
    assert line.startswith(file)
    assert what in line
    assert how in line


def test_values_and_templates_lead_to_their_chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    templates = Path("charts/convex/templates/tests")
    templates.mkdir(parents=True)
    (templates / "x.yaml").write_text("{{ .Values.backend }}: a\n")
    Path("charts/convex/Chart.yaml").write_text("{apiVersion: v2, name: convex, version: 1.0.0}")
    Path("charts/convex/values.yaml").write_text("image: {tag: a}\n")
    (values,) = read(["charts/convex/values.yaml"]).unrendered
    assert f"helm template NAME charts/convex --values charts/convex/values.yaml | {PROGRAM} audit -" in values
    for named in (str(templates), str(templates / "x.yaml")):
        (template,) = read([named]).unrendered
        assert template.startswith("charts/convex: is a Helm chart")


def test_an_application_of_another_group_is_an_object_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(APPLICATION.format(group="app.k8s.io"))
    found = read([str(tmp_path / "a.yaml")])
    assert (len(found.located), found.unrendered) == (1, ())


def test_a_folder_names_what_it_has_about_convex_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tf", "b.tf"):
        Path(name).write_text(f'image = "{IMAGE}"\n')
    Path("pyproject.toml").write_text('[project]\nname = "convex"\n')
    Path("network.tf").write_text('resource "aws_vpc" "main" {}\n')
    (line,) = read(["."]).unrendered
    assert line.startswith("a.tf: is a file of Terraform")
    assert line.endswith("(1 more like it)")


def test_an_image_within_a_kind_that_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.yaml").write_text(
        f"apiVersion: work.open-cluster-management.io/v1\nkind: ManifestWork\nspec:\n  images: [{IMAGE}]\n"
    )
    done = run(capsys, "audit", "w.yaml")
    assert done.code == 1
    assert "w.yaml:4: a ManifestWork names an image of Convex, and audit does not read this kind" in done.stderr


@pytest.mark.parametrize(
    ("text", "what"), [(UNIT, "a unit of systemd"), ('resource "a" "b" {\n}\n', "a file of Terraform")]
)
def test_the_standard_input_is_named_too(monkeypatch: pytest.MonkeyPatch, text: str, what: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
    (line,) = read(["-"]).unrendered
    assert line.startswith(f"stdin: is {what}")


@pytest.mark.parametrize("word", ["\n", " ", "#\n", "\t\n", 'resource "', 'resource "a" {{', "[", ";", 'job "'])
def test_the_marks_of_a_format_are_looked_for_in_one_pass(word: str) -> None:
    began = time.process_time()
    of_file(Path("x.hcl"), word * 100_000)
    assert time.process_time() - began < 10
