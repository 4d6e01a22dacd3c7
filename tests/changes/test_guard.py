"""The guard: what synth stops, what lets it pass, and what it lets pass by itself."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
import yaml
from convex_k8s.values.acknowledge import IrreversibleChange

from convexctl.changes.irreversible import RULES, changes
from convexctl.changes.irreversible.model import side_of
from tests.support.command_line import Done, run
from tests.support.overlay_cases import ROOT, SAMPLES, environment_of

CDK8S = os.environ.get("CDK8S_CLI") or shutil.which("cdk8s")

SERVER = """\
releaseName: shop
namespace: prod
instance: {name: shop, existingSecret: shop-instance}
postgres: {enabled: true, existingSecret: shop-db, maxConnections: 64}
s3: {provider: minio, bucket: shop-files, endpoint: "https://s3.example.com", region: eu-central-1}
"""
"""Everything that is kept lies outside: Postgres and S3."""
VOLUME = """\
releaseName: shop
instance: {name: shop, existingSecret: shop-instance}
s3: {enabled: false}
backend: {persistence: {enabled: true, size: 5Gi, storageClassName: fast, accessMode: ReadWriteOnce}}
"""
"""Everything lies on the volume, whose claim is made from a template."""
EXISTING = VOLUME.replace("size: 5Gi", "existingClaim: old")
EPHEMERAL = VOLUME.replace("enabled: true,", "enabled: false,")
FROM_STORE = (
    SERVER + "secrets: {provider: external-secrets, externalSecrets: {storeName: vault, remoteKeys: {shop-db: a}}}\n"
)
CLUSTER = """\
releaseName: shop
instance: {name: shop, existingSecret: shop-instance}
s3: {provider: minio, bucket: shop-files, endpoint: "https://s3.example.com", region: eu-central-1}
postgres:
  enabled: true
  cloudNativePG:
    cluster: shop-db
    create: {storage: {size: 20Gi, storageClass: fast}, walStorage: {size: 5Gi}, imageName: "pg:17.6"}
"""
"""The environment makes its database server itself."""
RETENTION = SERVER + "backend: {env: {DOCUMENT_RETENTION_DELAY: 1209600}}\n"

BALANCED = SERVER + "service: {backend: {type: LoadBalancer, loadBalancerClass: a}}\n"
ROLE = "{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}"

EXPORT = "npx convex export --include-file-storage --path backup.zip"
IMPORT = "npx convex import --replace-all backup.zip"
ANEW = ["kubectl delete statefulset shop-backend   # its claims stay\n", "kubectl apply -f dist/test/"]
ORPHANED = ["kubectl delete statefulset shop-backend --cascade=orphan", "kubectl apply -f dist/test/"]


class Project:
    """A folder with overlays and what synth makes of them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.overlays, self.dist = folder / "overlays", folder / "dist"
        self.overlays.mkdir(parents=True)

    def overlay(self, text: str, name: str = "test", **acknowledge: str) -> None:
        """Write an overlay; `acknowledge` are changes with `_` for `-`."""
        changes = {id.replace("_", "-"): value for id, value in acknowledge.items()}
        lines = yaml.safe_dump({"acknowledge": changes}) if changes else ""
        (self.overlays / f"{name}.yaml").write_text(text + lines)

    def synth(self, *arguments: str) -> Done:
        """Run synth."""
        return run(self._capsys, "synth", "--overlays", str(self.overlays), "-o", str(self.dist), *arguments)

    def written(self) -> dict[str, bytes]:
        """Everything in dist/."""
        return {str(path): path.read_bytes() for path in self.dist.rglob("*") if path.is_file()}

    def started_as(self, text: str) -> Project:
        """Synthesise the environment for the first time."""
        self.overlay(text)
        assert self.synth().code == 0
        return self


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Project:
    return Project(tmp_path / "project", capsys)


CLAIM = "accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}"
BACKUP = f"{SERVER}backup: {{enabled: true, destination: claim, claim: {{existingClaim: b}}, keep: {{count: 30}}}}\n"
IN_A_BUCKET = (
    f"{SERVER}backup: {{enabled: true, s3: {{bucket: backups, region: eu, existingSecret: b}}, keep: {{days: 30}}}}\n"
)


@dataclass(frozen=True)
class Case:
    """A change that is stopped: from one text to another, with what the message says."""

    id: str
    name: str
    before: str
    change: tuple[str, str]
    shown: str
    says: list[str]
    back: bool = True
    """Whether the way back is stopped too."""

    def __str__(self) -> str:
        return f"{self.id}, {self.name}"

    @property
    def value(self) -> str:
        """What is to be acknowledged."""
        new = self.shown.rpartition(" -> ")[2]
        return "" if new == "(none)" else new


def changed(text: str, change: tuple[str, str]) -> str:
    assert change[0] in text
    return text.replace(*change)


CASES = [
    Case(
        "release-name",
        "documents in Postgres",
        SERVER,
        ("releaseName: shop", "releaseName: store"),
        "shop -> store",
        ["two backends would fight over one Postgres database", "kubectl -n prod delete statefulset shop-backend"],
    ),
    Case(
        "release-name",
        "documents on the volume",
        VOLUME,
        ("releaseName: shop", "releaseName: store"),
        "shop -> store",
        [
            "the documents (SQLite), files, deployed functions and search indexes",
            "stay on the claim data-shop-backend-0",
            EXPORT,
            IMPORT,
        ],
    ),
    Case(
        "release-name",
        "an existing claim goes along",
        EXISTING,
        ("releaseName: shop", "releaseName: store"),
        "shop -> store",
        ["two backends on one volume would ruin the SQLite database"],
    ),
    Case(
        "namespace",
        "another one",
        SERVER,
        ("namespace: prod", "namespace: live"),
        "prod -> live",
        ["without the Secrets and claims of the old namespace", "keep the namespace"],
    ),
    Case(
        "namespace",
        "named for the first time",
        VOLUME,
        ("releaseName: shop", "releaseName: shop\nnamespace: live"),
        "(none) -> live",
        ["if it stays the same one (live), nothing changes", EXPORT],
    ),
    Case(
        "namespace",
        "named no more",
        SERVER,
        ("namespace: prod\n", ""),
        "prod -> (none)",
        ["if it stays the same one (prod), nothing changes"],
    ),
    Case(
        "instance-name",
        "documents in Postgres",
        SERVER,
        ("name: shop,", "name: store,"),
        "shop -> store",
        ["the Postgres database is named after the instance", "Every admin key", EXPORT, IMPORT],
    ),
    Case(
        "instance-name",
        "documents in SQLite",
        VOLUME,
        ("name: shop,", "name: store,"),
        "shop -> store",
        ["refuses to start on the data of an instance of another name"],
    ),
    Case(
        "instance-name",
        "from the Secret into the overlay",
        SERVER.replace("name: shop, ", ""),
        ("instance: {", "instance: {name: shop, "),
        "Secret/shop-db[INSTANCE_NAME] -> shop",
        ["If both mean the same name"],
    ),
    Case(
        "instance-secret",
        "another Secret",
        SERVER,
        ("shop-instance", "store-instance"),
        "Secret/shop-instance[INSTANCE_SECRET] -> Secret/store-instance[INSTANCE_SECRET]",
        ["every admin key", "python3 main.py secrets test --apply"],
    ),
    Case(
        "instance-secret",
        "the backend's own becomes a Secret",
        VOLUME.replace(", existingSecret: shop-instance", ""),
        ("name: shop}", "name: shop, existingSecret: new}"),
        "generated -> Secret/new[INSTANCE_SECRET]",
        ["while the old pod runs"],
    ),
    Case(
        "instance-secret",
        "the Secret goes",
        VOLUME,
        (", existingSecret: shop-instance", ""),
        "Secret/shop-instance[INSTANCE_SECRET] -> generated",
        ["keep the Secret"],
    ),
    Case(
        "database-engine",
        "from SQLite to Postgres",
        VOLUME,
        ("s3:", "postgres: {enabled: true}\ns3:"),
        "sqlite -> postgres",
        ["starts with what is in Postgres, all others stay in SQLite", EXPORT, IMPORT],
    ),
    Case(
        "database-engine",
        "from Postgres to MySQL",
        SERVER,
        ("postgres:", "mysql:"),
        "postgres -> mysql",
        ["starts with what is in MySQL, all others stay in Postgres"],
    ),
    Case(
        "database-secret",
        "another Secret",
        SERVER,
        ("shop-db", "store-db"),
        "Secret/shop-db[DATABASE_URL] -> Secret/store-db[DATABASE_URL]",
        ["may lead to another Postgres server", "the acknowledgement is enough", "pg_dump"],
    ),
    Case(
        "database-secret",
        "another key",
        SERVER.replace("postgres:", "mysql:"),
        ("shop-db", "shop-db, keys: {url: URL2}"),
        "Secret/shop-db[DATABASE_URL] -> Secret/shop-db[URL2]",
        ["another MySQL server", "mysqldump"],
    ),
    Case(
        "database-secret",
        "another place in the store",
        FROM_STORE,
        ("shop-db: a", "shop-db: b"),
        "Secret/shop-db[DATABASE_URL] from vault a[DATABASE_URL] -> "
        "Secret/shop-db[DATABASE_URL] from vault b[DATABASE_URL]",
        ["may lead to another Postgres server"],
    ),
    Case(
        "database-cluster",
        "somebody else's from now on",
        CLUSTER,
        (
            '    create: {storage: {size: 20Gi, storageClass: fast}, walStorage: {size: 5Gi}, imageName: "pg:17.6"}\n',
            "",
        ),
        "shop-db -> none",
        ["all documents are in the Cluster shop-db", "leave shop-db in the cluster"],
        back=False,
    ),
    Case(
        "database-size",
        "shrunk",
        CLUSTER,
        ("20Gi", "10Gi"),
        "20Gi, WAL 5Gi -> 10Gi, WAL 5Gi",
        ["the operator does not shrink a volume", "keep the size"],
        back=False,
    ),
    Case(
        "database-size",
        "the volume of the write-ahead log goes",
        CLUSTER,
        (" walStorage: {size: 5Gi},", ""),
        "20Gi, WAL 5Gi -> 20Gi",
        ["or remove the one of the write-ahead log"],
        back=False,
    ),
    Case(
        "database-class",
        "another class",
        CLUSTER,
        ("storageClass: fast", "storageClass: slow"),
        "fast -> slow",
        ["instances that exist keep their volumes", "kubectl delete pvc/shop-db-N pod/shop-db-N"],
    ),
    Case(
        "database-version",
        "another major version",
        CLUSTER,
        ("pg:17.6", "pg:18.0"),
        "17 -> 18",
        ["There is no way back", "kubectl scale statefulset shop-backend --replicas=0"],
    ),
    Case(
        "files-kind",
        "from the volume to S3",
        VOLUME,
        ("s3: {enabled: false}", "s3: {region: eu}"),
        "disk -> s3",
        ["refuses to start with another", "--include-file-storage", "a new instance with an empty database"],
    ),
    Case(
        "files-kind",
        "from S3 to the volume",
        SERVER,
        ("minio,", "minio, enabled: false,"),
        "s3 -> disk",
        ["refuses to start with another"],
    ),
    Case(
        "files-buckets",
        "another bucket for everything",
        SERVER,
        ("shop-files", "store-files"),
        "shop-files -> store-files",
        ["deployed functions, files and search indexes stay in the old one", "copy every object under its own key"],
    ),
    Case(
        "files-buckets",
        "another bucket for one kind",
        SERVER,
        ("shop-files", "shop-files, buckets: {modules: code}"),
        "shop-files -> exports in shop-files, files in shop-files, modules in code, search in shop-files, "
        "snapshot_imports in shop-files",
        ["would not find them"],
    ),
    Case(
        "files-endpoint",
        "another service",
        SERVER,
        ("s3.example.com", "s3.example.org"),
        "https://s3.example.com -> https://s3.example.org",
        ["may be another service", "If it is only another name of the same service"],
    ),
    Case(
        "files-endpoint",
        "into a Secret",
        SERVER,
        ('endpoint: "https://s3.example.com"', "existingSecret: s3"),
        "https://s3.example.com -> Secret/s3[AWS_ENDPOINT]",
        ["may be another service"],
    ),
    Case(
        "files-region",
        "another region",
        SERVER,
        ("eu-central-1", "us-east-1"),
        "eu-central-1 -> us-east-1",
        ["a bucket lies in one region"],
    ),
    Case(
        "claim",
        "persistence off",
        VOLUME,
        ("enabled: true", "enabled: false"),
        "data-shop-backend-0 -> none",
        [
            "/convex/data is lost with every pod",
            "the documents (SQLite), files, deployed functions and search indexes",
            "persistence.enabled: true",
            *ANEW,
        ],
    ),
    Case(
        "claim",
        "persistence off, with everything outside",
        SERVER + "backend: {persistence: {enabled: true}}\n",
        ("persistence: {enabled: true", "persistence: {enabled: false"),
        "data-shop-backend-0 -> none",
        ["Nothing that is needed is on it"],
    ),
    Case(
        "claim",
        "an existing one in the place of the template's",
        VOLUME,
        ("size: 5Gi", "existingClaim: old"),
        "data-shop-backend-0 -> old",
        ["would start with what is on old", "Kubernetes does not allow adding or removing a claim template", *ANEW],
    ),
    Case(
        "claim",
        "another existing one",
        EXISTING,
        ("existingClaim: old", "existingClaim: new"),
        "old -> new",
        ["everything on old stays there", "copy the content of the volume"],
    ),
    Case(
        "claim",
        "one from a template in the place of an existing one",
        EXISTING,
        ("existingClaim: old, ", ""),
        "old -> data-shop-backend-0",
        ["the new claim is made empty", "existingClaim: old", *ANEW],
    ),
    Case(
        "claim",
        "persistence on, by a template",
        EPHEMERAL,
        ("enabled: false,", "enabled: true,"),
        "none -> data-shop-backend-0",
        ["the new claim does not get what is at", "apply would fail", EXPORT, *ANEW, IMPORT],
    ),
    Case(
        "claim",
        "persistence on, by a template, with everything outside",
        SERVER,
        ("s3:", "backend: {persistence: {enabled: true}}\ns3:"),
        "none -> data-shop-backend-0",
        ["apply would fail", "kubectl -n prod delete statefulset shop-backend "],
    ),
    Case(
        "claim-template",
        "the template goes and its claim stays",
        VOLUME,
        ("size: 5Gi", "existingClaim: data-shop-backend-0"),
        "data -> none",
        ["Kubernetes does not allow adding or removing a claim template", *ANEW],
    ),
    Case(
        "claim-size",
        "grown",
        VOLUME,
        ("5Gi", "10Gi"),
        "5Gi -> 10Gi",
        [
            "kubectl patch pvc data-shop-backend-0 --type=merge "
            """--patch='{"spec": {"resources": {"requests": {"storage": "10Gi"}}}}'""",
            *ORPHANED,
        ],
    ),
    Case(
        "claim-size",
        "shrunk",
        VOLUME,
        ("5Gi", "1Gi"),
        "5Gi -> 1Gi",
        ["Kubernetes does not shrink a claim", "keep the size"],
    ),
    Case(
        "claim-class",
        "another class",
        VOLUME,
        ("fast", "slow"),
        "fast -> slow",
        ["the class of an existing claim cannot be changed", "persistence.existingClaim", *ORPHANED],
    ),
    Case(
        "claim-class",
        "the cluster's default",
        VOLUME,
        ("fast", '""'),
        "fast -> default",
        ["For a new name of the same class, recreate the StatefulSet"],
    ),
    Case(
        "access-mode",
        "one pod only",
        VOLUME,
        ("ReadWriteOnce", "ReadWriteOncePod"),
        "ReadWriteOnce -> ReadWriteOncePod",
        ["the access mode of an existing claim cannot be changed", *ORPHANED],
    ),
    Case(
        "retention",
        "lowered",
        RETENTION,
        ("1209600", "86400"),
        "1209600 -> 86400",
        ["are deleted for good"],
    ),
    Case(
        "retention",
        "raised",
        RETENTION,
        ("1209600", "2419200"),
        "1209600 -> 2419200",
        ["if it was ever lowered before"],
    ),
    Case(
        "backup-keep",
        "fewer",
        BACKUP,
        ("count: 30", "count: 3"),
        "30 backups -> 3 backups",
        ["the next backup deletes the older ones for good"],
        back=False,
    ),
    Case(
        "backup-keep",
        "fewer in a bucket",
        IN_A_BUCKET,
        ("days: 30", "days: 7"),
        "30 days -> 7 days",
        ["from the same bucket or claim"],
        back=False,
    ),
    Case(
        "backup-keep",
        "by days",
        BACKUP,
        ("count: 30", "days: 60"),
        "30 backups -> 60 days",
        ["copy what you may still need to another place first"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_stopped(project: Project, case: Case) -> None:
    project.started_as(case.before)
    written = project.written()
    project.overlay(changed(case.before, case.change))
    done = project.synth()
    assert (done.code, done.stdout) == (3, "")
    assert f"test: {case.id}: {case.shown}\n" in done.stderr
    assert "what would happen: " in done.stderr
    assert "the right way: " in done.stderr
    for words in case.says:
        assert words in done.stderr
    assert project.written() == written


IN_PLACE = "adding or removing a claim template"


@pytest.mark.parametrize(
    ("before", "change", "in_place"),
    [
        (VOLUME, ("size: 5Gi", "existingClaim: old"), True),
        (EXISTING, ("existingClaim: old, ", ""), True),
        (EXISTING, ("existingClaim: old", "existingClaim: new"), False),
        (VOLUME, ("releaseName: shop", "releaseName: store"), None),
    ],
)
def test_a_claim_template_is_in_the_way_of_the_same_workload_alone(
    before: str, change: tuple[str, str], in_place: bool | None
) -> None:
    """A new StatefulSet, as after another release name, may have another template."""
    after = changed(before, change)
    if in_place is None:
        after = changed(after, ("size: 5Gi", "existingClaim: old"))
    old, new = (side_of("test", environment_of(text).manifests) for text in (before, after))
    assert old and new
    (claim,) = [each for each in changes(old, new) if each.id == "claim"]
    assert (IN_PLACE in claim.explanation.consequence) is bool(in_place)
    assert any("kubectl apply" in command for command in claim.explanation.commands) is bool(in_place)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fast", "'-'", "fast -> none"),
        ("'-'", "fast", "none -> fast"),
        ("''", "fast", "default -> fast"),
        ("fast", "slow", "fast -> slow"),
    ],
)
def test_no_class_is_a_class_of_its_own(old: str, new: str, said: str) -> None:
    before, after = (
        side_of("test", environment_of(VOLUME.replace("storageClassName: fast", f"storageClassName: {name}")).manifests)
        for name in (old, new)
    )
    assert before and after
    assert [str(each) for each in changes(before, after)] == [f"claim-class: {said}"]


def test_a_claim_of_its_own_that_a_template_takes_over_may_grow() -> None:
    """Its size is not in a template before, so that nothing keeps it from being changed in place."""
    claim = "accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: %s}}"
    own = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data-shop-backend-0}, spec: {%s}}"
    objects = f"extraObjects: [{own % claim % '1Gi'}]\n"
    named = VOLUME.replace("size: 5Gi", "existingClaim: data-shop-backend-0")
    before, after = (side_of("test", environment_of(text).manifests) for text in (named + objects, VOLUME))
    assert before and after
    assert [each.id for each in changes(before, after)] == ["claim-template"]
    assert [each.id for each in changes(after, before)] == ["claim-template", "claim-size"]


def lines_of(done: Done) -> str:
    """The lines for the overlay that a message ends with."""
    _, _, rest = done.stderr.partition("\nacknowledge:")
    lines, _, _ = rest.partition("\n\n")
    return f"acknowledge:{lines}\n"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_lines_of_the_message_let_it_pass_and_do_not_count_for_the_way_back(project: Project, case: Case) -> None:
    project.started_as(case.before)
    after = changed(case.before, case.change)
    project.overlay(after)
    lines = lines_of(project.synth())
    assert yaml.safe_load(lines) == {"acknowledge": {case.id: case.value}}

    project.overlay(after + lines)
    passed = project.synth()
    assert (
        passed.code,
        "changed" in passed.stderr,
        "is neither the current value nor a change: remove it" in passed.stderr,
    ) == (
        0,
        True,
        False,
    )

    project.overlay(case.before + lines)
    back = project.synth()
    if not case.back:
        assert (back.code, "is neither the current value nor a change: remove it" in back.stderr) == (0, True)
        return
    assert back.code == 3
    assert f"test: {case.id}: " in back.stderr
    assert f"acknowledged is {case.value or '(none)'}, which is another change" in back.stderr


HAND_MADE = [
    pytest.param("serviceName: shop-backend-headless", "serviceName: other", "StatefulSet/shop-backend serviceName"),
    pytest.param("      app: shop-dashboard\n", "      app: other\n", "Deployment/shop-dashboard selector"),
    pytest.param(
        "labels:\n          app: shop-backend\n        name: data",
        "labels:\n          app: other\n        name: data",
        "StatefulSet/shop-backend volumeClaimTemplates[data]",
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "field"), HAND_MADE)
def test_a_field_that_kubernetes_does_not_let_change_is_stopped(
    project: Project, ours: str, theirs: str, field: str
) -> None:
    """No parameter of an overlay leads there: somebody, or another version of this program, wrote the manifests."""
    project.started_as(VOLUME)
    file = project.dist / "test" / "convex.k8s.yaml"
    file.write_text(changed(file.read_text(), (ours, theirs)))
    done = project.synth()
    assert done.code == 3
    assert f"Kubernetes allows no change of {field}: apply would fail" in done.stderr
    assert f"kubectl delete {field.partition(' ')[0].lower()}\n" in done.stderr
    lines = lines_of(done)
    assert list(yaml.safe_load(lines)["acknowledge"]) == ["immutable-field"]
    project.overlay(VOLUME + lines)
    assert project.synth().code == 0


def test_the_type_of_a_claim_template_is_no_change(project: Project) -> None:
    """What earlier versions wrote lacks it, and the API server fills it in."""
    project.started_as(VOLUME)
    file = project.dist / "test" / "convex.k8s.yaml"
    typed = "- apiVersion: v1\n      kind: PersistentVolumeClaim\n      metadata:"
    file.write_text(changed(file.read_text(), (typed, "- metadata:")))
    done = project.synth()
    assert (done.code, "changed" in done.stderr) == (0, True)


def patched(kind: str, name: str, value: str) -> str:
    """An overlay whose patch adds fields to an object of the environment."""
    return VOLUME + f"patches: [{{target: {{kind: {kind}, name: {name}}}, patch: {{spec: {value}}}}}]\n"


def beside(kind: str, version: str, rest: str) -> str:
    """An overlay with an object of the user's own."""
    return VOLUME + f"extraObjects: [{{apiVersion: {version}, kind: {kind}, metadata: {{name: own}}, {rest}}}]\n"


SERVICE = "Service/shop-backend-svc"
ADDRESS = "a LoadBalancer gets another address"
IMMUTABLE = [
    pytest.param(BALANCED, "Class: a", "Class: b", f"{SERVICE} loadBalancerClass", ADDRESS, id="another class"),
    pytest.param(BALANCED, ", loadBalancerClass: a", "", f"{SERVICE} loadBalancerClass", ADDRESS, id="no class"),
    pytest.param(
        BALANCED.replace(", loadBalancerClass: a", ""),
        "LoadBalancer",
        "LoadBalancer, loadBalancerClass: a",
        f"{SERVICE} loadBalancerClass",
        ADDRESS,
        id="a class where none was",
    ),
    pytest.param(
        patched("Service", "shop-backend-svc", "{clusterIP: 10.0.0.8}"),
        "10.0.0.8",
        "10.0.0.9",
        f"{SERVICE} clusterIP",
        "requests fail in between",
        id="another address",
    ),
    pytest.param(
        patched("Service", "shop-backend-svc", "{ipFamilies: [IPv4]}"),
        "[IPv4]",
        "[IPv6, IPv4]",
        f"{SERVICE} ipFamilies",
        "requests fail in between",
        id="another first family",
    ),
    pytest.param(
        beside("PersistentVolumeClaim", "v1", f"spec: {{volumeName: a, {CLAIM}}}"),
        "volumeName: a",
        "volumeName: b",
        "PersistentVolumeClaim/own volumeName",
        "a new one under a new name",
        id="another volume of a claim",
    ),
    pytest.param(
        beside("PersistentVolumeClaim", "v1", f"spec: {{{CLAIM}}}"),
        "storage: 5Gi",
        "storage: 4Gi",
        "PersistentVolumeClaim/own resources",
        "deleting it deletes data",
        id="a smaller claim",
    ),
    pytest.param(
        beside("ConfigMap", "v1", "immutable: true, data: {a: b}"),
        "a: b",
        "a: c",
        "ConfigMap/own data",
        "delete the objects and apply again",
        id="a frozen ConfigMap",
    ),
    pytest.param(
        beside("RoleBinding", "rbac.authorization.k8s.io/v1", f"roleRef: {ROLE}, subjects: []"),
        "name: view",
        "name: edit",
        "RoleBinding/own roleRef",
        "lack their rights in between",
        id="another role",
    ),
]


@pytest.mark.parametrize(("before", "old", "new", "field", "says"), IMMUTABLE)
def test_an_immutable_field_that_an_overlay_can_change_is_stopped(
    project: Project, before: str, old: str, new: str, field: str, says: str
) -> None:
    project.started_as(before).overlay(changed(before, (old, new)))
    done = project.synth()
    assert (done.code, done.stdout) == (3, "")
    assert f"Kubernetes allows no change of {field}: apply would fail" in done.stderr
    assert says in done.stderr
    deletes = f" delete {field.partition(' ')[0].lower()}\n" in done.stderr
    assert deletes == ("PersistentVolumeClaim" not in field)


@pytest.mark.parametrize(
    ("old", "new"),
    [("storage: 5Gi", "storage: 6Gi"), ("ReadWriteOnce]", "ReadWriteOnce], volumeAttributesClassName: gold")],
    ids=["grown", "other attributes"],
)
def test_what_may_change_of_a_claim_passes(project: Project, old: str, new: str) -> None:
    claim = "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}"
    before = beside("PersistentVolumeClaim", "v1", claim)
    project.started_as(before).overlay(changed(before, (old, new)))
    assert project.synth().code == 0


def test_a_renamed_cluster_is_a_new_and_empty_one(project: Project) -> None:
    project.started_as(CLUSTER).overlay(changed(CLUSTER, ("shop-db", "store-db")))
    done = project.synth()
    assert done.code == 3
    assert "test: database-cluster: shop-db -> store-db\n" in done.stderr
    assert "store-db is a new and empty one" in done.stderr


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in RULES} == {case.id for case in CASES} | {"immutable-field"}


HARMLESS = [
    pytest.param(
        SERVER,
        "s3:",
        "ingress: {enabled: true, dashboard: {host: d.example.com}, backend: {host: a.example.com}}\ns3:",
        id="Ingress on",
    ),
    pytest.param(SERVER, "s3:", f"backend: {{image: {{tag: {'a' * 40}}}}}\ns3:", id="another image"),
    pytest.param(SERVER, "s3:", "dashboard: {replicaCount: 2}\ns3:", id="a second dashboard"),
    pytest.param(SERVER, "s3:", "commonLabels: {team: shop}\ns3:", id="labels"),
    pytest.param(SERVER, "s3:", "backend: {podLabels: {a: b}, nodeSelector: {c: d}}\ns3:", id="placement"),
    pytest.param(SERVER, "s3:", "backend: {resources: {limits: {memory: 8Gi}}}\ns3:", id="memory"),
    pytest.param(SERVER, "s3:", "backend: {env: {RUST_LOG: debug}, metrics: {enabled: true}}\ns3:", id="tuning"),
    pytest.param(SERVER, "s3:", "convexConfig: {cloudOrigin: 'http://c', siteOrigin: 'http://s'}\ns3:", id="origins"),
    pytest.param(SERVER, "s3:", "convexConfig: {requireSsl: false}\ns3:", id="TLS not required"),
    pytest.param(SERVER, "minio,", "minio, existingSecret: other,", id="other keys for the same buckets"),
    pytest.param(SERVER, "provider: minio", "provider: generic", id="another dialect of S3"),
    pytest.param(SERVER, "bucket: shop-files", "buckets: {BUCKETS}", id="the same buckets one by one"),
    pytest.param(SERVER, "s3:", "backend: {secretsName: other}\ns3:", id="another Secret with the admin key"),
    pytest.param(SERVER, "namespace: prod", "namespace: prod\ncreateNamespace: true", id="a Namespace beside them"),
    pytest.param(
        SERVER,
        "s3:",
        "backend: {persistence: {enabled: true, existingClaim: old}}\ns3:",
        id="an existing claim where everything is outside",
    ),
    pytest.param(FROM_STORE, "provider: external-secrets", "provider: existing", id="Secrets no longer from a store"),
    pytest.param(VOLUME, "size: 5Gi", "size: 5120Mi", id="the same size"),
    pytest.param(CLUSTER, "size: 20Gi", "size: 40Gi", id="a Cluster that grows"),
    pytest.param(CLUSTER, "create: {", "create: {instances: 3, ", id="more instances"),
    pytest.param(CLUSTER, "pg:17.6", "pg:17.7", id="a minor version of PostgreSQL"),
    pytest.param(BALANCED, "loadBalancerClass: a", "loadBalancerClass: a, nodePort: 30001", id="a node port"),
    pytest.param(
        BALANCED, "type: LoadBalancer, loadBalancerClass: a", "type: ClusterIP", id="no LoadBalancer any more"
    ),
    pytest.param(
        VOLUME.replace("name: shop,", ""), "instance: {", "instance: {name: convex-self-hosted, ", id="the default name"
    ),
    pytest.param(
        VOLUME,
        "s3:",
        "dashboard: {podLabels: {a: b}}\ns3:",
        id="dashboard labels",
    ),
    pytest.param(
        SERVER, "s3:", "backend: {env: {DOCUMENT_RETENTION_DELAY: 172800}}\ns3:", id="the default retention written out"
    ),
]


@pytest.mark.parametrize(("before", "old", "new"), HARMLESS)
def test_what_does_no_harm_passes(project: Project, before: str, old: str, new: str) -> None:
    every = ", ".join(f"{kind}: shop-files" for kind in ("exports", "files", "modules", "search", "snapshotImports"))
    project.started_as(before).overlay(changed(before, (old, new.replace("{BUCKETS}", f"{{{every}}}"))))
    done = project.synth()
    assert (done.code, "acknowledge" in done.stderr) == (0, False)


def test_a_template_of_a_job_cannot_change_either(project: Project) -> None:
    project.started_as(VOLUME.replace(", existingSecret: shop-instance", "") + "secrets: {provider: bootstrap}\n")
    file = project.dist / "test" / "convex.k8s.yaml"
    file.write_text(changed(file.read_text(), ("restartPolicy: OnFailure", "restartPolicy: Never")))
    done = project.synth()
    assert done.code == 3
    assert "kubectl delete job/shop-bootstrap-" in done.stderr


def test_one_stop_keeps_all_overlays_from_being_written(project: Project) -> None:
    project.started_as(SERVER)
    written = project.written()
    project.overlay(SERVER.replace("shop-files", "store-files"))
    project.overlay("releaseName: a\n", name="another")
    project.overlay("releaseName: b\n", name="zoo")
    assert project.synth().code == 3
    assert project.written() == written


def test_each_change_of_each_overlay_is_told(project: Project) -> None:
    project.overlay(VOLUME, name="other")
    project.started_as(SERVER)
    project.overlay(VOLUME.replace("fast", "slow"), name="other")
    project.overlay(SERVER.replace("shop-files", "store-files").replace("s3.example.com", "s3.example.org"))
    done = project.synth()
    told = [line.split(":")[:2] for line in done.stderr.splitlines() if " -> " in line and not line.startswith(" ")]
    assert told == [["other", " claim-class"], ["test", " files-buckets"], ["test", " files-endpoint"]]
    assert "3 irreversible changes; nothing was written. See docs/irreversible-changes.md" in done.stderr
    for name in ("other", "test"):
        assert f"put this into {project.overlays / name}.yaml:\n\nacknowledge:\n" in done.stderr


def test_allowed_once_and_for_all_changes(project: Project) -> None:
    project.started_as(SERVER).overlay(SERVER.replace("shop-files", "store-files").replace("shop-db", "store-db"))
    assert project.synth("--allow-irreversible").code == 0
    project.overlay(SERVER)
    assert project.synth().code == 3


def test_an_acknowledgement_that_stands_is_printed_with_the_new_one(project: Project) -> None:
    project.started_as(SERVER).overlay(SERVER.replace("shop-files", "store-files"), retention="172800")
    done = project.synth()
    assert "in the place of its acknowledge:" in done.stderr
    assert yaml.safe_load(lines_of(done)) == {"acknowledge": {"retention": "172800", "files-buckets": "store-files"}}


@pytest.mark.parametrize("value", ["1209600", "'1209600'", "1_209_600"])
def test_a_number_may_be_acknowledged_as_yaml_writes_it(project: Project, value: str) -> None:
    project.started_as(SERVER)
    project.overlay(f"{RETENTION}acknowledge: {{retention: {value}}}\n")
    assert project.synth().code == 0


def test_a_misspelt_change_is_an_error(project: Project) -> None:
    project.overlay("acknowledge: {instance-nam: shop}\n")
    done = project.synth()
    assert done.code == 1
    assert "test.yaml:1: acknowledge.instance-nam: must be one of " in done.stderr
    assert "did you mean instance-name?" in done.stderr


def test_a_values_file_is_guarded_and_may_acknowledge(project: Project) -> None:
    project.started_as(SERVER)
    values = project.folder / "values.yaml"
    values.write_text("s3: {bucket: other}\n")
    done = project.synth("-f", str(values))
    assert (done.code, "files-buckets: shop-files -> other" in done.stderr) == (3, True)
    values.write_text("s3: {bucket: other}\nacknowledge: {files-buckets: other}\n")
    assert project.synth("-f", str(values)).code == 0


@pytest.mark.parametrize(
    ("id", "value", "warned"),
    [
        pytest.param("instance-name", "shop", False, id="of what is there: the last change"),
        pytest.param("instance-name", "store", True, id="of what is not there"),
        pytest.param("claim", "none", False, id="of nothing, and there is none"),
        pytest.param("claim-size", "5Gi", True, id="of something that is not there at all"),
    ],
)
def test_an_acknowledgement_that_would_wait_for_its_change_is_warned_of(
    project: Project, id: str, value: str, warned: bool
) -> None:
    project.overlay(SERVER + yaml.safe_dump({"acknowledge": {id: value}}))
    for _ in ("first", "unchanged"):
        done = project.synth()
        assert done.code == 0
        warning = f"test.yaml: acknowledge.{id}: {value} is neither the current value nor a change: remove it"
        assert (warning in done.stderr) == warned


def test_a_password_that_somebody_left_in_the_manifests_is_not_shown(project: Project) -> None:
    project.started_as(SERVER)
    file = project.dist / "test" / "convex.k8s.yaml"
    file.write_text(changed(file.read_text(), ("https://s3.example.com", "https://me:hunter2@s3.example.com")))
    done = project.synth()
    assert "files-endpoint: https://…@s3.example.com -> https://s3.example.com" in done.stderr
    assert "hunter2" not in done.stderr


INGRESS = "ingress: {enabled: true, dashboard: {host: d.HOST}, backend: {host: a.HOST}}\n"


@pytest.mark.parametrize(
    ("host", "code"),
    [("example.com", 0), ("team.example", 0), ("acme.io", 3), ("notexample.com", 3), ("example.com.acme.io", 3)],
)
def test_a_sample_that_has_served_nobody_may_become_anything(project: Project, host: str, code: int) -> None:
    before = SERVER + INGRESS.replace("HOST", host)
    project.started_as(before).overlay(before.replace("shop-files", "store-files"))
    assert project.synth().code == code


def test_the_first_edits_of_a_new_user_pass(project: Project) -> None:
    sample = (SAMPLES / "production.yaml").read_text()
    project.started_as(sample)
    for old, new in (
        ("bucket: convex-production", "bucket: acme-files"),
        ("releaseName: convex", "releaseName: acme"),
        ("existingSecret: convex-postgres-secret", "existingSecret: acme-database"),
        ("example.com", "acme.io"),
    ):
        sample = changed(sample, (old, new))
        project.overlay(sample)
        done = project.synth()
        assert done.code == 0, done.stderr
    project.overlay(changed(sample, ("bucket: acme-files", "bucket: other")))
    done = project.synth()
    assert done.code == 3
    assert done.stderr.endswith("--allow-irreversible, for instance if it was never applied\n")


def test_an_overlay_that_comes_or_goes_is_not_guarded(project: Project) -> None:
    project.started_as(SERVER)
    (project.overlays / "test.yaml").rename(project.overlays / "renamed.yaml")
    done = project.synth()
    assert done.code == 0
    assert "test: removed" in done.stderr


# Manifests that cannot be read, or are gone.

BROKEN = [
    pytest.param(b"kind: [\n", ":2: is not valid YAML", id="no YAML"),
    pytest.param(b"<<<<<<< HEAD\nkind: A\n=======\n", ": is not valid YAML", id="a conflict of a merge"),
    pytest.param(b"a: \xff\n", ": is not valid YAML", id="no text"),
    pytest.param(b"a: !!python/object:x {}\n", ": is not valid YAML", id="a tag of another program"),
    pytest.param(b"[" * 50_000 + b"]" * 50_000, ":1: is nested too deeply", id="bottomless"),
    pytest.param(b"", ": holds no Convex backend", id="empty"),
    pytest.param(b"- 1\n---\nkind: StatefulSet\nspec: 1\n", ": holds no Convex backend", id="something else"),
]


@pytest.mark.parametrize(("content", "fault"), BROKEN)
def test_broken_manifests_are_told_in_one_line(project: Project, content: bytes, fault: str) -> None:
    project.started_as(SERVER)
    file = project.dist / "test" / "convex.k8s.yaml"
    file.write_bytes(content)
    done = project.synth()
    assert done.code == 1
    first, second = done.stderr.splitlines()
    assert first.startswith(str(file))
    assert fault in first
    assert "--allow-irreversible" in second
    assert file.read_bytes() == content
    assert project.synth("--allow-irreversible").code == 0
    assert file.read_bytes() != content


def test_a_file_that_cannot_be_read_is_told_in_one_line(project: Project) -> None:
    project.started_as(SERVER)
    file = project.dist / "test" / "convex.k8s.yaml"
    file.unlink()
    file.mkdir()
    done = project.synth()
    assert (done.code, done.stderr.splitlines()[0].startswith(f"{file}: cannot be read: Is a directory")) == (1, True)


def git(folder: Path, *arguments: str) -> None:
    if not shutil.which("git"):
        pytest.skip("git is not on PATH")
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def committed(project: Project) -> Project:
    """A project in a Git repository, committed with its dist/."""
    project.started_as(SERVER)
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", ".")
    git(project.folder, "commit", "--quiet", "--message=first")
    return project


GONE = [
    pytest.param("dist", id="as cdk8s synth leaves it"),
    pytest.param("dist/test", id="the environment's folder"),
    pytest.param("dist/test/convex.k8s.yaml", id="the manifests"),
]


@pytest.mark.parametrize("path", GONE)
@pytest.mark.process
def test_what_is_gone_is_compared_with_the_last_commit(committed: Project, path: str) -> None:
    gone = committed.folder / path
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    committed.overlay(SERVER.replace("shop-files", "store-files"))
    done = committed.synth()
    assert (done.code, "test: files-buckets: shop-files -> store-files" in done.stderr) == (3, True)
    assert f"git restore {committed.dist / 'test'}\n" in done.stderr
    assert not gone.exists()
    git(committed.folder, "restore", str(committed.dist / "test"))
    assert committed.synth().code == 3


@pytest.mark.parametrize("names", [("GIT_DIR",), ("GIT_DIR", "GIT_WORK_TREE"), ("GIT_OBJECT_DIRECTORY",)])
@pytest.mark.process
def test_a_hook_does_not_lead_git_to_another_repository(
    committed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    """Git sets these for every hook in a linked work tree."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    for name in names:
        monkeypatch.setenv(name, str(other if name == "GIT_WORK_TREE" else other / ".git"))
    shutil.rmtree(committed.dist)
    committed.overlay(SERVER.replace("shop-files", "store-files"))
    done = committed.synth()
    assert (done.code, "test: files-buckets: shop-files -> store-files" in done.stderr) == (3, True)


@pytest.mark.process
def test_a_git_that_hangs_is_told_and_given_up(
    committed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "programs" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr("convexctl.tools.git._TIMEOUT_S", 2)
    monkeypatch.setattr("convexctl.tools.run._SILENCE_S", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shutil.rmtree(committed.dist)
    done = committed.synth()
    assert "waiting for git, at most 2 seconds" in done.stderr
    assert "not compared with the last commit: git did not finish within 2 seconds" in done.stderr


def test_a_pipe_in_the_place_of_the_manifests_is_not_waited_for(project: Project) -> None:
    project.started_as(SERVER)
    file = project.dist / "test" / "convex.k8s.yaml"
    file.unlink()
    os.mkfifo(file)
    done = project.synth()
    assert (done.code, done.stderr.splitlines()[0].startswith(f"{file}: cannot be read: Is not a regular")) == (1, True)


@pytest.mark.skipif(CDK8S is None, reason="needs cdk8s-cli of npm on PATH, or named by CDK8S_CLI")
def test_cdk8s_synth_is_stopped_too(committed: Project) -> None:
    """It deletes `dist/` before it starts the program."""
    committed.overlay(SERVER.replace("shop-files", "store-files"))
    environment = {**os.environ, "CDK8S_CHECK_UPGRADE": "false", "FORCE_COLOR": "0"}
    app = f"{sys.executable} {ROOT / 'main.py'} synth --overlays overlays"
    command = [str(CDK8S), "synth", "--output", "dist", "--app", app]
    done = subprocess.run(command, cwd=committed.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "test: files-buckets: shop-files -> store-files" in done.stdout + done.stderr
    assert "git restore dist/test\n" in done.stdout + done.stderr
    assert not committed.written()


@pytest.mark.process
def test_what_is_there_counts_before_the_last_commit(committed: Project) -> None:
    committed.overlay(SERVER.replace("shop-files", "store-files"), files_buckets="store-files")
    assert committed.synth().code == 0
    committed.overlay(SERVER.replace("shop-files", "store-files"))
    assert committed.synth().code == 0


@pytest.mark.process
def test_a_conflict_of_a_merge_is_compared_with_the_last_commit(committed: Project) -> None:
    file = committed.dist / "test" / "convex.k8s.yaml"
    file.write_text("<<<<<<< HEAD\n" + file.read_text())
    committed.overlay(SERVER.replace("shop-files", "store-files"))
    assert committed.synth().code == 3
    committed.overlay(SERVER)
    done = committed.synth()
    assert done.code == 0
    assert "is not valid YAML: compared with the committed version" in done.stderr


@pytest.mark.process
def test_a_broken_committed_version_is_told_of_its_own_environment_alone(committed: Project) -> None:
    (committed.dist / "test" / "convex.k8s.yaml").write_text("kind: [\n")
    git(committed.folder, "commit", "--quiet", "--all", "--message=second")
    shutil.rmtree(committed.dist)
    committed.overlay("releaseName: other\n", name="zz")
    said = committed.synth().stderr
    assert said.count("not compared with the last commit") == 1
    assert f"{committed.dist / 'test' / 'convex.k8s.yaml'}: not compared with the last commit" in said


@pytest.mark.process
def test_an_overlay_without_a_committed_version_is_new(committed: Project) -> None:
    shutil.rmtree(committed.dist)
    committed.overlay("releaseName: other\n", name="new")
    assert committed.synth().code == 0


@pytest.mark.parametrize("how", ["no repository", "no commit", "no git"])
@pytest.mark.process
def test_without_a_commit_there_is_nothing_to_compare_with(
    project: Project, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    project.started_as(SERVER)
    if how != "no repository":
        git(project.folder, "init", "--quiet")
    if how == "no git":
        monkeypatch.setattr(shutil, "which", lambda name: None)
    shutil.rmtree(project.dist)
    project.overlay(SERVER.replace("shop-files", "store-files"))
    done = project.synth()
    assert done.code == 0
    assert ("not compared with the last commit: there is no git on PATH" in done.stderr) == (how == "no git")


@pytest.mark.process
def test_a_repository_that_git_refuses_is_told(project: Project) -> None:
    project.started_as(SERVER)
    (project.folder / ".git").write_text("gitdir: /nowhere\n")
    shutil.rmtree(project.dist)
    done = project.synth()
    assert done.code == 0
    assert "convex.k8s.yaml: not compared with the last commit: fatal: not a git repository: /nowhere" in done.stderr


@pytest.mark.process
def test_no_program_is_started_while_the_manifests_are_there(
    committed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    committed.overlay(SERVER.replace("shop-files", "store-files"))
    assert committed.synth().code == 3
    committed.overlay(SERVER)
    assert committed.synth().code == 0


# The documentation.

DOCUMENTATION = (ROOT / "docs" / "irreversible-changes.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """The section of each rule, by its id."""
    _, _, rules = DOCUMENTATION.partition("\n## The rules\n")
    rules, _, _ = rules.partition("\n## ")
    parts = (section.partition("`\n") for section in rules.split("\n### `")[1:])
    return {id: text for id, _, text in parts}


def test_the_documentation_has_every_rule_with_its_value_its_reason_and_the_right_way() -> None:
    assert list(sections()) == [rule.id for rule in RULES] == list(get_args(IrreversibleChange))
    for text in sections().values():
        assert text.startswith("\n*Value: ")
        assert "\n**The right way:** " in text


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_documentation_has_every_command_of_a_message(project: Project, case: Case) -> None:
    after = changed(case.before, case.change)
    project.started_as(case.before).overlay(after)
    lines = [line.strip() for line in project.synth().stderr.splitlines() if line.startswith("    ")]
    old, new = (side_of("test", environment_of(text).manifests) for text in (case.before, after))
    assert old and new
    assert lines == [line for change in changes(old, new) for line in change.explanation.commands]
    names = {
        " -n prod": "",
        "shop-": "<release>-",
        "dist/test/": "dist/<overlay>/",
        "secrets test": "secrets <overlay>",
        "backup test": "backup <overlay>",
    }
    for line in lines:
        command = line.partition("   #")[0].removesuffix(" ...")
        for ours, general in names.items():
            command = command.replace(ours, general)
        assert line.startswith("#") or command in DOCUMENTATION


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 3), ("", 3)], ids=["yes", "enter", "the input ends"])
def test_on_a_terminal_it_asks_whether_it_was_ever_applied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    project = Project(tmp_path, capsys)
    project.overlay(VOLUME)
    assert project.synth().code == 0
    before = project.written()
    project.overlay(VOLUME.replace("5Gi", "9Gi"))
    monkeypatch.setattr("convexctl.commands.prompts.somebody_answers", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    done = project.synth()
    assert done.code == code
    assert done.stderr.index("1 irreversible change") < done.stderr.index("If this was never applied")
    assert (project.written() == before) is (code == 3)


@pytest.mark.process
def test_make_passes_options_on() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "synth", "ARGS=--allow-irreversible"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1].endswith("main.py synth --allow-irreversible")
