"""Cases of the audit's rules in the short form of its examples: the rule, a name, lines that break it, put right."""

from __future__ import annotations

MOUNT = "volumeMounts: [{name: data, mountPath: %s}], volumes: [{name: data, persistentVolumeClaim: {claimName: c}}]"
CLAIM = (
    "volumeMounts: [{name: data, mountPath: /convex/data}], "
    "volumeClaimTemplates: [{metadata: {name: data}, spec: {%s}}]"
)
SECRETS = "backend: [{name: a, env: {INSTANCE_SECRET: %s}}, {name: b, env: {INSTANCE_SECRET: %s}}]"
TO_API = "backend: {}\ningress: {class: %s, paths: {api.example.com/: 3210}%s}"
BUDGET = """\
backend: {}
objects:
  - {kind: PodDisruptionBudget, metadata: {name: b}, spec: {%s, selector: {matchLabels: {app: %s}}}}
"""
TWO = """\
backend: {}
dashboard: {}
ingress: [{name: a, paths: {x.example.com/: 3210}}, {name: b, paths: {x.example.com/: 6791}%s}]
"""
SHARED_ORIGIN = "backend: [{name: a, env: {CONVEX_CLOUD_ORIGIN: '%s'}}, {name: b, env: {CONVEX_CLOUD_ORIGIN: '%s'}}]"
ORIGIN = "backend: {env: {CONVEX_CLOUD_ORIGIN: '%s', CONVEX_SITE_ORIGIN: '%s'}}"
MADE = """\
backend: {env: {POSTGRES_URL: "postgresql://app:x@db-rw:5432", INSTANCE_NAME: my-shop, DO_NOT_REQUIRE_SSL: "1"}}
objects:
  - {apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: db}, spec: {instances: 1}}
  - {apiVersion: postgresql.cnpg.io/v1, kind: Database, metadata: {name: a}, spec: {name: my_shop, cluster: {name: %s}}}
"""
KEY = "01" + "0" * 60
GOOGLE = """\
backend: {}
ingress: {class: gce, paths: {api.example.com/: "its:3210"}}
objects:
  - kind: Service
    metadata: {name: its, annotations: {cloud.google.com/backend-config: '{"default": "its"}'}}
    spec: {selector: {app: convex}, ports: [{port: 3210}]}
  - {kind: BackendConfig, metadata: {name: its}, spec: {timeoutSec: %s}}
"""
OPENSHIFT = """\
backend: {}
objects:
  - apiVersion: route.openshift.io/v1
    kind: Route
    metadata: {name: api, annotations: {%s}}
    spec: {host: api.example.com, to: {name: api}, port: {targetPort: api}}
"""
TUNNEL = "backend: {}\nobjects: [{kind: Pod, metadata: {name: t}, spec: {containers: [{name: t, image: %s}]}}]"

CASES = [
    (
        "programs-hidden",
        "the dashboard's folder",
        f"dashboard: {{{MOUNT % '/app/'}}}",
        f"dashboard: {{{MOUNT % '/tmp'}}}",
    ),
    ("programs-hidden", "a folder of the system", f"backend: {{{MOUNT % '/usr'}}}", f"backend: {{{MOUNT % '/usr/x'}}}"),
    (
        "sqlite-on-network-disk",
        "a class that says it",
        f"backend: {{{CLAIM % 'storageClassName: efs-sc'}}}",
        f"backend: {{{CLAIM % 'storageClassName: gp3'}}}",
    ),
    (
        "claim-too-small",
        "just below",
        f"backend: {{{CLAIM % 'resources: {requests: {storage: 1023Mi}}'}}}",
        f"backend: {{{CLAIM % 'resources: {requests: {storage: 1Gi}}'}}}",
    ),
    (
        "s3-path-style-missing",
        "an address",
        "backend: {buckets: files, env: {S3_ENDPOINT_URL: 'http://192.0.2.1:9000'}}",
        "backend: {buckets: files, env: {S3_ENDPOINT_URL: 'https://s3.example.com'}}",
    ),
    (
        "database-ca-unknown",
        "TLS is not required, which changes nothing",
        "backend: {env: {POSTGRES_URL: {secretKeyRef: {name: db-app, key: uri}}, DO_NOT_REQUIRE_SSL: '1'}}\n"
        "objects: [{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: db}}]",
        "backend: {env: {POSTGRES_URL: {secretKeyRef: {name: other, key: uri}}, DO_NOT_REQUIRE_SSL: '1'}}\n"
        "objects: [{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: db}}]",
    ),
    (
        "database-not-made",
        "a Database object for another Cluster makes none here",
        MADE % "other",
        MADE % "db",
    ),
    (
        "shared-instance-secret",
        "one value in two spellings",
        SECRETS % ("ab" * 32, "AB" * 32),
        SECRETS % ("ab" * 32, "cd" * 32),
    ),
    (
        "shared-instance-secret",
        "Secrets of one name in two namespaces are two",
        SECRETS % ("&s {secretKeyRef: {name: s, key: K}}", "*s"),
        "backend:\n"
        "  - {name: a, namespace: x, env: {INSTANCE_SECRET: &s {secretKeyRef: {name: s, key: K}}}}\n"
        "  - {name: b, namespace: y, env: {INSTANCE_SECRET: *s}}",
    ),
    (
        "memory-limit-missing",
        "a LimitRange sets one",
        "backend: {}",
        "backend: {}\nobjects: [{kind: LimitRange, metadata: {name: l}}]",
    ),
    (
        "drain-blocked",
        "none may go",
        BUDGET % ("maxUnavailable: 0%", "convex"),
        BUDGET % ("maxUnavailable: 1", "convex"),
    ),
    ("drain-blocked", "of other pods", BUDGET % ("minAvailable: 1", "convex"), BUDGET % ("minAvailable: 1", "other")),
    (
        "privileged-container",
        "a capability",
        "backend: {securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}}}",
        "backend: {securityContext: {capabilities: {add: [CHOWN]}}}",
    ),
    ("privileged-container", "the host's network", "backend: {hostNetwork: true}", "backend: {hostNetwork: false}"),
    (
        "token-mounted",
        "the account says no",
        "backend: {serviceAccountName: a}",
        "backend: {serviceAccountName: a}\n"
        "objects: [{kind: ServiceAccount, metadata: {name: a}, automountServiceAccountToken: false}]",
    ),
    (
        "site-origin-is-api",
        "unless the edge parts the paths",
        ORIGIN % ("https://x.example.com", "https://x.example.com"),
        ORIGIN % ("https://x.example.com", "https://x.example.com")
        + "\ningress: {paths: {x.example.com/api: 3210, x.example.com/: 3211}}",
    ),
    ("edge-unread", "a tunnel", TUNNEL % "cloudflare/cloudflared:1", TUNNEL % "nginx:1"),
    (
        "route-through-other",
        "the site's origin",
        "backend: {env: {CONVEX_SITE_ORIGIN: 'https://x.example.com'}}\n"
        "ingress: {paths: {x.example.com/: 'proxy:80'}}\n"
        "objects:\n"
        "  - {kind: Pod, metadata: {name: p, labels: {app: p}}, spec: {containers: [{name: p, image: caddy}]}}\n"
        "  - {kind: Service, metadata: {name: proxy}, spec: {selector: {app: p}, ports: [{port: 80}]}}",
        "backend: {env: {CONVEX_SITE_ORIGIN: 'https://x.example.com'}}\ningress: {paths: {x.example.com/: 3211}}",
    ),
    (
        "https-without-tls",
        "a certificate of another host",
        ORIGIN % ("https://x.example.com", "") + "\ningress: {paths: {x.example.com/: 3210}, tls: [y.example.com]}",
        ORIGIN % ("https://x.example.com", "") + "\ningress: {paths: {x.example.com/: 3210}, tls: ['*.example.com']}",
    ),
    (
        "origin-over-http",
        "an address of the internet, and a private one",
        ORIGIN % ("http://8.8.8.8:3210", ""),
        ORIGIN % ("http://10.0.0.8:3210", ""),
    ),
    ("origin-over-http", "a private name", ORIGIN % ("http://x.example.com", ""), ORIGIN % ("http://x.lan", "")),
    (
        "api-filtered",
        "addresses",
        TO_API % ("nginx", ", annotations: {nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8}"),
        TO_API % ("nginx", ", annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 1g}"),
    ),
    ("host-twice", "not for two classes", TWO % "", TWO % ", class: internal"),
    ("host-twice", "not for a canary", TWO % "", TWO % ", annotations: {nginx.ingress.kubernetes.io/canary: 'true'}"),
    (
        "shared-origin",
        "a local origin is each machine's own",
        SHARED_ORIGIN % ("https://a.example.com", "https://A.example.com"),
        SHARED_ORIGIN % ("http://localhost:3210", "http://localhost:3210"),
    ),
    (
        "metrics-edge-unseen",
        "a rule in sight is judged by another rule",
        "backend: {}",
        "backend: {}\ningress: {paths: {api.example.com/: 3210}}",
    ),
    (
        "proxy-timeout-short",
        "HAProxy",
        TO_API % ("haproxy", ""),
        TO_API % ("haproxy", ", annotations: {haproxy.org/timeout-server: 10m}"),
    ),
    ("proxy-timeout-short", "Google's", GOOGLE % 30, GOOGLE % 3600),
    (
        "proxy-timeout-short",
        "OpenShift's",
        OPENSHIFT % "",
        OPENSHIFT % "haproxy.router.openshift.io/timeout: 10m",
    ),
    (
        "admin-key-malformed",
        "another instance's",
        f"backend: {{env: {{INSTANCE_NAME: a, CONVEX_SELF_HOSTED_ADMIN_KEY: 'b|{KEY}'}}}}",
        f"backend: {{env: {{INSTANCE_NAME: a, CONVEX_SELF_HOSTED_ADMIN_KEY: 'a|{KEY}'}}}}",
    ),
    (
        "object-twice",
        "the same document twice is one",
        "backend: [{replicas: 1}, {replicas: 0}]",
        "backend: [{replicas: 1}, {replicas: 1}]",
    ),
]
