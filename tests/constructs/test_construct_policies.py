"""NetworkPolicies, PodDisruptionBudgets, the labels of the Namespace, and the restart on a schedule."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from convexctl.synth.environment import NAMESPACE
from tests.support.overlay_cases import INGRESS, case, environment_of, faults_of, one, overlay_of

EDGE = "networkPolicy: {enabled: true, ingressNSMatchLabels: {kubernetes.io/metadata.name: traefik}}\n"
METADATA = "169.254.0.0/16"


def policy(overlay: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = one(environment_of(overlay), "NetworkPolicy", f"convex-{name}")["spec"]
    return spec


def kinds(overlay: str) -> list[str]:
    return [manifest["kind"] for manifest in environment_of(overlay).manifests]


def test_nothing_of_this_is_made_unless_it_is_asked_for() -> None:
    assert not {"NetworkPolicy", "PodDisruptionBudget", "CronJob", "ServiceMonitor", "PrometheusRule"} & set(
        kinds("{}")
    )


def test_every_pod_of_the_release_denies_what_is_not_allowed() -> None:
    environment = environment_of(
        INGRESS
        + EDGE
        + "instance: {name: a}\nsecrets: {provider: bootstrap}\nmaintenance: {restartSchedule: '@daily'}\n"
    )
    deny = one(environment, "NetworkPolicy", "convex-default-deny")["spec"]
    assert (deny["policyTypes"], "ingress" in deny) == (["Ingress"], False)
    selector = deny["podSelector"]["matchLabels"].items()
    for manifest in environment.manifests:
        spec = manifest.get("spec", {})
        spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
        if "template" in spec and manifest["kind"] != "ExternalSecret":
            assert selector <= spec["template"]["metadata"]["labels"].items(), manifest["kind"]


def test_the_edge_alone_calls_backend_and_dashboard() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}]
    assert policy(INGRESS + EDGE, "backend")["ingress"] == [
        {"from": peers, "ports": [{"port": 3210, "protocol": "TCP"}, {"port": 3211, "protocol": "TCP"}]}
    ]
    assert policy(INGRESS + EDGE, "dashboard")["ingress"] == [
        {"from": peers, "ports": [{"port": 6791, "protocol": "TCP"}]}
    ]
    assert "egress" not in policy(INGRESS + EDGE, "dashboard")
    assert policy(INGRESS + EDGE, "dashboard")["policyTypes"] == ["Ingress", "Egress"]


INSTANCE = "instance: {existingSecret: a}\nnetworkPolicy: {enabled: true}\n"
PUSH = "functions: {image: 'registry.example.com/team/functions:1'}\n"
BACKUP = "backup: {enabled: true, destination: claim, claim: {existingClaim: backups}}\n"
JOBS = {"convex-functions": PUSH, "convex-backup": BACKUP, "convex-restore": BACKUP}


@pytest.mark.parametrize("app", JOBS)
def test_a_job_that_calls_the_backend_may_do_so(app: str) -> None:
    api = [{"port": 3210, "protocol": "TCP"}]
    allowed = policy(INSTANCE + JOBS[app], "backend")["ingress"]
    assert [rule["ports"] for rule in allowed if {"podSelector": {"matchLabels": {"app": app}}} in rule["from"]] == [
        api
    ]
    others = [job for job in JOBS if JOBS[job] != JOBS[app]]
    assert not any(other in yaml.safe_dump(allowed) for other in others)


def test_no_job_is_limited_on_its_way_out() -> None:
    overlay = INSTANCE.replace("existingSecret: a", "name: a") + PUSH + BACKUP
    environment = environment_of(overlay + "secrets: {provider: bootstrap}\nmaintenance: {restartSchedule: '@daily'}\n")
    jobs = [manifest for manifest in environment.manifests if manifest["kind"] in ("Job", "CronJob")]
    assert len(jobs) >= 4
    limits = [
        manifest["spec"]["podSelector"]["matchLabels"]
        for manifest in environment.manifests
        if manifest["kind"] == "NetworkPolicy" and "Egress" in manifest["spec"]["policyTypes"]
    ]
    for job in jobs:
        spec = job["spec"]["jobTemplate"]["spec"] if job["kind"] == "CronJob" else job["spec"]
        labels = spec["template"]["metadata"]["labels"].items()
        assert not any(limit.items() <= labels for limit in limits), job["metadata"]["name"]


def test_without_an_edge_nobody_calls_the_pods() -> None:
    spec = policy("networkPolicy: {enabled: true}\n", "backend")
    assert ("ingress" in spec, spec["policyTypes"]) == (False, ["Ingress", "Egress"])


def test_a_service_that_is_open_by_itself_stays_so() -> None:
    rules = policy("networkPolicy: {enabled: true}\nservice: {backend: {type: LoadBalancer}}\n", "backend")["ingress"]
    assert [("from" in rule, rule["ports"][0]["port"]) for rule in rules] == [(False, 3210)]


def test_functions_call_everybody_but_the_clouds_metadata() -> None:
    dns, everybody = policy(INGRESS + EDGE, "backend")["egress"]
    assert [entry["port"] for entry in dns["ports"]] == [53, 53]
    assert everybody == {"to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0", "except": [METADATA]}}]}


def test_functions_call_what_is_listed() -> None:
    egress = policy_of("network-policy-listed", "backend")["egress"]
    assert [rule["to"] for rule in egress if "to" in rule] == [
        [{"ipBlock": {"cidr": "10.1.0.0/24"}}],
        [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "minio"}},
                "podSelector": {"matchLabels": {"app": "minio"}},
            }
        ],
        [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}},
                "podSelector": {"matchLabels": {"app": "envoy"}},
            }
        ],
        [{"ipBlock": {"cidr": "203.0.113.10/32"}}],
        [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.1/32"]}}],
    ]


def policy_of(name: str, component: str) -> dict[str, Any]:
    spec: dict[str, Any] = one(case(name).environment(), "NetworkPolicy", f"convex-{component}")["spec"]
    return spec


@pytest.mark.parametrize(
    ("overlay", "port"),
    [
        pytest.param("postgres: {enabled: true}\ns3: {enabled: false}\n", 5432, id="Postgres"),
        pytest.param("mysql: {enabled: true}\ns3: {enabled: false}\n", 3306, id="MySQL"),
        pytest.param("s3: {endpoint: 'http://minio:9000'}\n", 9000, id="S3 on a port of its own"),
        pytest.param("{}\n", 443, id="S3"),
    ],
)
def test_what_is_not_placed_is_allowed_on_its_port_alone(overlay: str, port: int) -> None:
    listed = "networkPolicy: {enabled: true, egress: listed}\n"
    text = listed if overlay == "{}\n" else overlay + listed
    rules = [rule for rule in policy(text, "backend")["egress"] if "to" in rule]
    assert [[entry["port"] for entry in rule["ports"]] for rule in rules] == [[port]]
    assert all(peer.get("ipBlock", {}).get("except", [METADATA]) == [METADATA] for rule in rules for peer in rule["to"])


def test_pod_identity_is_reached_where_s3_needs_it() -> None:
    overlay = "s3: {credentials: ambient, region: eu-central-1}\nnetworkPolicy: {enabled: true}\n"
    agents = [rule["to"] for rule in policy(overlay, "backend")["egress"] if "to" in rule][1:]
    assert agents == [[{"ipBlock": {"cidr": "169.254.170.23/32"}}]]


@pytest.mark.parametrize(
    ("overlay", "warning"),
    [
        pytest.param(
            INGRESS + "networkPolicy: {enabled: true}\n",
            "networkPolicy.ingressNSMatchLabels: is empty, so every pod of the cluster may call",
            id="an edge from anywhere",
        ),
        pytest.param(
            "networkPolicy: {enabled: true, s3: [{ipBlock: {cidr: 10.0.0.0/8}}]}\n",
            "networkPolicy.s3: does nothing while networkPolicy.egress is all",
            id="a place that does not count",
        ),
        pytest.param(
            "podDisruptionBudget: {enabled: true}\n", "podDisruptionBudget.enabled: makes nothing", id="no budget"
        ),
        pytest.param(
            "dashboard: {replicaCount: 2}\npodDisruptionBudget: {enabled: true, dashboard: {maxUnavailable: 2}}\n",
            "podDisruptionBudget.dashboard.maxUnavailable: is 2, all pods of the dashboard",
            id="a budget that keeps nothing",
        ),
        pytest.param(
            "service: {backend: {type: NodePort, nodePort: 80}}\n",
            "service.backend.nodePort: is 80, and a cluster refuses ports of nodes outside 30000-32767",
            id="a port that nodes do not have",
        ),
    ],
)
def test_warned_about(overlay: str, warning: str) -> None:
    assert any(warning in text for text in overlay_of(overlay).warnings)


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        pytest.param(
            "networkPolicy: {database: [{ipBlock: {cidr: 10.0.0.1}}]}\n",
            "test.yaml:1: networkPolicy.database[0].ipBlock.cidr: must be a network: write 10.0.0.1/32",
            id="an address",
        ),
        pytest.param(
            "networkPolicy: {database: [{podSelector: {matchLabel: {a: b}}}]}\n",
            "test.yaml:1: networkPolicy.database[0].podSelector.matchLabel: is not a parameter: did you mean "
            "networkPolicy.database[0].podSelector.matchLabels?",
            id="a misspelt field",
        ),
        pytest.param(
            "maintenance: {restartSchedule: daily}\n",
            "test.yaml:1: maintenance.restartSchedule: must be a schedule of five fields like `0 3 * * *`, "
            "or @daily or @weekly, not daily",
            id="no schedule",
        ),
        pytest.param(
            "networkPolicy: {origins: [{}]}\n",
            "test.yaml:1: networkPolicy.origins[0]: is empty: name an ipBlock, a namespaceSelector or a podSelector",
            id="nobody",
        ),
        pytest.param(
            "networkPolicy: {s3: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}\n",
            "test.yaml:1: networkPolicy.s3[0]: has an ipBlock beside a selector, which Kubernetes refuses: make two "
            "items of it",
            id="pods and addresses",
        ),
        *(
            pytest.param(
                f"networkPolicy: {{s3: [{{ipBlock: {{cidr: 10.0.0.0/8, except: [{part}]}}}}]}}\n",
                f"test.yaml:1: networkPolicy.s3[0].ipBlock.except[0]: is {part}, which is not a part of 10.0.0.0/8",
                id=f"except {part}",
            )
            for part in ("192.168.0.0/16", "10.0.0.0/8", "'fd00::/64'")
        ),
    ],
)
def test_refused(overlay: str, message: str) -> None:
    assert [text.replace("'", "") for text in faults_of(overlay)] == [message.replace("'", "")]


def test_budgets_never_block_a_drain_for_ever() -> None:
    budgets = [m for m in case("pod-disruption-budgets").environment().manifests if m["kind"] == "PodDisruptionBudget"]
    assert {budget["metadata"]["name"] for budget in budgets} == {"convex-dashboard", "convex-backend"}
    most = {budget["metadata"]["name"]: budget["spec"]["maxUnavailable"] for budget in budgets}
    assert most == {"convex-dashboard": 2, "convex-backend": 1}
    for budget in budgets:
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert "minAvailable" not in budget["spec"]


def test_a_dashboard_of_one_pod_has_no_budget() -> None:
    assert "PodDisruptionBudget" not in kinds("podDisruptionBudget: {enabled: true}\n")


def test_the_namespace_enforces_baseline_and_warns_of_restricted() -> None:
    namespace = yaml.safe_load(case("namespace-created").environment().files[NAMESPACE])
    labels = {key: value for key, value in namespace["metadata"]["labels"].items() if key.startswith("pod-security")}
    assert labels == {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
    }


def test_the_restart_may_touch_this_stateful_set_and_nothing_else() -> None:
    environment = case("maintenance").environment()
    assert one(environment, "Role")["rules"] == [
        {"apiGroups": ["apps"], "resources": ["statefulsets"], "resourceNames": ["convex-backend"], "verbs": ["patch"]}
    ]
    spec = one(environment, "CronJob")["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 4 * * 0", "Europe/Berlin", "Forbid")
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    backend = one(environment, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert pod["containers"][0]["image"] == backend["image"]
    assert pod["securityContext"]["runAsNonRoot"] is True
