"""What Convex needs of each Ingress controller, as annotations: pure, by the name of the class.

Uploads have no limit and a push of functions may have 200 MB; a response must begin within 300 seconds; the server
pings a websocket every 5 seconds, which every controller's idle time-out outlives. A controller that is not here, such
as Traefik, needs nothing of an Ingress.
"""

from __future__ import annotations

NGINX = {
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "300",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "300",
}
"""Its own limits are 1 MB and 60 seconds."""
HAPROXY = {"haproxy.org/timeout-server": "300s", "haproxy-ingress.github.io/timeout-server": "300s"}
"""Two controllers bear this name, and each ignores the other's annotation. Their own limit is 50 seconds."""
ALB = {
    "alb.ingress.kubernetes.io/target-type": "ip",
    "alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=300",
    "alb.ingress.kubernetes.io/success-codes": "200-499",
}
"""Its own limit is 60 seconds. Its default target type needs Services of type NodePort. HTTP actions have no page at
`/`: any answer below 500 counts as healthy, and the pod's own readiness probe says the rest."""

_BY_WORD = {"nginx": NGINX, "haproxy": HAPROXY, "alb": ALB}


def needed_annotations(class_name: str) -> dict[str, str]:
    """The annotations for a class. Without a class: nginx's, because the cluster's default class may be nginx."""
    if not class_name:
        return NGINX
    return next((annotations for word, annotations in _BY_WORD.items() if word in class_name), {})
