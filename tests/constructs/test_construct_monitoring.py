"""Monitoring: one Service is scraped, and each alert fires when it should, by Prometheus's own tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.overlay_cases import case, environment_of, one

NAMESPACE = 'namespace="convex-monitored"'
CONTAINER = f'{NAMESPACE}, pod="convex-backend-0", container="convex-backend"'
BACKUP = f'{NAMESPACE}, cronjob="convex-backup"'
FAILED = f'{NAMESPACE}, job_name="convex-backup-1", condition="true"'
CLAIM = f'{NAMESPACE}, persistentvolumeclaim="data-convex-backend-0"'

FIRES: dict[str, tuple[dict[str, str], str, str]] = {
    "ConvexBackendDown": (
        {f'kube_statefulset_status_replicas_ready{{{NAMESPACE}, statefulset="convex-backend"}}': "1 0x30"},
        "4m",
        "10m",
    ),
    "ConvexBackendRestarting": (
        {f"kube_pod_container_status_restarts_total{{{CONTAINER}}}": "0 0 0 1 1 1 2 2 3 3x30"},
        "3m",
        "9m",
    ),
    "ConvexBackendMemoryNearLimit": (
        {
            f"container_memory_working_set_bytes{{{CONTAINER}}}": "1000x5 1950x30",
            f'kube_pod_container_resource_limits{{{CONTAINER}, resource="memory"}}': "2000x60",
        },
        "10m",
        "30m",
    ),
    "ConvexVolumeFilling": (
        {
            f"kubelet_volume_stats_available_bytes{{{CLAIM}}}": "50x5 14x30",
            f"kubelet_volume_stats_capacity_bytes{{{CLAIM}}}": "100x60",
        },
        "10m",
        "30m",
    ),
    "ConvexDashboardDown": (
        {f'kube_deployment_status_replicas_available{{{NAMESPACE}, deployment="convex-dashboard"}}': "1 0x30"},
        "9m",
        "15m",
    ),
    "ConvexCertificateNearEnd": (
        {f'certmanager_certificate_expiration_timestamp_seconds{{{NAMESPACE}, name="convex-tls"}}': "1000000x100"},
        "10m",
        "90m",
    ),
    "ConvexBackupFailed": ({f"kube_job_failed{{{FAILED}}}": "_x5 1x30"}, "4m", "10m"),
    "ConvexBackupMissing": (
        {
            f"kube_cronjob_status_last_schedule_time{{{BACKUP}}}": "0x9 600x300",
            f"kube_cronjob_status_last_successful_time{{{BACKUP}}}": "100x310",
        },
        "180m",
        "195m",
    ),
}
"""For each alert: what is measured each minute, a time before it fires, and one after."""


def rules() -> list[dict[str, Any]]:
    (group,) = one(case("monitoring").environment(), "PrometheusRule")["spec"]["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_each_alert_is_tried() -> None:
    assert [rule["alert"] for rule in rules()] == list(FIRES)


@pytest.mark.parametrize("alert", FIRES)
def test_it_fires_when_it_should_and_not_before(alert: str, tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: prometheus)")
    (rule,) = [rule for rule in rules() if rule["alert"] == alert]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "convex", "rules": [rule]}]}))
    series, before, after = FIRES[alert]
    fired = promtool(tmp_path, series, alert, after, [])
    assert fired.returncode == 1, "the alert does not fire"
    assert alert in fired.stdout + fired.stderr
    quiet = promtool(tmp_path, series, alert, before, [])
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr


def promtool(
    folder: Path, series: dict[str, str], alert: str, time: str, expected: list[object]
) -> subprocess.CompletedProcess[str]:
    """Run Prometheus's unit test that expects these alerts at a time."""
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": time, "alertname": alert, "exp_alerts": expected}],
    }
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(content))
    command = ["promtool", "test", "rules", "test.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_a_backend_that_is_gone_counts_as_down(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: prometheus)")
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "convex", "rules": rules()}]}))
    assert promtool(tmp_path, {}, "ConvexBackendDown", "10m", []).returncode == 1


def test_a_backup_that_never_succeeded_is_missing(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: prometheus)")
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "convex", "rules": rules()}]}))
    series = {f"kube_cronjob_status_last_schedule_time{{{BACKUP}}}": "0x300"}
    assert promtool(tmp_path, series, "ConvexBackupMissing", "190m", []).returncode == 1


def test_a_healthy_environment_is_quiet(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: prometheus)")
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "convex", "rules": rules()}]}))
    healthy = {
        f'kube_statefulset_status_replicas_ready{{{NAMESPACE}, statefulset="convex-backend"}}': "1x120",
        f"kube_pod_container_status_restarts_total{{{CONTAINER}}}": "1x120",
        f"container_memory_working_set_bytes{{{CONTAINER}}}": "1000x120",
        f'kube_pod_container_resource_limits{{{CONTAINER}, resource="memory"}}': "2000x120",
        f"kubelet_volume_stats_available_bytes{{{CLAIM}}}": "50x120",
        f"kubelet_volume_stats_capacity_bytes{{{CLAIM}}}": "100x120",
        f'kube_deployment_status_replicas_available{{{NAMESPACE}, deployment="convex-dashboard"}}': "1x120",
        f'certmanager_certificate_expiration_timestamp_seconds{{{NAMESPACE}, name="convex-tls"}}': "9000000x120",
    }
    for alert in FIRES:
        done = promtool(tmp_path, healthy, alert, "250m" if alert == "ConvexBackupMissing" else "100m", [])
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_pod_is_scraped_once() -> None:
    environment = case("monitoring").environment()
    monitor = one(environment, "ServiceMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    services = [m for m in environment.manifests if m["kind"] == "Service"]
    selected = [m for m in services if wanted <= m["metadata"]["labels"].items()]
    assert [m["metadata"]["name"] for m in selected] == ["convex-backend-svc"]
    assert monitor["endpoints"][0]["port"] in {port["name"] for port in selected[0]["spec"]["ports"]}


def test_monitoring_serves_metrics_and_the_edge_closes_them() -> None:
    environment = case("monitoring").environment()
    assert one(environment, "ConfigMap", "convex-config")["data"]["DISABLE_METRICS_ENDPOINT"] == "false"
    paths = [path["path"] for rule in one(environment, "Ingress")["spec"]["rules"] for path in rule["http"]["paths"]]
    assert "/metrics" in paths


@pytest.mark.parametrize(("key", "kind"), [("serviceMonitor", "ServiceMonitor"), ("rules", "PrometheusRule")])
@pytest.mark.parametrize("form", ["false", "{enabled: false}"])
def test_each_part_may_be_left_out(key: str, kind: str, form: str) -> None:
    kinds = {m["kind"] for m in environment_of(f"monitoring: {{enabled: true, {key}: {form}}}\n").manifests}
    assert {"ServiceMonitor", "PrometheusRule"} - kinds == {kind}
