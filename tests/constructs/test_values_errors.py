"""What is refused in an overlay, and in which words: file, line, key path, what is wrong and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexctl.overlays.load import load_overlays
from convexctl.overlays.names import OverlayError, overlay_names
from tests.support.overlay_cases import INGRESS, faults_of

BUCKET = "a bucket name (3 to 63 lower-case letters, digits, dashes and single dots, and no address)"
NAME = "must be the name of an object (lower-case letters, digits, dashes, dots), not its content"
HOST = "must be a host name like api.example.com, without scheme, port or path, and no IP address"
NO_POD = (
    "which Pod Security baseline refuses, and the namespace that createNamespace makes enforces that: no pod would be "
    "made. Leave it out, or make the namespace yourself"
)
ORIGIN = "must be an origin: http:// or https://, a host and perhaps a port"


def case(id: str, overlay: str, *messages: str) -> object:
    return pytest.param(overlay, [f"test.yaml:{message}" for message in messages], id=id)


UNKNOWN_KEYS = [
    case(
        "misspelt",
        "backend:\n  image:\n    tga: latest\n",
        "3: backend.image.tga: is not a parameter: did you mean backend.image.tag?",
    ),
    case(
        "snake_case",
        "postgres:\n  existing_secret: db\n",
        "2: postgres.existing_secret: is not a parameter: did you mean postgres.existingSecret?",
    ),
    case(
        "wrong case",
        "convexconfig:\n  requireSsl: true\n",
        "1: convexconfig: is not a parameter: did you mean convexConfig?",
    ),
    case(
        "right name on the wrong level",
        "buckets:\n  files: mine\n",
        "1: buckets: is not a parameter here: did you mean s3.buckets?",
    ),
    case(
        "right name, on several other levels",
        "host: api.example.com\n",
        "1: host: is not a parameter here: did you mean postgres.host or mysql.host or ingress.dashboard.host or "
        "ingress.backend.host?",
    ),
    case(
        "like nothing: what is known there is listed",
        "instance:\n  colour: red\n",
        "2: instance.colour: is not a parameter; known here: name, existingSecret, keys",
    ),
    case(
        "in a list",
        INGRESS + "  tls:\n    - secret: tls\n",
        "7: ingress.tls[0].secret: is not a parameter: did you mean ingress.tls[0].secretName?",
    ),
    case(
        "extends below the top",
        "backend:\n  extends: other\n",
        "2: backend.extends: is not a parameter; known here: nodeSelector, tolerations, priorityClassName, "
        "podAnnotations, podLabels, affinity, topologySpreadConstraints, hostAliases, initContainers, extraContainers, "
        "extraVolumes, extraVolumeMounts, serviceAccount, image, secretsName, persistence, env, envFrom, paused, tmp, "
        "metrics, extraCaSecret, extraCaKey, terminationGracePeriodSeconds, resources, probes, securityContext, "
        "serviceAccountName",
    ),
]

TYPES = [
    case(
        "a number for a text",
        "backend:\n  image:\n    tag: 12\n",
        "3: backend.image.tag: must be a string, not a number: put it in quotes",
    ),
    case(
        "a boolean for a text",
        "ingress:\n  annotations:\n    nginx.ingress.kubernetes.io/ssl-redirect: true\n",
        '3: ingress.annotations["nginx.ingress.kubernetes.io/ssl-redirect"]: '
        "must be a string, not a boolean: put it in quotes",
    ),
    case(
        "a text for a number",
        'service:\n  backend:\n    port: "3210"\n',
        "3: service.backend.port: must be a whole number, not a string: write 3210 without quotes",
    ),
    case(
        "a fraction for a whole number",
        "dashboard:\n  replicaCount: 1.5\n",
        "2: dashboard.replicaCount: must be a whole number, not 1.5",
    ),
    case(
        "a boolean for a number",
        "dashboard:\n  replicaCount: true\n",
        "2: dashboard.replicaCount: must be a whole number, not true",
    ),
    case(
        "a text for a boolean",
        'ingress:\n  enabled: "yes"\n',
        "2: ingress.enabled: must be true or false, not a string: write true without quotes",
    ),
    case(
        "a number for a boolean",
        "ingress:\n  enabled: 1\n",
        "2: ingress.enabled: must be true or false, not 1",
    ),
    case(
        "a word like a boolean for a number",
        'backend:\n  terminationGracePeriodSeconds: "yes"\n',
        "2: backend.terminationGracePeriodSeconds: must be a whole number, not 'yes'",
    ),
    case("a text for a map", "backend: small\n", "1: backend: must be a map of keys and values, not 'small'"),
    case("a list for a map", "backend: [1]\n", "1: backend: must be a map of keys and values, not a list"),
    case(
        "a map for a list",
        "ingress:\n  tls:\n    hosts: [a.example.com]\n",
        "2: ingress.tls: must be a list, not a map",
    ),
    case(
        "an empty entry of a list",
        "imagePullSecrets:\n  -\n",
        "2: imagePullSecrets[0]: must be a map of keys and values; it is empty",
    ),
    case(
        "a key missing in a list",
        "backend:\n  envFrom:\n    - secretRef: {optional: true}\n",
        "3: backend.envFrom[0].secretRef.name: is missing",
    ),
    case(
        "none of the choices",
        "service:\n  backend:\n    type: Loadbalancer\n",
        "3: service.backend.type: must be one of ClusterIP, NodePort, LoadBalancer, not 'Loadbalancer': "
        "did you mean LoadBalancer?",
    ),
    case(
        "a map as a variable",
        "backend:\n  env:\n    MY_VARIABLE:\n      valueFrom: {}\n",
        "3: backend.env.MY_VARIABLE: must be a string, a number or a boolean; a value from a Secret belongs "
        "under backend.envFrom",
    ),
]

FORMS = [
    case(
        "port 0",
        "service:\n  backend:\n    port: 0\n",
        "3: service.backend.port: must be at least 1, not 0",
    ),
    case(
        "port 65536",
        "service:\n  dashboard:\n    targetPort: 65536\n",
        "3: service.dashboard.targetPort: must be at most 65535, not 65536",
    ),
    case(
        "host with a scheme",
        "ingress:\n  backend:\n    host: https://api.example.com\n",
        f"3: ingress.backend.host: {HOST}, not 'https://api.example.com'",
    ),
    case(
        "host in capitals",
        "ingress:\n  backend:\n    host: API.example.com\n",
        f"3: ingress.backend.host: {HOST}, not 'API.example.com'",
    ),
    case(
        "host that is an address",
        "ingress:\n  backend:\n    host: 192.0.2.1\n",
        f"3: ingress.backend.host: {HOST}, not '192.0.2.1'",
    ),
    case(
        "namespace that is no label",
        "namespace: team.a\n",
        "1: namespace: must be a DNS label (lower-case letters, digits, dashes), not 'team.a'",
    ),
    case(
        "name of an object with capitals",
        "backend:\n  secretsName: My_Secret\n",
        f"2: backend.secretsName: {NAME}",
    ),
    case(
        "key with a slash",
        "s3:\n  keys:\n    region: aws/region\n",
        "3: s3.keys.region: must be the key inside the Secret (letters, digits, -, _ and .)",
    ),
    case(
        "size that is not a quantity",
        "backend:\n  persistence:\n    size: 5 GB\n",
        "3: backend.persistence.size: must be a Kubernetes quantity like 500m, 2 or 5Gi, not '5 GB'",
    ),
    case(
        "memory below nothing",
        "backend:\n  resources:\n    limits:\n      memory: -1\n",
        "4: backend.resources.limits.memory: must be a Kubernetes quantity like 500m, 2 or 5Gi, not '-1'",
    ),
    case(
        "volume of no size",
        "backend:\n  persistence:\n    size: 0\n",
        "3: backend.persistence.size: must be at least one byte: write 5Gi, say",
    ),
    case(
        "volume of a thousandth of a byte",
        "backend:\n  persistence:\n    size: 1m\n",
        "3: backend.persistence.size: is 0.001 bytes, because m means a thousandth: write 1Mi",
    ),
    case(
        "quantity beyond all bounds",
        "backend:\n  persistence:\n    size: 1e99999999999999999999\n",
        "3: backend.persistence.size: must be a Kubernetes quantity like 500m, 2 or 5Gi, not '1e99999999999999999999'",
    ),
    case(
        "origin without a scheme",
        "convexConfig:\n  cloudOrigin: api.example.com\n",
        f"2: convexConfig.cloudOrigin: {ORIGIN}, not 'api.example.com'",
    ),
    case(
        "origin with another scheme",
        "convexConfig:\n  siteOrigin: ftp://api.example.com\n",
        f"2: convexConfig.siteOrigin: {ORIGIN}, not 'ftp://api.example.com'",
    ),
    case(
        "origin without a host",
        "convexConfig:\n  cloudOrigin: https://:3210\n",
        "2: convexConfig.cloudOrigin: must have a host name or IPv4 address after https://, not 'https://:3210'",
    ),
    case(
        "origin with an impossible port",
        "convexConfig:\n  cloudOrigin: https://api.example.com:99999\n",
        "2: convexConfig.cloudOrigin: has a port that is not a number from 1 to 65535, "
        "not 'https://api.example.com:99999'",
    ),
    case(
        "cloud origin with a slash at the end",
        "convexConfig:\n  cloudOrigin: https://api.example.com/\n",
        "2: convexConfig.cloudOrigin: must not end in a slash: write https://api.example.com",
    ),
    case(
        "cloud origin with a path",
        "convexConfig:\n  cloudOrigin: https://api.example.com/convex\n",
        "2: convexConfig.cloudOrigin: must be an origin without a path: write https://api.example.com",
    ),
    case(
        "site origin with another path than /http",
        "convexConfig:\n  siteOrigin: https://api.example.com/actions\n",
        "2: convexConfig.siteOrigin: must be an origin without a path: write https://api.example.com, "
        "or that with /http behind it",
    ),
    case(
        "S3 endpoint without its scheme",
        "s3:\n  endpoint: s3.example.com\n",
        "2: s3.endpoint: must be the endpoint's URL: http:// or https://, a host and perhaps a port, "
        "not 's3.example.com'",
    ),
    case(
        "endpoint with a password",
        "s3:\n  endpoint: https://key:hunter2@s3.example.com\n",
        "2: s3.endpoint: must have no user name or password in it: write https://, the host and perhaps a port",
    ),
    case(
        "bucket with capitals",
        "s3:\n  buckets:\n    files: Files\n",
        f"3: s3.buckets.files: must be {BUCKET}, not 'Files'",
    ),
    case(
        "bucket with an empty part",
        "s3:\n  buckets:\n    files: a..b\n",
        f"3: s3.buckets.files: must be {BUCKET}, not 'a..b'",
    ),
    case("bucket that is an address", "s3:\n  bucket: 10.0.0.1\n", f"2: s3.bucket: must be {BUCKET}, not '10.0.0.1'"),
    case(
        "bucket left empty: half an S3 configuration",
        's3:\n  buckets:\n    search: ""\n',
        f"3: s3.buckets.search: must be {BUCKET}, not ''",
    ),
    case(
        "tag within the repository",
        "backend:\n  image:\n    repository: registry.example.com/convex-backend:latest\n",
        "3: backend.image.repository: must be an image repository without a tag, "
        "like registry.example.com/team/image, not 'registry.example.com/convex-backend:latest'",
    ),
    case(
        "digest cut short",
        "backend:\n  image:\n    digest: sha256:abc\n",
        "3: backend.image.digest: must be sha256: and 64 hex digits, not 'sha256:abc'",
    ),
    case(
        "variable with a dash",
        "backend:\n  env:\n    MY-FLAG: true\n",
        "3: backend.env.MY-FLAG: must be the name of an environment variable (letters, digits, _; at most 253), "
        "not 'MY-FLAG'",
    ),
    case(
        "label value with a space",
        "commonLabels:\n  team: a b\n",
        "2: commonLabels.team: must be a label value (at most 63 letters, digits, -, _ and .), not 'a b'",
    ),
    case(
        "label that every object has",
        "commonLabels:\n  app: mine\nbackend:\n  podLabels:\n    app.kubernetes.io/part-of: platform\n",
        "2: commonLabels.app: is a label that every object has already: choose another key",
        '5: backend.podLabels["app.kubernetes.io/part-of"]: is a label that every object has already: '
        "choose another key",
    ),
    case(
        "annotation that rolls the pods",
        "backend:\n  podAnnotations:\n    checksum/config: mine\n",
        '3: backend.podAnnotations["checksum/config"]: is set by the backend itself: choose another key',
    ),
    *[
        case(
            f"text that kubectl reads otherwise: {text}",
            f'backend:\n  env:\n    MY_TEXT: "{text}"\n',
            "3: backend.env.MY_TEXT: is a text that kubectl would read differently (a number like 0o17, odd "
            "control characters, or lines of nothing but spaces): change it",
        )
        for text in (
            "0o17",
            "0X1F",
            "a\\u0085b",
            "\\tfirst\\nsecond",
            "a text of two lines\\r\\n \\nthat is long enough to be folded",
            "a text of more than forty characters\\n \\nwith spaces at the end\\n  ",
        )
    ],
    case(
        "tolerations that Kubernetes refuses",
        """backend:
  tolerations:
    - {key: a, operator: Exists, value: b}
    - {value: b}
    - {key: a, effect: NoSchedule, tolerationSeconds: 5}
    - {key: a b}
    - {key: a, value: b c}
""",
        "3: backend.tolerations[0]: has a value, and operator Exists compares none: remove it, or write operator Equal",
        "4: backend.tolerations[1]: has no key: add one, or write operator Exists, which then accepts every taint",
        "5: backend.tolerations[2]: has tolerationSeconds, which go with effect NoExecute only",
        "6: backend.tolerations[3].key: must be a label key like team or example.com/team, not 'a b'",
        "7: backend.tolerations[4].value: must be a label value (at most 63 letters, digits, -, _ and .), not 'b c'",
    ),
    case(
        "seccomp profile without a file",
        "dashboard:\n  securityContext:\n    seccompProfile: {type: Localhost}\n",
        "3: dashboard.securityContext.seccompProfile: must have type Localhost and a localhostProfile, or neither",
    ),
    *[
        case(
            f"seccomp profile {path}",
            f"backend:\n  securityContext:\n    seccompProfile: {{type: Localhost, localhostProfile: {path}}}\n",
            "3: backend.securityContext.seccompProfile.localhostProfile: must be a path below the node's folder of "
            f"seccomp profiles, without / in front and without .., not '{path}'",
        )
        for path in ("/a", "../a", "a/../b", "a/..")
    ],
    case(
        "capability with its prefix",
        "backend:\n  securityContext:\n    capabilities:\n      add: [CAP_SYS_ADMIN]\n",
        "4: backend.securityContext.capabilities.add[0]: must be a Linux capability like DAC_OVERRIDE, without CAP_ in "
        "front, or ALL, not 'CAP_SYS_ADMIN'",
    ),
    case(
        "what Pod Security baseline refuses",
        """namespace: convex
createNamespace: true
backend:
  securityContext:
    capabilities: {add: [CHOWN, SYS_ADMIN]}
dashboard:
  securityContext:
    seccompProfile: {type: Unconfined}
""",
        f"5: backend.securityContext.capabilities.add[1]: is SYS_ADMIN, {NO_POD}",
        f"8: dashboard.securityContext.seccompProfile.type: is Unconfined, {NO_POD}",
    ),
    case(
        "user ids beyond what Kubernetes takes",
        """backend:
  securityContext:
    runAsGroup: 2147483648
    fsGroup: 4294967296
dashboard:
  securityContext:
    runAsUser: 2147483648
""",
        "3: backend.securityContext.runAsGroup: must be at most 2147483647, not 2147483648",
        "4: backend.securityContext.fsGroup: must be at most 2147483647, not 4294967296",
        "7: dashboard.securityContext.runAsUser: must be at most 2147483647, not 2147483648",
    ),
    case(
        "counts and seconds beyond what Kubernetes takes",
        """backend:
  terminationGracePeriodSeconds: 9223372036854775807
  probes:
    startup: {failureThreshold: 2147483648}
dashboard:
  replicaCount: 2147483648
""",
        "2: backend.terminationGracePeriodSeconds: must be at most 2147483647, not 9223372036854775807",
        "4: backend.probes.startup.failureThreshold: must be at most 2147483647, not 2147483648",
        "6: dashboard.replicaCount: must be at most 2147483647, not 2147483648",
    ),
    case(
        "prefix that begins no variable",
        "backend:\n  envFrom:\n    - {prefix: 1 a=, secretRef: {name: a}}\n",
        "3: backend.envFrom[0].prefix: must be the beginning of a variable's name (letters, digits, _), not '1 a='",
    ),
    case(
        "variable's name too long",
        f"backend:\n  env:\n    {'A' * 254}: x\n",
        f"3: backend.env.{'A' * 254}: must be the name of an environment variable (letters, digits, _; at most 253): "
        "it has 254 characters, and 253 are the most",
    ),
    case(
        "pull secret twice",
        "imagePullSecrets:\n  - a\n  - b\n  - name: a\n",
        "4: imagePullSecrets[2]: is in the list already, which server-side apply refuses: remove it",
    ),
    *[
        case(
            f"key of a Secret {key}",
            f"postgres:\n  caKey: {key}\ns3:\n  keys:\n    endpoint: {key}\n",
            "2: postgres.caKey: must be the key inside the Secret (letters, digits, -, _ and .)",
            "5: s3.keys.endpoint: must be the key inside the Secret (letters, digits, -, _ and .)",
        )
        for key in (".", "..", "..a")
    ],
    case(
        "label prefix too long",
        f"commonLabels:\n  ? {'a.' * 126}bc/d\n  : x\n",
        f'2: commonLabels["{"a." * 126}bc/d"]: must be a label key like team or example.com/team',
    ),
    case(
        "release name too long",
        f"releaseName: {'a' * 45}\n",
        "1: releaseName: must be a name of lower-case letters, digits and dashes that begins with a letter, "
        "of at most 44 characters (a label made from it, <releaseName>-backend-<hash of ten>, may have 63): "
        "it has 45 characters, and 44 are the most",
    ),
    case(
        "release name that begins with a digit",
        "releaseName: 1convex\n",
        "1: releaseName: must be a name of lower-case letters, digits and dashes that begins with a letter, "
        "of at most 44 characters (a label made from it, <releaseName>-backend-<hash of ten>, may have 63), "
        "not '1convex'",
    ),
]

INSTANCE_NAME = (
    "2: instance.name: must be a name of lower-case letters, digits, - and _ that begins with a letter and has "
    "at most 63 characters: the database is named after it, and : and | would break the admin keys, not "
)
RELATIONS = [
    case("instance name with a colon", "instance:\n  name: a:b\n", INSTANCE_NAME + "'a:b'"),
    case("instance name with a bar", "instance:\n  name: a|b\n", INSTANCE_NAME + "'a|b'"),
    case("instance name that makes no database name", "instance:\n  name: Team A\n", INSTANCE_NAME + "'Team A'"),
    case(
        "two backends",
        "replicaCount: 2\n",
        "1: replicaCount: must be 1: the backend has exactly one writer, and a second one would fight it over "
        "the database. For more dashboard pods set dashboard.replicaCount",
    ),
    case(
        "no backend",
        "replicaCount: 0\n",
        "1: replicaCount: must be 1: the backend has exactly one writer, and a second one would fight it over "
        "the database. For more dashboard pods set dashboard.replicaCount",
    ),
    case(
        "two databases",
        "postgres:\n  enabled: true\nmysql:\n  enabled: true\n",
        "4: mysql.enabled: two databases at once: postgres.enabled is true as well, and the backend would use "
        "Postgres alone. Switch one of them off",
    ),
    case(
        "namespace to create without a name",
        "createNamespace: true\n",
        "1: createNamespace: needs a name for the namespace: set namespace",
    ),
    case(
        "S3 without a region",
        's3:\n  keys:\n    region: ""\n',
        "1: s3.region: is missing, and without a region the backend silently keeps files on its own disk: "
        "set s3.region, or s3.keys.region to name the key in the Secret",
    ),
    case(
        "S3 with a cloud role and without a region",
        "s3:\n  credentials: ambient\n",
        "1: s3.region: is missing, and without a region the backend silently keeps files on its own disk: "
        "set s3.region",
    ),
    case(
        "S3 service without its endpoint",
        's3:\n  provider: minio\n  keys:\n    endpoint: ""\n',
        "1: s3.endpoint: is missing, and the backend would talk to Amazon instead of minio: set s3.endpoint",
    ),
    case(
        "request above the limit",
        "backend:\n  resources:\n    limits:\n      memory: 1Gi\n",
        "4: backend.resources.limits.memory: is 1Gi, less than the request of 2Gi, which Kubernetes refuses: "
        "raise it, or lower backend.resources.requests.memory",
    ),
    case(
        "more of the node's disk asked for than allowed",
        "dashboard:\n  resources:\n    requests: {ephemeralStorage: 2Gi}\n    limits: {ephemeralStorage: 1Gi}\n",
        "4: dashboard.resources.limits.ephemeralStorage: is 1Gi, less than the request of 2Gi, which Kubernetes "
        "refuses: raise it, or lower dashboard.resources.requests.ephemeralStorage",
    ),
    case(
        "one port for both",
        "service:\n  backend:\n    actionsPort: 3210\n",
        "3: service.backend.actionsPort: is 3210, as service.backend.port is already: API and HTTP actions "
        "need a port each",
    ),
    case(
        "backend as another user than root",
        "backend:\n  securityContext:\n    runAsUser: 1000\n    runAsNonRoot: true\n",
        "3: backend.securityContext.runAsUser: must be 0: the image's files are for root alone, "
        "and as another user it would not start",
        "4: backend.securityContext.runAsNonRoot: must be false: the image runs as root and has no other user, "
        "so the pod would never start",
    ),
    case(
        "source of variables that is neither or both",
        "backend:\n  envFrom:\n    - prefix: A_\n    - configMapRef: {name: a}\n      secretRef: {name: a}\n",
        "3: backend.envFrom[0]: must have either configMapRef or secretRef, each with a name",
        "4: backend.envFrom[1]: must have either configMapRef or secretRef, each with a name",
    ),
]

EDGE = [
    case(
        "hosts missing",
        "ingress:\n  enabled: true\npostgres:\n  enabled: true\n",
        "1: ingress.dashboard.host: is missing while ingress.enabled is true: "
        "set the public host name of the dashboard",
        "1: ingress.backend.host: is missing while ingress.enabled is true: set the public host name of the API",
    ),
    case(
        "dashboard under a path",
        INGRESS.replace("{host: dashboard.example.com}", "{host: dashboard.example.com, paths: [{path: /admin}]}"),
        "4: ingress.dashboard.paths[0].path: must be /: the dashboard does not work under a sub-path, "
        "give it a host of its own",
    ),
    case(
        "API under a path",
        INGRESS.replace("{host: api.example.com}", "{host: api.example.com, paths: [{path: /api}]}"),
        "5: ingress.backend.paths[0].path: must be /: the API does not work under a sub-path, "
        "give it a host of its own",
    ),
    case(
        "one path and nothing below it",
        INGRESS.replace("{host: api.example.com}", "{host: api.example.com, paths: [{path: /, pathType: Exact}]}"),
        "5: ingress.backend.paths[0].pathType: is Exact, which serves / alone and nothing below it: write Prefix",
    ),
    case(
        "no path at all",
        INGRESS.replace("{host: api.example.com}", "{host: api.example.com, paths: []}"),
        "5: ingress.backend.paths: is empty, so nothing would be served: write [{path: /}]",
    ),
    case(
        "path without a slash",
        INGRESS + "  site: {host: site.example.com, paths: [{path: hooks}]}\n",
        "6: ingress.site.paths[0].path: must be a path that begins with a slash, without //, /./, /../ or an "
        "escaped slash in it, not 'hooks'",
    ),
    case(
        "one host for dashboard and HTTP actions",
        INGRESS + "  site: {host: dashboard.example.com}\n",
        "6: ingress.site.host: makes a second rule for dashboard.example.com/, which ingress.dashboard.paths[0] "
        "has already: give each a host of its own",
    ),
    case(
        "one path twice",
        INGRESS + "  site: {host: site.example.com, paths: [{path: /}, {path: /}]}\n",
        "6: ingress.site.paths[1].path: makes a second rule for site.example.com/, which ingress.site.paths[0] "
        "has already: remove one",
    ),
    case(
        "HTTP actions under a path of the API's host",
        INGRESS + "  site: {host: api.example.com, paths: [{path: /http}]}\n",
        "6: ingress.site.host: is the API's host as well, and HTTP actions would be looked for at its root: "
        "HTTP actions are served there under /http already, so leave it empty",
    ),
    case(
        "HTTP actions under a path of the dashboard's host",
        INGRESS + "  site: {host: dashboard.example.com, paths: [{path: /http}]}\n",
        "6: ingress.site.host: is the dashboard's host as well, and HTTP actions would be looked for at its "
        "root: HTTP actions need a host of their own",
    ),
    case(
        "certificate for a host that nothing serves",
        INGRESS + "  tls:\n    - secretName: tls\n      hosts:\n        - api.example.com\n        - apl.example.com\n",
        "10: ingress.tls[0].hosts[1]: has no rule that serves apl.example.com: "
        "the hosts are api.example.com, dashboard.example.com",
    ),
    case(
        "certificate for another domain",
        INGRESS + '  tls:\n    - hosts: ["*.example.org"]\n',
        "7: ingress.tls[0].hosts[0]: has no rule that serves *.example.org: "
        "the hosts are api.example.com, dashboard.example.com",
    ),
    case(
        "two classes",
        INGRESS + "  className: traefik\n  annotations:\n    kubernetes.io/ingress.class: nginx\n",
        '8: ingress.annotations["kubernetes.io/ingress.class"]: says nginx, but ingress.className says traefik: '
        "remove the annotation, className does its work",
    ),
    case(
        "public database on an emptyDir",
        INGRESS.replace("postgres: {enabled: true}", "# no database"),
        "1: backend.persistence.enabled: is false, so the database (SQLite) is lost with the pod: set it to "
        "true, or enable postgres or mysql. If that is wanted, set backend.persistence.allowEphemeralData to true",
    ),
    case(
        "public files on an emptyDir",
        INGRESS + "s3: {enabled: false}\n",
        "1: backend.persistence.enabled: is false, so files and deployed functions are lost with the pod: set "
        "it to true, or enable s3. If that is wanted, set backend.persistence.allowEphemeralData to true",
    ),
]

VARIABLES = [
    case(
        "set by a parameter",
        "backend:\n  env:\n    POSTGRES_URL: x\n    DO_NOT_REQUIRE_SSL: true\n    AWS_REGION: auto\n",
        "3: backend.env.POSTGRES_URL: is set by the overlay itself: use postgres.existingSecret instead",
        "4: backend.env.DO_NOT_REQUIRE_SSL: is set by the overlay itself: use convexConfig.requireSsl instead",
        "5: backend.env.AWS_REGION: is set by the overlay itself: use s3.region instead",
    ),
    case(
        "off the volume",
        "backend:\n  env:\n    DATA_DIR: /data\n",
        "3: backend.env.DATA_DIR: would move data off the volume, which is mounted at /convex/data: leave it out",
    ),
    case(
        "the backend's own instance secret off the volume",
        "backend:\n  persistence: {enabled: true}\n  env:\n    CREDENTIALS_DIR: /tmp/c\n",
        "4: backend.env.CREDENTIALS_DIR: would move data off the volume, which is mounted at /convex/data: leave it "
        "out",
    ),
    case(
        "secret by its name",
        "backend:\n  env:\n    STRIPE_API_KEY: abc\n",
        "3: backend.env.STRIPE_API_KEY: looks like a secret by its name, and an overlay must not hold one: "
        "put it into a Secret and name that under backend.envFrom",
    ),
    case(
        "secret by its value",
        "backend:\n  env:\n    QUEUE: amqp://user:hunter2@queue.example.com\n",
        "3: backend.env.QUEUE: looks like a URL with a password in it, and an overlay must not hold one: "
        "put it into a Secret and name that under backend.envFrom",
    ),
]


@pytest.mark.parametrize(("overlay", "messages"), [*UNKNOWN_KEYS, *TYPES, *FORMS, *RELATIONS, *EDGE, *VARIABLES])
def test_refused(overlay: str, messages: list[str]) -> None:
    assert faults_of(overlay) == messages


def test_a_fault_in_the_line_of_another_overlay_names_the_one_that_has_it(tmp_path: Path) -> None:
    """The line may be right in its own file: what another overlay says makes it wrong."""
    (tmp_path / "one.yaml").write_text("service:\n  backend:\n    actionsPort: 8080\n")
    (tmp_path / "two.yaml").write_text("extends: one\nservice: {backend: {port: 8080}}\n")
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, overlay_names(tmp_path))
    (message,) = caught.value.messages
    assert message == (
        f"{tmp_path}/one.yaml:3: service.backend.actionsPort: is 8080, as service.backend.port is already: API and "
        "HTTP actions need a port each (in two)"
    )


def test_what_is_missing_is_told_where_the_overlay_itself_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("postgres: {enabled: true}\ninstance: {existingSecret: x}\n")
    (tmp_path / "two.yaml").write_text("extends: one\nnamespace: two\nsecrets:\n  provider: bootstrap\n")
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, ["two"])
    assert caught.value.messages[0].startswith(f"{tmp_path}/two.yaml:4: instance.name: is missing")


NOT_IN_GIT = [
    ("s3: {secretAccessKey: x}", "s3.secretAccessKey", "s3.existingSecret"),
    ("postgres: {url: x}", "postgres.url", "postgres.existingSecret"),
    ("postgres: {user: x}", "postgres.user", "postgres.existingSecret"),
    ("mysql: {password: x}", "mysql.password", "mysql.existingSecret"),
    ("backend: {apiToken: x}", "backend.apiToken", "backend.envFrom"),
    ("backend: {adminKey: x}", "backend.adminKey", "backend.secretsName"),
]


@pytest.mark.parametrize(("overlay", "key", "place"), NOT_IN_GIT)
def test_a_key_for_a_credential_leads_to_the_secret(overlay: str, key: str, place: str) -> None:
    assert faults_of(overlay) == [
        f"test.yaml:1: {key}: is not a parameter: credentials stay in the Secret ({place}), and the command `secrets` "
        "asks for them"
    ]


NEAR_IN_MEANING = [
    ("instance: {keys: {secret: x}}", ": did you mean instance.keys.instanceSecret?"),
    ("s3: {keys: {secretKey: x}}", ": did you mean s3.keys.secretAccessKey?"),
    ("backend: {extraEnv: []}", ": did you mean backend.env?"),
    ("backend: {volumes: []}", ": did you mean backend.extraVolumes?"),
    ("dashboard: {serviceAccountName: a}", ": did you mean dashboard.serviceAccount.name?"),
    ("dashboard: {livenessProbe: {}}", ": did you mean dashboard.probes.liveness?"),
    ("backend: {replicas: 2}", ": the backend has one pod, always. backend.paused stops it"),
    ("backend: {image: {name: a}}", ": did you mean backend.image.repository?"),
    ("backend: {securityContext: {privileged: true}}", ", and a field of Kubernetes' own: set it with patches"),
    ("service: {type: NodePort}", ": did you mean service.backend.type?"),
    ("ingress: {ingressClassName: a}", ": did you mean ingress.className?"),
    ("serviceAccount: {create: true}", " here: did you mean backend.serviceAccount or dashboard.serviceAccount?"),
    ("postgres: {sslmode: require}", ": did you mean convexConfig.requireSsl?"),
    ("postgres: {database: a}", ": did you mean instance.name?"),
    ("backup: {adminKey: a}", ": credentials stay in the Secret (backup.adminKeySecret)"),
    ("auth: {a: b}", "is not a parameter; known here: "),
]


@pytest.mark.parametrize(("overlay", "text"), NEAR_IN_MEANING)
def test_a_suggestion_is_near_in_meaning(overlay: str, text: str) -> None:
    (message,) = faults_of(overlay)
    assert text in message


def test_a_secret_of_another_kind_is_not_suggested() -> None:
    names = "remoteKeys: {convex-tls: a}, storeName: v"
    messages = faults_of(
        f"postgres: {{enabled: true}}\nsecrets: {{provider: external-secrets, externalSecrets: {{{names}}}}}"
    )
    assert any("convex-tls: is not a Secret that is made from the store; there are: " in each for each in messages)


LOST = [
    (
        "backend: {persistence: {enabled: true, size: 5}}",
        "is 5 bytes, which is too little for anything: write 5Gi",
    ),
    (
        "backend: {resources: {limits: {memory: 4096}}}",
        "is 4096 bytes, which is too little for anything: write 4096Mi",
    ),
    (
        "backend: {persistence: {enabled: true, size: 63}}",
        "is 63 bytes, which is too little for anything: write 63Gi",
    ),
    (
        "backend: {resources: {limits: {memory: 64}}}",
        "is 64 bytes, which is too little for anything: write 64Mi",
    ),
    (
        "backend: {resources: {requests: {cpu: 2Gi}}}",
        "is 2147483648 cores, because Gi counts bytes: write 500m or 2",
    ),
    ("backend: {resources: {requests: {cpu: 500}}}", "is 500 cores: write 500m for 0.5 of a core"),
    ("backend: {resources: {requests: {cpu: 2000}}}", "is 2000 cores: write 2000m for 2 cores"),
    ("dashboard: {resources: {requests: {memory: 128m}}}", "is 0.128 bytes, because m means a thousandth: write 128Mi"),
]


@pytest.mark.parametrize(("overlay", "text"), LOST)
def test_a_quantity_that_lost_its_suffix_is_refused_with_what_was_meant(overlay: str, text: str) -> None:
    (message,) = faults_of(overlay)
    assert message.endswith(text)


def test_a_fault_of_a_parent_is_told_once_and_not_of_its_children(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("service: {backend: {port: 0}}\n")
    (tmp_path / "two.yaml").write_text("extends: one\n")
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, overlay_names(tmp_path))
    assert caught.value.messages == [f"{tmp_path}/one.yaml:1: service.backend.port: must be at least 1, not 0"]


def test_all_faults_of_all_overlays_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "_base.yaml").write_text("replicaCount: 3\nservice: {backend: {port: 0}}\n")
    (tmp_path / "one.yaml").write_text(
        "extends: _base\nbackend: {env: {REUSE_ISOLATES: 1}}\nimagePullSecrets: [A, B]\n"
    )
    (tmp_path / "two.yaml").write_text("extends: _base\ningress: {enabled: true}\n")
    (tmp_path / "three.yaml").write_text("a: [\n")
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, overlay_names(tmp_path))
    replicas = (
        "must be 1: the backend has exactly one writer, and a second one would fight it over the database. "
        "For more dashboard pods set dashboard.replicaCount"
    )
    lost = (
        "is false, so the database (SQLite) is lost with the pod: set it to true, or enable postgres or mysql. "
        "If that is wanted, set backend.persistence.allowEphemeralData to true"
    )
    expected = [
        f"_base.yaml:1: replicaCount: {replicas} (in one, two)",
        "_base.yaml:2: service.backend.port: must be at least 1, not 0 (in one, two)",
        "one.yaml:2: backend.env.REUSE_ISOLATES: must be true or false: "
        "the backend takes anything else (1, yes, True) as not set",
        f"one.yaml:3: imagePullSecrets[0].name: {NAME}",
        f"one.yaml:3: imagePullSecrets[1].name: {NAME}",
        "three.yaml:2: is not valid YAML: while parsing a flow node, did not find expected node content",
        f"two.yaml:1: backend.persistence.enabled: {lost}",
        "two.yaml:2: ingress.dashboard.host: is missing while ingress.enabled is true: "
        "set the public host name of the dashboard",
        "two.yaml:2: ingress.backend.host: is missing while ingress.enabled is true: "
        "set the public host name of the API",
    ]
    assert [message.removeprefix(f"{tmp_path}/") for message in caught.value.messages] == expected
    assert str(caught.value).splitlines()[-1] == "9 errors; nothing was written"


def test_what_follows_from_a_fault_is_not_reported_beside_it() -> None:
    """A wrong host makes the certificate's host unserved, but only the wrong host has to be mended."""
    overlay = INGRESS.replace("host: api.example.com", "host: API.example.com")
    overlay += "  site: {host: site.example.com, paths: [{path: hooks}]}\n  tls: [{hosts: [api.example.com]}]\n"
    assert [message.split(": ")[1] for message in faults_of(overlay)] == [
        "ingress.backend.host",
        "ingress.site.paths[0].path",
    ]


def test_no_message_steers_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "test.yaml").write_text('instance:\n  "a\\e[2J\\r\\u202e": red\n')
    with pytest.raises(OverlayError) as caught:
        load_overlays(tmp_path, ["test"])
    assert "2: instance.a\\x1b[2J\\r\\u202e: is not a parameter" in str(caught.value)
