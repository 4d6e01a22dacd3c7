"""What a section of an overlay lacks or contradicts: backups, functions, edges, Secrets, pods, patches, objects."""

from __future__ import annotations

import pytest

from tests.support.overlay_cases import INGRESS, faults_of, overlay_of

BACKUP = "backup:\n  enabled: true\n"
LOCAL = "s3: {enabled: false}\nbackend: {persistence: {enabled: true}}\n"
GATEWAY = LOCAL + "gateway:\n  enabled: true\n  dashboard: {host: d.example.com}\n  backend: {host: a.example.com}\n"
EXTERNAL = LOCAL.replace("s3: {enabled: false}", "s3: {endpoint: https://s3.example.com}") + (
    "secrets:\n  provider: external-secrets\n  externalSecrets:\n"
)
S3_KEYS = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION"
OPERATIONS = "must be an operation with op: add, remove, replace, move, copy, test"


def case(id: str, overlay: str, *messages: str) -> object:
    return pytest.param(overlay, [f"test.yaml:{message}" for message in messages], id=id)


def extra(text: str) -> str:
    return "extraObjects:\n  - " + text.replace("\n", "\n    ") + "\n"


BACKUPS = [
    case(
        "no claim",
        BACKUP + "  destination: claim\n",
        "1: backup.claim.existingClaim: is missing: name a volume claim that you made for the backups (docs/backup.md "
        "has one to copy)",
    ),
    case(
        "no bucket",
        BACKUP + "  s3: {existingSecret: b, region: auto}\n",
        "3: backup.s3.bucket: is missing: name the bucket for the backups, or set backup.destination to claim",
    ),
    case(
        "no credentials",
        LOCAL + BACKUP + "  s3: {bucket: backups, region: auto}\n",
        "5: backup.s3.existingSecret: is missing: with s3.enabled false there are no credentials to share, so name a "
        "Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the bucket",
    ),
    case(
        "no region",
        BACKUP + "  s3: {bucket: backups, existingSecret: b}\n",
        "3: backup.s3.region: is missing: a bucket with a Secret of its own needs its region (us-east-1, where the "
        "service has none)",
    ),
    case(
        "the backend's own claim",
        "backend: {persistence: {enabled: true, existingClaim: data}}\n"
        + BACKUP
        + "  destination: claim\n  claim: {existingClaim: data}\n",
        "5: backup.claim.existingClaim: is data, the claim of the backend itself: a backup there is lost with what it "
        "is a backup of",
    ),
    case(
        "no time, and too many bounds",
        BACKUP + "  destination: claim\n  claim: {existingClaim: b}\n  timeout: 0h\n  keep: {count: 3, days: 4}\n",
        "5: backup.timeout: must be longer than 0: write 2h, say",
        "6: backup.keep: must have count or days, not both",
    ),
]

FUNCTIONS = [
    case(
        "variables of the Job's own, of another deployment, with a secret",
        "functions:\n  env:\n    CONVEX_SELF_HOSTED_URL: http://x\n    CONVEX_DEPLOYMENT: dev\n"
        "    STRIPE_API_KEY: abc\n    MODE: fast\n",
        "3: functions.env.CONVEX_SELF_HOSTED_URL: is set by the Job itself: leave it out",
        "4: functions.env.CONVEX_DEPLOYMENT: would turn the CLI to Convex's cloud: leave it out",
        "5: functions.env.STRIPE_API_KEY: looks like a secret, and an overlay must not hold one: set it with `npx "
        "convex env`",
    ),
    case(
        "variables of the deployment that are the backend's own, or a secret",
        "functions:\n  variables:\n    CONVEX_SITE_URL: http://x\n    STRIPE_API_KEY: abc\n    MODE: fast\n",
        "3: functions.variables.CONVEX_SITE_URL: is made by the backend from its origins: leave it out",
        "4: functions.variables.STRIPE_API_KEY: looks like a secret, and an overlay must not hold one: set it with "
        "`npx convex env`",
    ),
    case(
        "no command",
        "functions:\n  image: registry.example.com/functions:v1\n  command: []\n",
        "3: functions.command: is empty: leave it out for `npx convex deploy`, or name a program",
    ),
]

EDGES = [
    case(
        "no Gateway",
        GATEWAY + "  create: {listeners: [{name: a, port: 443, protocol: HTTPS}]}\n",
        "3: gateway.parentRefs: is empty, so no Gateway would serve the routes: name one, or set "
        "gateway.create.className to make one",
        "7: gateway.create.className: is missing: a Gateway needs the GatewayClass of the controller that serves it",
    ),
    case(
        "another URL than the Ingress has",
        INGRESS
        + "gateway:\n  enabled: true\n  parentRefs: [{name: gw}]\n  backend: {origin: 'https://b.example.com'}\n",
        "9: gateway.backend.origin: is https://b.example.com, but the Ingress has https://api.example.com, and both "
        "are on: they must agree",
    ),
    case(
        "another host than the Ingress has",
        INGRESS + "gateway:\n  enabled: true\n  parentRefs: [{name: gw}]\n  backend: {host: b.example.com}\n",
        "9: gateway.backend.host: is b.example.com, but ingress.backend.host is api.example.com, and both are on: "
        "they must agree",
    ),
    case(
        "listeners",
        GATEWAY
        + "  create:\n    className: c\n    listeners:\n"
        + "      - {name: a, port: 80, protocol: HTTP, tls: {certificateRefs: [{name: t}]}}\n"
        + "      - {name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: t, namespace: other}]}}\n",
        "10: gateway.create.listeners[0].tls: goes with protocol HTTPS only",
        "11: gateway.create.listeners[1].name: is a, which another listener has already",
        "11: gateway.create.listeners[1].tls.certificateRefs[0].namespace: needs a ReferenceGrant, which must name "
        "the environment's namespace: set namespace",
    ),
    case(
        "the class of one host as an annotation",
        INGRESS + "  site: {host: site.example.com, annotations: {kubernetes.io/ingress.class: nginx}}\n",
        '6: ingress.site.annotations["kubernetes.io/ingress.class"]: names a class: write it as ingress.site.className',
    ),
    case(
        "two issuers, and a third as an annotation",
        INGRESS + "  certManager: {clusterIssuer: a, issuer: b}\n  annotations: {cert-manager.io/issuer: c}\n",
        "6: ingress.certManager.issuer: is set beside clusterIssuer, and a certificate has one issuer: remove one of "
        "them",
        '7: ingress.annotations["cert-manager.io/issuer"]: says what ingress.certManager says: remove one',
    ),
]

SECRETS = [
    case(
        "no store",
        EXTERNAL + "    remoteKeys: {}\n",
        "5: secrets.externalSecrets.storeName: is missing: name the SecretStore or ClusterSecretStore that holds the "
        "values",
    ),
    case(
        "an optional key that the operator would miss",
        "secrets: {provider: external-secrets, externalSecrets: {storeName: vault}}\n",
        "1: s3.provider: must say which service it is (aws, minio, ...), or s3.endpoint be set: External Secrets "
        "Operator takes no optional keys, and without its endpoint the backend would talk to Amazon",
    ),
    case(
        "remote keys that lack, that nobody needs, of an unknown Secret",
        EXTERNAL + "    storeName: vault\n    remoteKeys:\n"
        "      convex-s3-credentials: {AWS_REGIONS: a}\n      convex-s3-credential: x\n",
        f"8: secrets.externalSecrets.remoteKeys.convex-s3-credentials: has no remote key for {S3_KEYS}: the Secret "
        f"needs the keys {S3_KEYS}",
        "8: secrets.externalSecrets.remoteKeys.convex-s3-credentials.AWS_REGIONS: is not a key that the Secret "
        "convex-s3-credentials needs: did you mean AWS_REGION?",
        "9: secrets.externalSecrets.remoteKeys.convex-s3-credential: is not a Secret that is made from the store: did "
        "you mean convex-s3-credentials?",
    ),
    case(
        "a list of remote keys",
        EXTERNAL + "    storeName: vault\n    remoteKeys: {convex-s3-credentials: [a]}\n",
        "7: secrets.externalSecrets.remoteKeys.convex-s3-credentials: must be the remote key of the whole Secret, or a "
        "map from each of its keys to a remote key",
    ),
    case(
        "an instance without a name",
        "secrets: {provider: bootstrap}\npostgres: {enabled: true}\ninstance: {name: ''}\n",
        "3: instance.name: is missing: with secrets.provider bootstrap the instance secret does not come from the "
        "database's Secret, so set the name here (the database is named after it)",
    ),
    case(
        "an acknowledgement that is a list",
        "acknowledge:\n  claim-size: [10Gi]\n",
        "2: acknowledge.claim-size: must be the new value of what changes, as the message of synth says it",
    ),
]

PODS = [
    case(
        "another user than root",
        "backend:\n  securityContext: {runAsUser: 1000, runAsNonRoot: true}\n",
        "2: backend.securityContext.runAsUser: must be 0: the image's files are for root alone, and as another user it "
        "would not start",
        "2: backend.securityContext.runAsNonRoot: must be false: the image runs as root and has no other user, so the "
        "pod would never start",
    ),
    case(
        "containers beside it",
        "backend:\n  extraContainers:\n    - name: side\n      image: i:1\n      env:\n"
        "        - {name: API_TOKEN, value: abcd}\n"
        "        - {name: B, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n"
        "        - {name: C_TOKEN, value: $(API_TOKEN)}\n"
        "    - {name: bare}\n",
        "6: backend.extraContainers[0].env[0]: looks like a secret by its name, and an overlay must not hold one: put "
        "it into a Secret and name that under valueFrom.secretKeyRef",
        "7: backend.extraContainers[0].env[1]: has a value and a valueFrom: keep one",
        "9: backend.extraContainers[1]: has no image",
    ),
    case(
        "volumes and mounts",
        "backend:\n  extraVolumes: [{name: data, emptyDir: {}}, {name: two}]\n  extraVolumeMounts:\n"
        "    - {name: nothing, mountPath: /x}\n    - {name: two, mountPath: x}\n"
        "    - {name: two, mountPath: /convex/}\n",
        "2: backend.extraVolumes[0].name: is data, which a volume of the backend is called",
        "2: backend.extraVolumes[1]: must have a name and one kind of volume, for instance configMap or emptyDir: {}",
        "4: backend.extraVolumeMounts[0].name: is nothing, and no volume is called so: add one to backend.extraVolumes",
        "5: backend.extraVolumeMounts[1].mountPath: must be a path that begins with /",
        "6: backend.extraVolumeMounts[2].mountPath: is /convex, which would hide what is mounted there already",
    ),
    case(
        "two containers of one name",
        "backend:\n  extraContainers:\n    - {name: side, image: 'i:1'}\n    - {name: convex-backend, image: 'i:1'}\n"
        "  initContainers:\n    - {name: side, image: 'i:1'}\n",
        "3: backend.extraContainers[0].name: is side, which another container is called",
        "4: backend.extraContainers[1].name: is convex-backend, which another container is called",
    ),
    case(
        "two names of one account",
        "backend:\n  serviceAccountName: old\n  serviceAccount: {name: new, annotations: {a: b}}\n",
        "2: backend.serviceAccountName: is another name for backend.serviceAccount.name: keep that one alone",
        "3: backend.serviceAccount.annotations: have no effect while backend.serviceAccount.create is false: annotate "
        "the account that you made",
    ),
    case(
        "one account made twice",
        "backend: {serviceAccount: {create: true, name: one}}\n"
        "dashboard: {serviceAccount: {create: true, name: one}}\n",
        "2: dashboard.serviceAccount.create: would make one twice: set it to false",
    ),
    case(
        "a field of a later Kubernetes, and an effect that is none",
        "backend:\n  tolerations: [{key: a, effect: Never}]\n  affinity: {podAffinity: "
        "{requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, matchLabelKeys: [x]}]}}\n",
        "2: backend.tolerations[0].effect: must be one of NoSchedule, PreferNoSchedule, NoExecute, not 'Never'",
        "3: backend.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys: came with "
        "Kubernetes 1.29: set it with patches (docs/extending.md)",
    ),
]

PATCHES = [
    case(
        "a text",
        "patches:\n  - target: {kind: Service}\n    patch: |\n      - op: remove\n",
        "3: patches[0].patch: must be a list of operations or a map, not a text: leave out the | in front of it",
    ),
    case(
        "nothing",
        "patches:\n  - target: {kind: Service}\n    patch: []\n",
        "3: patches[0].patch: must be a list of operations (JSON Patch), or a map that is laid over the object",
    ),
    case(
        "operations",
        "patches:\n  - target: {kind: Service}\n    patch:\n      - {op: put, path: /a}\n      - {path: /a}\n"
        "      - nothing\n      - {op: remove, path: a}\n      - {op: remove, path: /a, value: 1}\n"
        "      - {op: add, path: /a}\n      - {op: move, path: /a}\n",
        f"4: patches[0].patch[0].op: {OPERATIONS}",
        f"5: patches[0].patch[1]: {OPERATIONS}",
        f"6: patches[0].patch[2]: {OPERATIONS}",
        "7: patches[0].patch[3].path: must be a JSON pointer like /spec/template/spec/runtimeClassName",
        "8: patches[0].patch[4].value: means nothing with op remove: remove it",
        "9: patches[0].patch[5]: has no value, which add needs",
        "10: patches[0].patch[6]: has no from, which move needs",
    ),
]

OBJECTS = [
    case(
        "a text",
        "extraObjects: [text]\n",
        "1: extraObjects[0]: must be a whole object, with apiVersion, kind, metadata and what its kind has",
    ),
    case("half of one", extra("apiVersion: v1"), "2: extraObjects[0]: has no kind and no metadata.name"),
    case(
        "a list",
        extra("apiVersion: v1\nkind: ConfigMapList\nmetadata: {name: a}"),
        "3: extraObjects[0].kind: is a list: write its items one by one",
    ),
    case(
        "a namespace",
        extra("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}"),
        "3: extraObjects[0].kind: is made by createNamespace, in a file of its own: deleting the environment would "
        "delete it",
    ),
    case(
        "labels that are a list",
        extra("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: [x]}"),
        "4: extraObjects[0].metadata.labels: must be a map of keys and values",
    ),
    case(
        "fields of other types",
        extra(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: two\n"
            "  selector: {matchLabels: [a]}\n  template: {spec: {containers: {name: x}, nodeSelector: x, volumes: x}}"
        ),
        "6: extraObjects[0].spec.replicas: must be a whole number, not 'two'",
        "7: extraObjects[0].spec.selector.matchLabels: must be a map of keys and values, not a list",
        "8: extraObjects[0].spec.template.spec.containers: must be a list, not a map",
        "8: extraObjects[0].spec.template.spec.nodeSelector: must be a map of keys and values, not 'x'",
        "8: extraObjects[0].spec.template.spec.volumes: must be a list, not 'x'",
    ),
]


@pytest.mark.parametrize(("overlay", "messages"), [*BACKUPS, *FUNCTIONS, *EDGES, *SECRETS, *PODS, *PATCHES, *OBJECTS])
def test_refused(overlay: str, messages: list[str]) -> None:
    assert faults_of(overlay) == messages


ALLOWED = {
    "the account by its old name": "backend: {serviceAccountName: old}\n",
    "the account by both names": "backend: {serviceAccountName: old, serviceAccount: {name: old}}\n",
    "an account that one makes and both use": "backend: {serviceAccount: {create: true, name: one}}\n"
    "dashboard: {serviceAccount: {name: one}}\n",
    "an origin that is left empty": INGRESS + "  site: {origin: ''}\n",
    "operations of every kind": "patches:\n  - target: {kind: Service, name: convex-backend}\n    patch:\n"
    "      - {op: test, path: /kind, value: Service}\n      - {op: copy, path: /metadata/labels/a, from: /kind}\n"
    "      - {op: move, path: /metadata/labels/b, from: /metadata/labels/a}\n      - {op: remove, path: ''}\n",
    "time and one bound": BACKUP
    + "  destination: claim\n  claim: {existingClaim: b}\n  timeout: 1h30m\n  keep: {days: 4}\n",
}


@pytest.mark.parametrize("overlay", ALLOWED.values(), ids=ALLOWED)
def test_allowed(overlay: str) -> None:
    values = overlay_of(overlay).values
    assert (values.release_name, values.ingress.site.origin) == ("convex", "")


@pytest.mark.parametrize(
    ("own", "warned"), [("bucket: convex-files", True), ("bucket: other", False), ("bucket: convex-files, {}", False)]
)
def test_backups_in_a_bucket_of_the_instance(own: str, warned: bool) -> None:
    """With a Secret of its own the bucket may be another service's."""
    target = own.format("existingSecret: b, region: auto")
    overlay = "s3: {endpoint: 'https://s3.example.com', buckets: {files: convex-files}}\n" + BACKUP
    warnings = overlay_of(overlay + f"  s3: {{{target}}}\n").warnings
    assert any("a bucket of the instance itself" in warning for warning in warnings) is warned
