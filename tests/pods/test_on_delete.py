"""A backend whose updates wait until somebody deletes its pod, by a patch of the StatefulSet."""

from __future__ import annotations

import json

from tests.support.node import Node
from tests.support.overlay_cases import environment_of
from tests.support.pods import apply, is_ready, light, pods, start, start_line, wait_until

POD = "convex-backend-0"
OVERLAY = """
s3: {enabled: false}
dashboard: {enabled: false}
backend:
  env: {RUST_LOG: info}
  persistence: {enabled: true, storageClassName: "", size: 1Gi}
patches:
  - target: {kind: StatefulSet}
    patch: {spec: {updateStrategy: {type: OnDelete}}}
"""


def test_a_changed_config_map_waits_for_the_deletion_of_the_pod(stand_in: Node, namespace: str) -> None:
    node = stand_in
    start(node, namespace, OVERLAY, "convex-backend")
    (before,) = pods(node, namespace, app="convex-backend")
    apply(node, namespace, light(environment_of(OVERLAY.replace("info", "debug")).manifests))

    def seen() -> bool:
        workload = node.object(namespace, "statefulset", "convex-backend")
        status = workload["status"]
        controlled = status.get("observedGeneration") == workload["metadata"]["generation"]
        return bool(controlled and status["updateRevision"] != before["metadata"]["labels"]["controller-revision-hash"])

    wait_until(seen, "the controller's sight of the change")
    (still,) = pods(node, namespace, app="convex-backend")
    assert still["metadata"]["uid"] == before["metadata"]["uid"]
    assert is_ready(still)
    node.kubectl("delete", "pod", POD, "--namespace", namespace)

    def rolled() -> bool:
        line = start_line(node, namespace, POD)
        return line is not None and (line["env"]["RUST_LOG"], line["starts"]) == ("debug", 2)

    wait_until(rolled, f"the pod with the change and the data; {json.dumps(still['metadata']['labels'])} before")
