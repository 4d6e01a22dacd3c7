"""Whether the backend starts, how it stops, who writes beside it, and its switches."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.behaviour.quantities import integer, quantity
from tests.support.convex_manifests import TAG, backend, only_backend


def pre_stop(*command: str) -> dict[str, Any]:
    return {"lifecycle": {"preStop": {"exec": {"command": list(command)}}}}


SIGINT = pre_stop("/bin/bash", "-c", "kill -INT 1; while kill -0 1; do sleep 1; done")


class TestStop:
    @pytest.mark.parametrize(
        "command",
        [
            ("/bin/bash", "-c", "kill -INT 1"),
            ("/bin/bash", "-c", "kill -INT 1; while kill -0 1 2>/dev/null; do sleep 0.5; done"),
            ("kill", "-2", "1"),
            ("kill", "-SIGINT", "1"),
            ("sh", "-c", "kill -s INT 1 && sleep 30"),
            ("sh", "-c", "pkill -INT convex-local-ba"),
            ("pkill", "--signal", "SIGINT", "convex"),
            ("sh", "-c", "echo bye; killall -s SIGINT convex-local-backend"),
            ("sh", "-c", "kill -INT $(pidof convex-local-backend)"),
            ("sh", "-c", "PID=1; kill -n 2 $PID"),
            ("sh", "-c", "# the clean stop\nkill -INT 1 2>/dev/null || kill -2 1\nsleep 60"),
            ("pkill", "-INT", "-f", "convex-local-backend"),
            ("sh", "-c", "bash -c 'kill -INT 1'"),
        ],
        ids=" ".join,
    )
    def test_a_pre_stop_that_sends_sigint_stops_it_cleanly(self, command: tuple[str, ...]) -> None:
        assert only_backend(backend(container=pre_stop(*command))).stop.value == "clean"

    @pytest.mark.parametrize(
        "container",
        [
            pytest.param({}, id="no preStop"),
            pytest.param(pre_stop("sleep", "10"), id="sleep only"),
            pytest.param(pre_stop("kill", "-TERM", "1"), id="SIGTERM"),
            pytest.param(pre_stop("kill", "-15", "1"), id="signal 15"),
            pytest.param(pre_stop("sh", "-c", "kill 1; echo -INT"), id="no signal named"),
            pytest.param({"lifecycle": {"preStop": {"httpGet": {"path": "/", "port": 3210}}}}, id="a request"),
            *(
                pytest.param(pre_stop("sh", "-c", script), id=script)
                for script in (
                    "kill -INT 12",
                    "echo kill -INT 1",
                    "# kill -INT 1",
                    "kill -INT $(pidof node)",
                    "pkill -INT node",
                    "pkill -INT convex-local-backend",
                    "kill -INT 1; kill -INT 1",
                    "while kill -INT 1; do sleep 1; done",
                    "while kill -0 1; do kill -INT 1; sleep 1; done",
                )
            ),
        ],
    )
    def test_anything_else_runs_into_sigkill(self, container: dict[str, Any]) -> None:
        assert only_backend(backend(container=container)).stop.value == "killed"

    @pytest.mark.parametrize("field", ["shareProcessNamespace", "hostPID"])
    def test_pid_1_must_be_the_backend(self, field: str) -> None:
        decision = only_backend(backend(container=SIGINT, pod={field: True})).stop
        assert decision.value == "killed"
        assert decision.source.field == f"spec.template.spec.{field}"

    def test_a_stop_signal_counts_where_the_cluster_has_it(self) -> None:
        container = {"lifecycle": {"stopSignal": "SIGINT"}}
        decision = only_backend(backend(container=container, pod={"os": {"name": "linux"}})).stop
        assert decision.value == "clean"
        assert not decision.certain

    def test_a_stop_signal_without_a_system_does_not_count(self) -> None:
        decision = only_backend(backend(container={"lifecycle": {"stopSignal": "SIGINT"}})).stop
        assert decision.value == "killed"
        assert "spec.os.name" in decision.why

    @pytest.mark.parametrize(
        ("command", "value", "certain"),
        [
            (["./run_backend.sh"], "clean", True),
            (["/convex/run_backend.sh", "--disable-beacon"], "clean", True),
            (["bash", "run_backend.sh"], "clean", True),
            (["sh", "-c", "exec ./run_backend.sh"], "clean", True),
            (["sh", "-ec", "until nc -z db 5432; do sleep 1; done; exec ./run_backend.sh"], "clean", True),
            (["sh", "-c", 'exec "$@"', "--", "./run_backend.sh"], "clean", True),
            (["env", "A=b", "./convex-local-backend"], "clean", True),
            (["tini", "--", "./run_backend.sh"], "clean", True),
            (["dumb-init", "sh", "-c", "sleep 1; ./run_backend.sh"], "clean", True),
            (["tini", "-g", "--", "sh", "-c", "sleep 1; ./run_backend.sh"], "clean", True),
            (["sh", "-c", "until nc -z db 5432; do sleep 1; done; ./run_backend.sh"], "killed", True),
            (["sh", "-c", "./run_backend.sh"], "killed", True),
            (["bash", "-c", "./run_backend.sh; echo over"], "killed", True),
            (["tini", "--", "sh", "-c", "sleep 1; ./run_backend.sh"], "killed", True),
            (["bash", "-c", "sleep 1; ./run_backend.sh"], "clean", False),
            (["/our-start"], "clean", False),
            (["sh", "-c"], "clean", False),
            (["sh", "-c", "sh"], "clean", False),
        ],
        ids=str,
    )
    def test_the_signal_must_reach_the_backend(self, command: list[str], value: str, certain: bool) -> None:
        decision = only_backend(backend(container={**SIGINT, "command": command})).stop
        assert (decision.value, decision.certain) == (value, certain)

    def test_arguments_of_the_image_are_none_of_a_command(self) -> None:
        assert only_backend(backend(container={**SIGINT, "args": ["--disable-beacon"]})).stop.value == "clean"

    @pytest.mark.parametrize(
        ("hook", "value"),
        [({}, "killed"), (pre_stop("kill", "-INT", "1"), "killed"), (SIGINT, "clean")],
        ids=["no preStop", "without waiting", "waiting"],
    )
    def test_an_init_hands_the_sigterm_on_too(self, hook: dict[str, Any], value: str) -> None:
        container = {"command": ["tini", "--", "./run_backend.sh"], **hook}
        assert only_backend(backend(container=container)).stop.value == value

    @pytest.mark.parametrize(("pod", "seconds"), [({}, 30), ({"terminationGracePeriodSeconds": 120}, 120)])
    def test_grace(self, pod: dict[str, Any], seconds: int) -> None:
        assert only_backend(backend(pod=pod)).grace.value == seconds


def scaler(kind: str, name: str, **spec: object) -> dict[str, Any]:
    target = {"kind": "StatefulSet", "name": name}
    return {"kind": kind, "metadata": {"name": "scaler"}, "spec": {"scaleTargetRef": target, **spec}}


class TestWriters:
    @pytest.mark.parametrize(
        ("kind", "spec", "value"),
        [
            ("StatefulSet", {}, "one"),
            ("StatefulSet", {"replicas": 1}, "one"),
            ("StatefulSet", {"replicas": 2}, "several"),
            ("StatefulSet", {"replicas": 0}, "none"),
            ("Deployment", {}, "overlap"),
            ("Deployment", {"strategy": {"type": "RollingUpdate"}}, "overlap"),
            ("Deployment", {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}}, "overlap"),
            ("Deployment", {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}, "overlap"),
            ("Deployment", {"strategy": {"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 1}}}, "overlap"),
            ("Deployment", {"strategy": {"type": "Recreate"}}, "one"),
            ("Deployment", {"strategy": {"type": "Recreate"}, "replicas": 3}, "several"),
            ("DaemonSet", {}, "several"),
        ],
        ids=str,
    )
    def test_by_workload(self, kind: str, spec: dict[str, Any], value: str) -> None:
        assert only_backend(backend(kind=kind, spec=spec)).writers.value == value

    def test_a_pod_of_its_own_is_one(self) -> None:
        template = backend()["spec"]["template"]
        pod = {"kind": "Pod", "metadata": {"name": "convex"}, "spec": template["spec"]}
        assert only_backend(pod).writers.value == "one"

    @pytest.mark.parametrize(
        ("manifest", "value"),
        [
            (scaler("HorizontalPodAutoscaler", "convex", maxReplicas=4), "several"),
            (scaler("HorizontalPodAutoscaler", "convex", maxReplicas=1), "one"),
            (scaler("HorizontalPodAutoscaler", "other", maxReplicas=4), "one"),
            (scaler("ScaledObject", "convex"), "several"),
            (scaler("ScaledObject", "convex", maxReplicaCount=1), "one"),
        ],
    )
    def test_autoscalers_count(self, manifest: dict[str, Any], value: str) -> None:
        assert only_backend(backend(), manifest).writers.value == value


class TestUser:
    @pytest.mark.parametrize(
        ("pod", "container", "text"),
        [
            ({"runAsNonRoot": True}, {}, "runAsNonRoot refuses the image's user, root"),
            ({}, {"runAsNonRoot": True}, "runAsNonRoot refuses the image's user, root"),
            ({"runAsNonRoot": True}, {"runAsUser": 0}, "runAsNonRoot refuses the image's user, root"),
            ({"runAsUser": 1000}, {}, "runs as uid 1000, which cannot run the entry point"),
            ({"runAsUser": 0}, {"runAsUser": 1000}, "runs as uid 1000, which cannot run the entry point"),
        ],
        ids=str,
    )
    def test_only_root_can_run_the_image(self, pod: dict[str, Any], container: dict[str, Any], text: str) -> None:
        manifest = backend(pod={"securityContext": pod}, container={"securityContext": container})
        assert [obstacle.text for obstacle in only_backend(manifest).obstacles] == [text]

    @pytest.mark.parametrize(
        ("pod", "container"),
        [
            ({}, {}),
            ({"runAsNonRoot": True}, {"runAsNonRoot": False}),
            ({"runAsUser": 1000}, {"runAsUser": 0}),
            ({"seccompProfile": {"type": "RuntimeDefault"}}, {"capabilities": {"drop": ["ALL"]}}),
        ],
        ids=str,
    )
    def test_the_containers_word_counts_before_the_pods(self, pod: dict[str, Any], container: dict[str, Any]) -> None:
        manifest = backend(pod={"securityContext": pod}, container={"securityContext": container})
        assert only_backend(manifest).obstacles == ()


class TestSwitches:
    @pytest.mark.parametrize(
        ("value", "on"),
        [(None, True), ("true", False), ("false", True), ("TRUE", True), ("1", True), ("", True)],
    )
    def test_metrics_are_on_unless_exactly_true(self, value: str | None, on: bool) -> None:
        env = {} if value is None else {"DISABLE_METRICS_ENDPOINT": value}
        assert only_backend(backend(env)).metrics.value is on

    @pytest.mark.parametrize(("value", "on"), [(None, True), ("true", False), ("false", False), ("FALSE", False)])
    def test_telemetry_is_off_with_any_value(self, value: str | None, on: bool) -> None:
        env = {} if value is None else {"DISABLE_BEACON": value}
        assert only_backend(backend(env)).telemetry.value is on

    def test_the_reason_says_which_way_the_switch_goes(self) -> None:
        assert (
            only_backend(backend()).telemetry.why
            == "DISABLE_BEACON is not set; with any value it would switch telemetry off"
        )

    def test_an_empty_beacon_variable_probably_stops_the_start(self) -> None:
        (obstacle,) = only_backend(backend({"DISABLE_BEACON": ""})).obstacles
        assert obstacle.value == "beacon"

    @pytest.mark.parametrize(("value", "on"), [(None, False), ("true", True), ("false", True), ("", False)])
    def test_redaction_is_on_with_any_value(self, value: str | None, on: bool) -> None:
        env = {} if value is None else {"REDACT_LOGS_TO_CLIENT": value}
        assert only_backend(backend(env)).log_redaction.value is on

    @pytest.mark.parametrize(("value", "seconds"), [(None, 1209600), ("172800", 172800), ("2d", 1209600)])
    def test_retention(self, value: str | None, seconds: int) -> None:
        env = {} if value is None else {"DOCUMENT_RETENTION_DELAY": value}
        assert only_backend(backend(env)).retention.value == seconds


class TestInstance:
    @pytest.mark.parametrize("name", ["a:b", "a|b"])
    def test_a_name_that_no_admin_key_can_carry(self, name: str) -> None:
        (obstacle,) = only_backend(backend({"INSTANCE_NAME": name})).obstacles
        assert obstacle.text == "INSTANCE_NAME has : or | in it"

    @pytest.mark.parametrize(
        ("secret", "refused"),
        [("0f" * 32, False), ("0F" * 32, False), ("0f" * 16, True), ("A" * 43 + "=", True), ("password", True)],
    )
    def test_the_secret_is_64_hex_digits(self, secret: str, refused: bool) -> None:
        model = only_backend(backend({"INSTANCE_SECRET": secret}))
        assert [obstacle.value for obstacle in model.obstacles] == (["instance secret"] if refused else [])
        assert model.instance_secret.value == "literal"
        assert secret not in repr(model)


class TestOrigins:
    def test_they_are_what_the_variables_say(self) -> None:
        env = {"CONVEX_CLOUD_ORIGIN": "https://api.example.com", "CONVEX_SITE_ORIGIN": "https://api.example.com/http"}
        model = only_backend(backend(env))
        assert model.cloud_origin.value == "https://api.example.com"
        assert model.site_origin.value == "https://api.example.com/http"

    def test_without_them_urls_have_no_host(self) -> None:
        model = only_backend(backend())
        assert (model.cloud_origin.value, model.cloud_origin.text) == ("", "not set")
        assert model.obstacles == ()

    @pytest.mark.parametrize("name", ["CONVEX_CLOUD_ORIGIN", "CONVEX_SITE_ORIGIN"])
    def test_without_a_scheme_the_backend_does_not_start(self, name: str) -> None:
        (obstacle,) = only_backend(backend({name: "api.example.com"})).obstacles
        assert obstacle.text == f"{name} has no scheme"


class TestProbes:
    def test_by_name_or_number(self) -> None:
        probes = {
            "startupProbe": {
                "httpGet": {"path": "/version", "port": "api"},
                "periodSeconds": 5,
                "failureThreshold": 60,
            },
            "readinessProbe": {"httpGet": {"path": "/version", "port": 3210}},
            "livenessProbe": {"tcpSocket": {"port": "actions"}, "initialDelaySeconds": 7},
        }
        model = only_backend(backend(container=probes))
        assert [
            decision and decision.value
            for decision in (model.startup_probe, model.readiness_probe, model.liveness_probe)
        ] == [
            {"handler": "GET", "path": "/version", "port": 3210, "seconds": 300},
            {"handler": "GET", "path": "/version", "port": 3210, "seconds": 30},
            {"handler": "TCP", "path": "", "port": 3211, "seconds": 37},
        ]

    def test_none(self) -> None:
        model = only_backend(backend())
        assert (model.startup_probe, model.readiness_probe, model.liveness_probe) == (None, None, None)

    def test_a_port_that_the_container_does_not_name(self) -> None:
        probe = {"readinessProbe": {"httpGet": {"path": "/version", "port": "http"}}}
        decision = only_backend(backend(container=probe)).readiness_probe
        assert decision is not None
        assert "http, which is not a port here" in decision.text


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("convex-backend", "latest"),
        (f"x/convex-backend:{TAG}", TAG),
        ("x/convex-backend@sha256:aa", "sha256:aa"),
        ("x/convex-backend:1@sha256:aa", "sha256:aa"),
    ],
)
def test_version(image: str, version: str) -> None:
    assert only_backend(backend(container={"image": image})).tag.value == version


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ({}, "run_backend.sh"),
        ({"args": ["--x"]}, "run_backend.sh"),
        ({"command": ["sh", "-c", "sleep 1; exec ./run_backend.sh"]}, "run_backend.sh"),
        ({"command": ["./convex-local-backend"]}, "convex-local-backend"),
        ({"command": ["/start.sh"]}, "script"),
        ({"command": ["tini", "--", "sh", "-c", "export RUST_LOG=info; exec ./run_backend.sh"]}, "script"),
        ({"command": ["env", "RUST_LOG=info", "./run_backend.sh"]}, "script"),
        ({"command": ["sh", "-c", "export RUST_LOG=info; exec ./run_backend.sh"]}, "script"),
    ],
)
def test_entry_point(command: dict[str, Any], value: str) -> None:
    assert only_backend(backend(container=command)).entry_point.value == value


def test_memory() -> None:
    resources = {"resources": {"requests": {"memory": "512Mi"}, "limits": {"memory": "2G"}}}
    model = only_backend(backend(container=resources))
    assert model.memory_request is not None
    assert model.memory_limit is not None
    assert (model.memory_request.value, model.memory_limit.value) == (512 * 1024**2, 2_000_000_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 1610612736),
        ("1e3", 1000),
        ("500m", 0),
        ("x", None),
        ("1Zi", None),
    ],
)
def test_quantities(text: str, value: int | None) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize(
    ("text", "least", "value"),
    [
        ("+07", None, 7),
        ("-1", None, -1),
        ("-1", 0, None),
        ("0", 1, None),
        ("1", 1, 1),
        ("-9223372036854775808", None, -(2**63)),
        ("-9223372036854775809", None, None),
        ("9223372036854775808", None, None),
        ("9223372036854775808", 0, 2**63),
        ("18446744073709551616", 0, None),
        ("1.0", None, None),
        (" 1", None, None),
    ],
)
def test_integers_of_rust(text: str, least: int | None, value: int | None) -> None:
    assert integer(text, least) == value
