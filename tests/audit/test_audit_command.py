"""`main.py audit`: manifests in, decisions and findings out, with places, in three formats."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from convexctl.audit import RULES
from convexctl.audit.documentation import markdown
from convexctl.behaviour import Source
from convexctl.behaviour.source import Item
from tests.support.command_line import Done, run
from tests.support.control_plane import missing_programs
from tests.support.convex_manifests import INSTANCE_SECRET, backend, claim_template, config_map, dashboard, mounted
from tests.support.deployment import write_files
from tests.support.helm_chart import CHART, EXAMPLE_VALUES, PORT_FORWARD_VALUES
from tests.support.kubectl_stub import KubectlStub
from tests.support.overlay_cases import case

ROOT = Path(__file__).resolve().parents[2]
RENDERED = ROOT / "tests" / "data" / "helm-rendered"

CLEAN = textwrap.dedent("""\
    apiVersion: apps/v1
    kind: StatefulSet
    metadata:
      name: convex
    spec:
      template:
        spec:
          containers:
            - name: backend
              image: ghcr.io/get-convex/convex-backend:652b828b5129e6cdbcaa3c20efa8d116d09ff3bf
              env:
                - name: AWS_S3_FORCE_PATH_STYLE
                  value: "no"
    """)


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run_audit(*arguments: str) -> Done:
        return run(capsys, "audit", *arguments)

    return run_audit


def findings(done: Done) -> list[tuple[str, str, int | None]]:
    """Severity, rule and line of every finding of a JSON report."""
    return [(each["severity"], each["rule"], each["line"]) for each in json.loads(done.stdout)["findings"]]


def give(monkeypatch: pytest.MonkeyPatch, standard_input: bytes) -> None:
    """Put bytes on the standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(standard_input), encoding="utf-8"))


def in_schema(schema: Mapping[str, Any], node: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Whether a parameter is described; `*` is any one below, and a map of the user's own takes every name."""
    if "$ref" in node:
        return in_schema(schema, schema["definitions"][node["$ref"].rsplit("/", 1)[-1]], path)
    if not path:
        return True
    choices = [*node.get("allOf", []), *node.get("anyOf", [])]
    properties = node.get("properties", {})
    if path[0] == "*":
        return bool(properties) or any(in_schema(schema, choice, path) for choice in choices)
    if path[0] in properties:
        return in_schema(schema, properties[path[0]], path[1:])
    if node.get("additionalProperties") not in (None, False):
        return True
    return any(in_schema(schema, choice, path) for choice in choices)


def place_of(done: Done, rule: str) -> tuple[str, int]:
    (found,) = [each for each in json.loads(done.stdout)["findings"] if each["rule"] == rule]
    return found["file"], found["line"]


class TestTheHelmChart:
    """Rendered by `helm template` from a chart of the same shape as the one that users come from."""

    def test_with_its_example_values(self, audit: Any) -> None:
        done = audit(str(RENDERED / "example.yaml"), "--format=json")
        assert [found for found in findings(done) if found[0] != "information"] == [
            ("error", "presence-false", 11),
            ("error", "endpoint-nonsense", 12),
            ("error", "site-on-dashboard", 9),
            ("warning", "database-pool-too-large", 128),
            ("warning", "no-clean-stop", 114),
            ("warning", "probe-missing", 114),
            ("warning", "tag-latest", 115),
            ("warning", "tag-latest", 82),
            ("warning", "metrics-public", 209),
            ("warning", "nginx-body-size-small", 181),
            ("warning", "nginx-timeout-short", 181),
        ]

    def test_with_a_volume_and_no_database(self, audit: Any) -> None:
        done = audit(str(RENDERED / "port-forward.yaml"), "--format=json")
        assert [found for found in findings(done) if found[0] != "information"] == [
            ("error", "endpoint-nonsense", 12),
            ("error", "data-lost-with-pod", 127),
            ("error", "claim-not-mounted", 16),
            ("warning", "instance-secret-unstable", 127),
            ("warning", "no-clean-stop", 127),
            ("warning", "probe-missing", 127),
        ]
        assert ("information", "presence-false", 11) in findings(done)


@pytest.mark.skipif(bool(missing_programs("helm")), reason=missing_programs("helm"))
@pytest.mark.parametrize(
    ("name", "values"),
    [("example", EXAMPLE_VALUES), ("port-forward", PORT_FORWARD_VALUES)],
    ids=["example", "port-forward"],
)
def test_the_rendered_chart_is_what_helm_makes_of_it(tmp_path: Path, name: str, values: Path) -> None:
    helm = shutil.which("helm", path=f"{os.environ['KUBEBUILDER_ASSETS']}:{os.environ['PATH']}")
    assert helm
    command = [helm, "template", "convex", str(CHART), "--values", str(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)})
    assert list(yaml.safe_load_all(done.stdout)) == list(yaml.safe_load_all((RENDERED / f"{name}.yaml").read_text()))


@pytest.mark.parametrize("sample", ["local", "production"])
def test_our_own_samples_have_no_finding_above_information(audit: Any, tmp_path: Path, sample: str) -> None:
    folder = write_files(case(sample).environment(), tmp_path / "dist")
    done = audit(str(folder), "--format=json", "--fail-on=warning")
    assert done.code == 0, done.stdout
    assert {severity for severity, _, _ in findings(done)} <= {"information"}


class TestReading:
    def test_a_file(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "convex.yaml").write_text(CLEAN)
        assert place_of(audit("convex.yaml", "--format=json"), "boolean-unparsed") == ("convex.yaml", 12)

    def test_standard_input(self, audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        give(monkeypatch, f"# a comment\n---\n{CLEAN}".encode())
        assert place_of(audit("-", "--format=json"), "boolean-unparsed") == ("stdin", 14)

    def test_standard_input_that_is_no_text(self, audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        give(monkeypatch, CLEAN.encode() + b"# \xff\xfe\n")
        done = audit("-")
        assert (done.code, done.stderr) == (1, "stdin: is not text in UTF-8\n")

    def test_a_namespace_in_a_file_without_ending_is_no_part_of_a_folder(self, audit: Any, tmp_path: Path) -> None:
        folder = tmp_path / "dist"
        folder.mkdir()
        template = {"volumeClaimTemplates": [claim_template()]}
        convex = backend(spec=template, container=mounted(), namespace="shop")
        (folder / "convex.k8s.yaml").write_text(json.dumps(convex))
        namespace = folder / "Namespace"
        namespace.write_text("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n")
        rules = [{rule for _, rule, _ in findings(audit(str(folder), "--format=json"))}]
        namespace.rename(folder / "namespace.yaml")
        rules.append({rule for _, rule, _ in findings(audit(str(folder), "--format=json"))})
        assert ["data-lost-with-manifests" in found for found in rules] == [False, True]

    def test_a_folder_with_all_below_it(self, audit: Any, tmp_path: Path) -> None:
        folder = tmp_path / "all" / "below"
        folder.mkdir(parents=True)
        (folder / "convex.yml").write_text(CLEAN)
        (folder / "charts.yaml").mkdir()
        (tmp_path / "all" / "notes.txt").write_text("{{ no manifest")
        assert place_of(audit("all", "--format=json"), "boolean-unparsed") == ("all/below/convex.yml", 12)

    def test_several_documents_in_several_files(self, audit: Any, tmp_path: Path) -> None:
        config = config_map("c", {"CONVEX_CLOUD_ORIGIN": "https://api.example.com/"})
        workload = backend(container={"envFrom": [{"configMapRef": {"name": "c"}}]})
        (tmp_path / "workload.yaml").write_text(yaml.safe_dump_all([dashboard(), workload]))
        (tmp_path / "config.yaml").write_text(f"---\n---\n{yaml.safe_dump(config, sort_keys=False)}")
        done = audit("workload.yaml", "config.yaml", "--format=json")
        assert place_of(done, "origin-trailing-slash") == ("config.yaml", 8)

    def test_a_list_as_kubectl_prints_it(self, audit: Any, tmp_path: Path) -> None:
        text = "apiVersion: v1\nkind: List\nitems:\n- " + CLEAN.replace("\n", "\n  ").rstrip()
        (tmp_path / "list.yaml").write_text(text)
        assert place_of(audit("list.yaml", "--format=json"), "boolean-unparsed") == ("list.yaml", 15)

    def test_json(self, audit: Any, tmp_path: Path) -> None:
        manifest = backend({"AWS_S3_FORCE_PATH_STYLE": "no"})
        (tmp_path / "convex.json").write_text(json.dumps({"kind": "List", "items": [manifest]}, indent=2))
        file, line = place_of(audit("convex.json", "--format=json"), "boolean-unparsed")
        assert (tmp_path / file).read_text().splitlines()[line - 1].strip() == "{"
        assert "AWS_S3_FORCE_PATH_STYLE" in (tmp_path / file).read_text().splitlines()[line]

    @pytest.mark.parametrize("indent", ["\t", None], ids=["tabs", "one line"])
    def test_json_that_yaml_cannot_read_has_no_lines(self, audit: Any, tmp_path: Path, indent: str | None) -> None:
        manifest = backend({"AWS_S3_FORCE_PATH_STYLE": "no", "NOTE": "\U0001f600"})
        (tmp_path / "convex.json").write_text(json.dumps(manifest, indent=indent))
        assert place_of(audit("convex.json", "--format=json"), "boolean-unparsed") == ("convex.json", 1)

    def test_a_field_that_is_missing_is_placed_at_what_should_hold_it(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "convex.yaml").write_text(CLEAN)
        assert place_of(audit("convex.yaml", "--format=json"), "no-clean-stop") == ("convex.yaml", 9)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: ]", "bad.yaml:1: is not valid YAML"),
            ("a: {{ .Values.a }}\nb: {{- if }}", "render it first (helm template"),
            ("a: 1\na: 2\n", "bad.yaml:2: has the key a twice"),
        ],
    )
    def test_what_cannot_be_read_is_an_error_with_its_place(
        self, audit: Any, tmp_path: Path, text: str, message: str
    ) -> None:
        (tmp_path / "bad.yaml").write_text(text)
        done = audit("bad.yaml")
        assert done.code == 1
        assert message in done.stderr
        assert done.stdout == ""

    @pytest.mark.parametrize("text", ["[" * 50_000, "[" * 50_000 + "]" * 50_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
    def test_bottomless_nesting(self, audit: Any, tmp_path: Path, text: str) -> None:
        (tmp_path / "x.yaml").write_text(text)
        done = audit("x.yaml")
        assert (done.code, done.stdout, done.stderr) == (1, "", "x.yaml:1: is nested too deeply\n")

    def test_a_file_that_is_not_there(self, audit: Any) -> None:
        done = audit("nowhere.yaml")
        assert (done.code, done.stderr) == (1, "nowhere.yaml: there is no such file or folder\n")

    def test_binary_files(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
        assert audit("x.yaml").stderr == "x.yaml: is not text in UTF-8\n"

    def test_manifests_without_convex_are_an_error(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(config_map("c", {})))
        done = audit("x.yaml")
        assert done.code == 1
        assert "no Convex backend or dashboard among 1 objects" in done.stderr

    def test_an_image_of_another_name(self, audit: Any, tmp_path: Path) -> None:
        renamed = backend(container={"image": "registry.example.com/cvx:1", "ports": []})
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(renamed))
        assert audit("x.yaml").code == 1
        assert audit("x.yaml", "--image=backend=registry.example.com/cvx").code == 0

    @pytest.mark.parametrize(
        "arguments", [[], ["x.yaml", "--live"], ["x.yaml", "--image=cvx"], ["x.yaml", "--image=a=b"]]
    )
    def test_a_command_line_that_says_nothing_or_two_things(self, audit: Any, arguments: list[str]) -> None:
        assert audit(*arguments).code == 2


@pytest.mark.parametrize(
    ("env", "fail_on", "code"),
    [
        ({"AWS_S3_FORCE_PATH_STYLE": "no"}, None, 0),
        ({"AWS_S3_FORCE_PATH_STYLE": "no"}, "error", 1),
        ({"AWS_S3_FORCE_PATH_STYLE": "no"}, "warning", 1),
        ({"INSTANCE_SECRET": None}, "error", 0),
        ({"INSTANCE_SECRET": None}, "warning", 1),
    ],
    ids=str,
)
def test_exit_codes(audit: Any, tmp_path: Path, env: Mapping[str, str | None], fail_on: str | None, code: int) -> None:
    entries = [
        {"name": name, "value": value}
        if value
        else {"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": "K"}}}
        for name, value in {**env, "POSTGRES_URL": None, "AWS_REGION": None}.items()
    ]
    entries += [
        {"name": f"S3_STORAGE_{word}_BUCKET", "value": "b"}
        for word in ("EXPORTS", "SNAPSHOT_IMPORTS", "MODULES", "FILES", "SEARCH")
    ]
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(backend(entries)))
    assert audit("x.yaml", *([f"--fail-on={fail_on}"] if fail_on else [])).code == code


class TestFormats:
    def test_text_has_the_errors_then_what_is_odd_then_each_rule(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "convex.yaml").write_text(CLEAN)
        text = audit("convex.yaml").stdout
        head = text.split("\n\n")[0].splitlines()
        assert head[:2] == [
            "convex.yaml:12: error: A boolean that the backend does not understand [boolean-unparsed]",
            '  fix: write "true" or "false", in lower case',
        ]
        assert re.search(r"^Backend StatefulSet/convex, container backend$", text, re.MULTILINE)
        assert re.search(r"^  Database +SQLite in /convex/data/db.sqlite3$", text, re.MULTILINE)
        start = text.index("error [boolean-unparsed]")
        lines = text[start:].split("\n\n")[0].splitlines()
        assert lines[1] == "  at convex.yaml:12"
        assert [line.split()[0] for line in lines if re.match(r"  \w+: ", line)] == ["why:", "here:"]
        assert re.search(r"\n\n\d+ errors?, \d+ warnings?, \d+ for information\n$", text)
        assert max(map(len, text.splitlines())) <= 110

    def test_the_head_has_ten_lines_at_most(self, audit: Any, tmp_path: Path) -> None:
        switches = {"AWS_S3_FORCE_PATH_STYLE": "no"}
        names = [f"convex-{number}" for number in range(12)]
        (tmp_path / "x.yaml").write_text(yaml.safe_dump_all([backend(switches, name=name) for name in names]))
        head = audit("x.yaml").stdout.split("\n\n")[0].splitlines()
        assert len(head) == 10
        assert all(re.match(r"x\.yaml:\d+: error \[[a-z-]+\]: ", line) for line in head[:9])
        assert re.fullmatch(r"\.\.\. and \d+ more errors, below", head[9])

    def test_usual_decisions_are_shown_on_request(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "convex.yaml").write_text(CLEAN)
        short, long = audit("convex.yaml").stdout, audit("convex.yaml", "--verbose").stdout
        for usual in ("  Pods  ", "  Selector  ", "  Writers  ", "  Document retention  "):
            assert usual not in short
            assert usual in long
        for odd in ("  Stop  ", "  Documents outlive  "):
            assert odd in short

    def test_what_follows_from_a_cause_is_told_there(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(backend()))
        text = audit("x.yaml").stdout
        assert re.search(r"^  so: .*\[instance-secret-unstable\]$", text, re.MULTILINE)
        assert "error [instance-secret-unstable]" not in text
        found = {each["rule"]: each for each in json.loads(audit("x.yaml", "--format=json").stdout)["findings"]}
        assert found["instance-secret-unstable"]["follows"] == "data-lost-with-pod"
        assert found["no-clean-stop"]["follows"] is None

    def test_what_follows_for_many_is_told_once(self, audit: Any, tmp_path: Path) -> None:
        names = [f"convex-{number}" for number in range(7)]
        (tmp_path / "x.yaml").write_text(yaml.safe_dump_all([backend(name=name) for name in names]))
        text = audit("x.yaml").stdout
        assert len(re.findall(r"^  so: .*\[instance-secret-unstable\]$", text, re.MULTILINE)) == 1

    def test_many_backends_end_in_their_number(self, audit: Any, tmp_path: Path) -> None:
        names = [f"convex-{number}" for number in range(23)]
        (tmp_path / "x.yaml").write_text(yaml.safe_dump_all([backend(name=name) for name in names]))
        text = audit("x.yaml").stdout
        assert len(re.findall(r"^Backend ", text, re.MULTILINE)) == 20
        assert "\n... and 3 more backends and dashboards (--verbose shows them)\n" in text
        assert len(re.findall(r"^Backend ", audit("x.yaml", "--verbose").stdout, re.MULTILINE)) == 23

    def test_parameters_are_named_for_manifests_made_here(self, audit: Any, tmp_path: Path) -> None:
        ours = backend({"AWS_S3_FORCE_PATH_STYLE": "no"}, name="ours")
        ours["metadata"]["annotations"] = {"convex-k8s/overlay": "production"}
        theirs = backend({"REDACT_LOGS_TO_CLIENT": "false"}, name="theirs")
        for manifest, told in ((ours, True), (theirs, False)):
            (tmp_path / "x.yaml").write_text(yaml.safe_dump(manifest))
            assert ("\n  ours: " in audit("x.yaml").stdout) is told

    def test_a_condition_is_said_once(self, audit: Any, tmp_path: Path) -> None:
        container = {"envFrom": [{"secretRef": {"name": "s"}}]}
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(backend(container=container)))
        text = audit("x.yaml").stdout
        assert text.count("unless Secret/s sets") == 1
        assert re.search(r"^\* unless Secret/s sets .*POSTGRES_URL", text, re.MULTILINE)
        assert re.search(r"^  Database +SQLite .* \*$", text, re.MULTILINE)
        assert audit("x.yaml", "--verbose").stdout.count("unless Secret/s sets") > 5

    def test_text_names_what_keeps_the_pod_from_starting(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(backend(pod={"securityContext": {"runAsNonRoot": True}})))
        assert re.search(r"Does not start +runAsNonRoot refuses", audit("x.yaml").stdout)

    @pytest.mark.parametrize("format", ["text", "json", "sarif"])
    def test_names_that_would_steer_a_terminal(self, audit: Any, tmp_path: Path, format: str) -> None:
        manifest = backend({"AWS_S3_FORCE_PATH_STYLE": "no", "X": "\x1b[2J\ud800"})
        for value in (manifest["metadata"], manifest["spec"]["template"]["spec"]["containers"][0]):
            value["name"] = "a\x1b]0;title\x07\r\x9b\u202e\ud800b"
        (tmp_path / "x.json").write_text(json.dumps(manifest))
        done = audit("x.json", f"--format={format}")
        assert done.code == 0
        assert not re.search(r"[\0-\x09\x0b-\x1f\x7f-\x9f]", done.stdout)
        if format == "text":
            assert "StatefulSet/a\\x1b]0;title" in done.stdout
            assert "\u202e" not in done.stdout

    def test_json_has_everything_as_data(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "convex.yaml").write_text(CLEAN)
        data = json.loads(audit("convex.yaml", "--format=json").stdout)
        assert data["decisions"]["backends"][0]["decisions"]["engine"]["value"] == "sqlite"
        found = data["findings"][0]
        assert (found["rule"], found["severity"], found["line"]) == ("boolean-unparsed", "error", 12)
        assert found["object"] == {
            "kind": "StatefulSet",
            "namespace": "",
            "name": "convex",
            "field": "spec.template.spec.containers[0].env[AWS_S3_FORCE_PATH_STYLE]",
        }
        assert data["summary"]["error"] == sum(each["severity"] == "error" for each in data["findings"])

    def test_sarif(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "convex.yaml").write_text(CLEAN)
        log = json.loads(audit("convex.yaml", "--format=sarif").stdout)
        assert log["version"] == "2.1.0"
        (one,) = log["runs"]
        rules = one["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
        assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules)
        for result in one["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["level"] in ("error", "warning", "note")
            assert result["message"]["text"]
        first = one["results"][0]
        assert first["ruleId"] == "boolean-unparsed"
        assert first["locations"] == [
            {
                "logicalLocations": [
                    {
                        "fullyQualifiedName": "StatefulSet/convex "
                        "spec.template.spec.containers[0].env[AWS_S3_FORCE_PATH_STYLE]",
                        "kind": "object",
                    }
                ],
                "physicalLocation": {"artifactLocation": {"uri": "convex.yaml"}, "region": {"startLine": 12}},
            }
        ]

    def test_sarif_names_files_relative_to_the_folder_it_runs_in(self, audit: Any, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "convex.yaml").write_text(CLEAN)
        log = json.loads(audit(str(tmp_path / "sub"), "--format=sarif").stdout)
        location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
        assert location["artifactLocation"]["uri"] == "sub/convex.yaml"

    def test_sarif_of_the_standard_input_has_no_file(self, audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        give(monkeypatch, CLEAN.encode())
        log = json.loads(audit("-", "--format=sarif").stdout)
        assert "physicalLocation" not in log["runs"][0]["results"][0]["locations"][0]

    def test_a_finding_keeps_its_fingerprint_when_lines_move(self, audit: Any, tmp_path: Path) -> None:
        prints = []
        for head in ("", "# one\n# two\n"):
            (tmp_path / "convex.yaml").write_text(head + CLEAN)
            log = json.loads(audit("convex.yaml", "--format=sarif").stdout)
            prints.append([result["partialFingerprints"] for result in log["runs"][0]["results"]])
        assert prints[0] == prints[1]
        assert len({json.dumps(each) for each in prints[0]}) == len(prints[0])

    @pytest.mark.parametrize("format", ["text", "json", "sarif"])
    def test_no_format_shows_a_secret(self, audit: Any, tmp_path: Path, format: str) -> None:
        hidden = "0ff1ce" * 10
        env = {
            "INSTANCE_SECRET": hidden,
            "POSTGRES_URL": f"postgres://u:{hidden}@db/x",
            "AWS_SECRET_ACCESS_KEY": hidden,
            "CONVEX_ADMIN_KEY": f"a|01{hidden}",
        }
        login = ["curl", "-u", f"me:{hidden}", "http://localhost:3210/version"]
        commands = {
            "livenessProbe": {"exec": {"command": login}},
            "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", f"curl -u me:{hidden} x; kill -INT 1"]}}},
            "args": ["--instance-secret", hidden],
        }
        manifests = [
            backend(env, container=commands),
            dashboard({"NEXT_PUBLIC_ADMIN_KEY": f"a|01{hidden}"}),
            {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"K": hidden}},
        ]
        (tmp_path / "x.yaml").write_text(yaml.safe_dump_all(manifests))
        done = audit("x.yaml", f"--format={format}")
        assert done.code == 0
        assert hidden not in done.stdout


class TestLive:
    """Against a stand-in for kubectl that answers what it is given."""

    def prepared(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objects: Sequence[Mapping[str, Any]], secrets: str | None
    ) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "objects.json").write_text(json.dumps({"kind": "List", "items": list(objects)}))
        forbidden = 'echo "secrets is forbidden" >&2; exit 1'
        (folder / "secrets").write_text(secrets or "")
        program = folder / "kubectl"
        program.write_text(
            "#!/bin/sh\n"
            f'printf "%s\\n" "$*" >> {folder}/calls\n'
            'case "$*" in\n'
            "*api-resources*) echo httproutes.gateway.networking.k8s.io; echo pods;;\n"
            f"*'get secrets'*) {forbidden if secrets is None else f'cat {folder}/secrets'};;\n"
            f"*) cat {folder}/objects.json;;\n"
            "esac\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder

    UNSEEN = backend(container={"envFrom": [{"secretRef": {"name": "s"}}]}, namespace="ns")

    def test_it_reads_keys_of_secrets_and_no_values(
        self, audit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = self.prepared(
            tmp_path, monkeypatch, [self.UNSEEN], "ns\ts\tINSTANCE_SECRET\tPOSTGRES_URL\nns\tempty\n"
        )
        done = audit("--live", "-n", "ns", "--context", "there", "--format=json")
        data = json.loads(done.stdout)
        decisions = data["decisions"]["backends"][0]["decisions"]
        assert decisions["engine"]["value"] == "postgres"
        assert decisions["engine"]["unless"] == ""
        assert decisions["instance_secret"]["value"] == "Secret/s[INSTANCE_SECRET]"
        assert {found["file"] for found in data["findings"]} == {None}
        calls = (folder / "calls").read_text()
        assert all("--context there" in call for call in calls.splitlines())
        (asked,) = [call for call in calls.splitlines() if "get secrets" in call]
        assert "--output=go-template" in asked
        assert "$value" in asked
        assert "{{$value}}" not in asked

    def test_only_custom_kinds_that_are_there_are_asked_for(
        self, audit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = self.prepared(tmp_path, monkeypatch, [self.UNSEEN], "")
        audit("--live")
        calls = (folder / "calls").read_text()
        assert "httproutes.gateway.networking.k8s.io" in calls
        assert "scaledobjects.keda.sh" not in calls

    def test_secrets_that_may_not_be_listed_are_out_of_sight(
        self, audit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.prepared(tmp_path, monkeypatch, [self.UNSEEN], None)
        done = audit("--live", "--format=json")
        assert ("information", "variables-unseen", None) in findings(done)

    def test_where_nothing_may_be_listed_it_says_what_it_takes(
        self, audit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = self.prepared(tmp_path, monkeypatch, [], "")
        forbidden = "Error from server (Forbidden): pods is forbidden"
        program = (folder / "kubectl").read_text()
        (folder / "kubectl").write_text(program.replace("*) cat", f"*) echo '{forbidden}' >&2; exit 1; cat"))
        done = audit("--live", "-n", "ns", "--context", "there")
        assert done.code == 1
        assert "namespace ns, context there: nothing may be listed" in done.stderr
        assert f"({forbidden})" in done.stderr
        assert "get and list, on statefulsets.apps" in done.stderr

    def test_a_cluster_that_does_not_answer(self, audit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stub = KubectlStub(tmp_path / "stub")
        stub.fail("error: the server is gone")
        monkeypatch.setenv("PATH", str(stub.programs))
        done = audit("--live")
        assert (done.code, done.stderr) == (1, "error: the server is gone\n")


class TestDocumentation:
    def test_the_page_is_made_from_the_rules(self) -> None:
        assert (ROOT / "docs" / "audit.md").read_text(encoding="utf-8") == markdown(), (
            "stale: python3 main.py audit --rules > docs/audit.md"
        )

    def test_the_command_prints_it(self, audit: Any) -> None:
        assert audit("--rules").stdout == markdown()

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
    def test_every_rule_has_its_reason_its_source_and_both_cures(self, rule: Any) -> None:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.id)
        section = markdown().split(f"\n### {rule.id}\n")[1].split("\n### ")[0]
        for text in (rule.title, rule.reason, rule.basis, rule.parameter, rule.change):
            assert text
            assert text in section
        assert rule.reason.endswith(".")

    def test_the_parameters_that_cures_name_are_in_the_schema(self) -> None:
        schema = json.loads((ROOT / "overlays" / "schema.json").read_text(encoding="utf-8"))
        names = {
            name for rule in RULES for name in re.findall(r"\b[a-z][A-Za-z0-9]*(?:\.[A-Za-z_*]+)+", rule.parameter)
        }
        names -= {"main.py"}
        assert len(names) > 20
        assert [name for name in sorted(names) if not in_schema(schema, schema, name.split("."))] == []


def test_a_secret_object_is_no_finding_and_resolves_its_variables(audit: Any, tmp_path: Path) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"INSTANCE_SECRET": INSTANCE_SECRET}}
    manifest = backend(container={"envFrom": [{"secretRef": {"name": "s"}}]})
    (tmp_path / "x.yaml").write_text(yaml.safe_dump_all([manifest, secret]))
    rules = {rule for _, rule, _ in findings(audit("x.yaml", "--format=json"))}
    assert not rules & {"literal-secret", "instance-secret-unstable", "instance-secret-malformed", "variables-unseen"}


def test_the_keys_that_the_user_names_decide_and_a_misspelt_secret_is_told(audit: Any, tmp_path: Path) -> None:
    manifest = backend(container={"envFrom": [{"secretRef": {"name": "all"}}]}, namespace="shop")
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(manifest))
    keys = "POSTGRES_URL,INSTANCE_NAME,INSTANCE_SECRET"
    right, wrong = (audit("x.yaml", f"--secret={name}={keys}") for name in ("all", "al"))
    assert "Database       Postgres\n" in right.stdout
    assert right.stderr == ""
    assert "Postgres" not in wrong.stdout.partition("Findings")[0]
    assert wrong.stderr == "warning: --secret: nothing in the input names a Secret al; did you mean all?\n"


def test_a_name_of_something_else_is_no_name_of_a_secret(audit: Any, tmp_path: Path) -> None:
    unread = {"imagePullSecrets": [{"name": "registry"}]}
    volumes = [{"name": "ca", "projected": {"sources": [{"secret": {"name": "ca-of-it"}}]}}]
    manifests = [
        backend(container={"envFrom": [{"secretRef": {"name": "all"}}]}, pod={**unread, "volumes": volumes}),
        config_map("config", {}),
        {"kind": "SealedSecret", "metadata": {"name": "sealed"}, "spec": {}},
        {"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"tls": [{"secretName": "tls"}]}},
    ]
    (tmp_path / "x.yaml").write_text(yaml.safe_dump_all(manifests))
    for name in ("registry", "ca-of-it", "sealed", "tls", "all"):
        assert audit("x.yaml", f"--secret={name}=A").stderr == ""
    for name in ("config", "ca", "nosuch"):
        assert f"nothing in the input names a Secret {name}" in audit("x.yaml", f"--secret={name}=A").stderr


def test_equal_environments_are_told(audit: Any, tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(CLEAN)
    for arguments in (("a.yaml", "b.yaml"), (".",)):
        assert (
            "Not read: b.yaml: 1 of its objects are equal to those in a.yaml, and count once"
            in audit(*arguments).stdout
        )
    (tmp_path / "b.yaml").write_text(CLEAN.replace("name: convex", "name: another", 1))
    assert "count once" not in audit("a.yaml", "b.yaml").stdout
    (tmp_path / "b.yaml").write_text(f"{CLEAN}---\n{CLEAN}")
    assert "b.yaml: 1 of its objects are in it twice" in audit("b.yaml").stdout


def test_sources_are_shown_as_paths() -> None:
    path = ("metadata", "annotations", "nginx.ingress.kubernetes.io/x", "list", 3, Item(1, "NAME"))
    source = Source("Ingress", "ns", "edge", path)
    assert str(source) == "Ingress/edge metadata.annotations[nginx.ingress.kubernetes.io/x].list[3][NAME]"
    assert source.keys()[-2:] == (3, 1)
