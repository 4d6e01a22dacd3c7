"""Values of monitoring: metrics, who scrapes them, and alerts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from convex_k8s.values.base import LabelKey, LabelValue, Model, TextLike

Duration = Annotated[str, TextLike(r"[1-9][0-9]*(ms|s|m|h|d)", "a time of Prometheus's like 30s or 5m")]
AlertLabel = Annotated[
    str, TextLike(r"(?!__)[A-Za-z_][A-Za-z0-9_]*", "the name of a label of Prometheus's like team (letters, digits, _)")
]
Percent = Annotated[int, Field(ge=1, le=99)]


class ServiceMonitor(Model):
    """The ServiceMonitor by which Prometheus Operator scrapes the backend."""

    enabled: bool = True
    """Make the ServiceMonitor, if monitoring is on."""
    interval: Duration = "30s"
    """Time between two scrapes."""
    labels: dict[LabelKey, LabelValue] = {}
    """Labels by which your Prometheus selects it, for instance `release: kube-prometheus-stack`."""


class Rules(Model):
    """Alerts, as a PrometheusRule."""

    enabled: bool = True
    """Make the PrometheusRule, if monitoring is on."""
    labels: dict[LabelKey, LabelValue] = {}
    """Labels by which your Prometheus selects the PrometheusRule."""
    alert_labels: dict[AlertLabel, str] = {}
    """Labels of each alert, for instance a team."""
    memory_percent: Percent = 90
    """Part of the memory limit, in percent, above which the alert fires."""
    volume_percent: Percent = 85
    """Part of the volume, in percent, above which the alert fires."""
    certificate_days: Annotated[int, Field(ge=1, le=90)] = 14
    """Days before its end at which a certificate of cert-manager's should have been renewed."""


def _switch(value: Any) -> Any:
    return {"enabled": value} if isinstance(value, bool) else value


class Monitoring(Model):
    """Metrics, with what Prometheus Operator needs to read them and to warn."""

    enabled: bool = False
    """Serve metrics inside the cluster (as `backend.metrics.enabled` does), and make the objects below."""
    service_monitor: Annotated[
        ServiceMonitor, BeforeValidator(_switch, json_schema_input_type=ServiceMonitor | bool)
    ] = ServiceMonitor()
    """The ServiceMonitor; `true` or `false` for short."""
    rules: Annotated[Rules, BeforeValidator(_switch, json_schema_input_type=Rules | bool)] = Rules()
    """The alerts; `true` or `false` for short. They read metrics of kubelet, kube-state-metrics and cert-manager."""
