"""Monitoring by Prometheus Operator: a ServiceMonitor, and alerts for what hurts."""

from __future__ import annotations

from typing import Any

from cdk8s import ApiObject, JsonPatch

from constructs import Construct
from convex_k8s.backend import SCRAPED
from convex_k8s.naming import Naming
from convex_k8s.values.backup import seconds

API_VERSION = "monitoring.coreos.com/v1"
_SCHEDULED_LATE_S = 3600


class Monitoring(Construct):
    """The ServiceMonitor and the PrometheusRule `<release>-backend`."""

    def __init__(self, scope: Construct, id: str, naming: Naming) -> None:
        super().__init__(scope, id)
        self._naming = naming
        self._values = naming.values.monitoring
        self._name = f"{naming.release}-backend"
        if self._values.service_monitor.enabled:
            self._object("ServiceMonitor", self._values.service_monitor.labels, self._monitor())
        if self._values.rules.enabled:
            group = {"name": self._name, "rules": self._rules()}
            self._object("PrometheusRule", self._values.rules.labels, {"groups": [group]})

    def _object(self, kind: str, labels: dict[str, str], spec: dict[str, Any]) -> None:
        metadata = self._naming.plain_metadata(self._name, labels=labels)
        made = ApiObject(self, kind, api_version=API_VERSION, kind=kind, metadata=metadata)
        made.add_json_patch(JsonPatch.add("/spec", spec))

    def _monitor(self) -> dict[str, Any]:
        endpoint = {"port": "api", "path": "/metrics", "interval": self._values.service_monitor.interval}
        selector = {"matchLabels": {**self._naming.selector("backend"), **SCRAPED}}
        return {"selector": selector, "endpoints": [endpoint]}

    def _rules(self) -> list[dict[str, Any]]:
        pod = self._labels(pod=f"{self._name}-0")
        container = self._labels(pod=f"{self._name}-0", container="convex-backend")
        rules = [self._down(), self._restarting(container)]
        if self._naming.values.backend.resources.limits.memory:
            rules.append(self._memory(container, pod))
        if claim := self._claim():
            rules.append(self._volume(self._labels(persistentvolumeclaim=claim)))
        if self._naming.values.dashboard.enabled:
            rules.append(self._dashboard_down(self._labels(deployment=f"{self._naming.release}-dashboard")))
        if certificates := self._certificates():
            rules.append(self._certificate(self._labels(name=certificates, exact=False)))
        if self._naming.values.backup.enabled:
            rules += [self._backup_failed(), self._backup_missing()]
        return rules

    def _labels(self, *, exact: bool = True, **labels: str) -> str:
        """A selector of Prometheus's; without a namespace of its own the rule looks at all of them."""
        namespace = self._naming.values.namespace
        pairs = [f'namespace="{namespace}"'] if namespace else []
        return ", ".join([*pairs, *(f'{name}{"=" if exact else "=~"}"{value}"' for name, value in labels.items())])

    def _alert(self, name: str, expression: str, wait: str, severity: str, summary: str, remedy: str) -> dict[str, Any]:
        labels = {"severity": severity, "convex_release": self._naming.release, **self._values.rules.alert_labels}
        annotations = {"summary": f"{self._naming.release}: {summary}", "description": remedy}
        return {"alert": name, "expr": expression, "for": wait, "labels": labels, "annotations": annotations}

    def _down(self) -> dict[str, Any]:
        ready = f"kube_statefulset_status_replicas_ready{{{self._labels(statefulset=self._name)}}}"
        return self._alert(
            "ConvexBackendDown",
            f"{ready} == 0 or absent({ready})",
            "5m",
            "critical",
            "the backend has not been ready for 5 minutes",
            "Look at the pod's events and log: a database that does not answer, a Secret that is missing, or a "
            "migration that runs.",
        )

    def _restarting(self, container: str) -> dict[str, Any]:
        return self._alert(
            "ConvexBackendRestarting",
            f"increase(kube_pod_container_status_restarts_total{{{container}}}[30m]) >= 2",
            "0m",
            "warning",
            "the backend restarted several times within 30 minutes",
            "Read the end of the log before the restart (kubectl logs --previous): out of memory, or a database that "
            "is lost.",
        )

    def _memory(self, container: str, pod: str) -> dict[str, Any]:
        used = f"max by (namespace, pod) (container_memory_working_set_bytes{{{container}}})"
        limit = f'max by (namespace, pod) (kube_pod_container_resource_limits{{{container}, resource="memory"}})'
        return self._alert(
            "ConvexBackendMemoryNearLimit",
            f"{used} / {limit} > {self._values.rules.memory_percent / 100}",
            "15m",
            "warning",
            f"the backend uses more than {self._values.rules.memory_percent} % of its memory limit",
            "Memory grows with deploys and Node actions until a restart: restart it, set "
            "maintenance.restartSchedule, or raise backend.resources.limits.memory.",
        )

    def _volume(self, claim: str) -> dict[str, Any]:
        left = f"kubelet_volume_stats_available_bytes{{{claim}}} / kubelet_volume_stats_capacity_bytes{{{claim}}}"
        return self._alert(
            "ConvexVolumeFilling",
            f"{left} < {(100 - self._values.rules.volume_percent) / 100:g}",
            "15m",
            "warning",
            f"the volume at /convex/data is more than {self._values.rules.volume_percent} % full",
            "Grow the claim: a full volume stops writes.",
        )

    def _dashboard_down(self, deployment: str) -> dict[str, Any]:
        return self._alert(
            "ConvexDashboardDown",
            f"kube_deployment_status_replicas_available{{{deployment}}} == 0",
            "10m",
            "warning",
            "the dashboard has not been available for 10 minutes",
            "Clients and functions are not affected.",
        )

    def _certificate(self, names: str) -> dict[str, Any]:
        days = self._values.rules.certificate_days
        return self._alert(
            "ConvexCertificateNearEnd",
            f"certmanager_certificate_expiration_timestamp_seconds{{{names}}} - time() < {days * 86400}",
            "1h",
            "warning",
            f"the certificate {{{{ $labels.name }}}} ends in less than {days} days",
            "cert-manager renews it 30 days before: look at the events of the Certificate.",
        )

    def _backup_failed(self) -> dict[str, Any]:
        failed = self._labels(job_name=f"{self._naming.release}-backup-.*", exact=False)
        return self._alert(
            "ConvexBackupFailed",
            f'kube_job_failed{{{failed}, condition="true"}} == 1',
            "0m",
            "warning",
            "the backup Job {{ $labels.job_name }} failed",
            "The reason is the termination message of its pod. The alert ends when the Job is deleted.",
        )

    def _backup_missing(self) -> dict[str, Any]:
        job = self._labels(cronjob=f"{self._naming.release}-backup")
        due = f"kube_cronjob_status_last_schedule_time{{{job}}}"
        done = f"kube_cronjob_status_last_successful_time{{{job}}}"
        same = "on (namespace, cronjob)"
        return self._alert(
            "ConvexBackupMissing",
            f"{due} > {same} {done} or {due} unless {same} {done}",
            f"{seconds(self._naming.values.backup.timeout) + _SCHEDULED_LATE_S}s",
            "critical",
            "the last backup that was due has not succeeded",
            "Look at the Jobs of the CronJob and their pods. Until one succeeds the newest backup is the one before.",
        )

    def _claim(self) -> str:
        persistence = self._naming.values.backend.persistence
        if not persistence.enabled:
            return ""
        return persistence.existing_claim or f"data-{self._name}-0"

    def _certificates(self) -> str:
        """The Secrets whose certificates cert-manager names after them, as alternatives of a pattern."""
        ingress, gateway = self._naming.values.ingress, self._naming.values.gateway
        entries = [*ingress.tls, *ingress.dashboard.tls, *ingress.backend.tls, *ingress.site.tls]
        names = [entry.secret_name for entry in entries if entry.secret_name]
        if ingress.cert_manager.annotations or gateway.create.class_name:
            names.append(f"{self._naming.release}-.*tls")
        return "|".join(dict.fromkeys(names))
