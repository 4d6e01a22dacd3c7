"""The README of an environment, its commands run from top to bottom as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convexctl.secrets.needed import needed_secrets
from tests.support.certificates import Authority
from tests.support.control_plane import ControlPlane
from tests.support.deployment import write_files
from tests.support.overlay_cases import environment_of

EVERYTHING = """
namespace: {namespace}
createNamespace: {create}
postgres: {{enabled: true, caSecret: db-ca}}
imagePullSecrets: [regcred]
backend: {{envFrom: [{{secretRef: {{name: extra}}}}], extraCaSecret: edge-ca}}
ingress:
  enabled: true
  dashboard: {{host: d.acme.io}}
  backend: {{host: a.acme.io}}
  tls: [{{secretName: edge-tls, hosts: [d.acme.io, a.acme.io]}}]
"""
"""An environment with a Secret of every kind."""
INPUTS = {
    "--from-env-file=FILE": "--from-env-file=extra.env",
    "--from-file=ca.crt=FILE": "--from-file=ca.crt=tls.crt",
    "--from-file=.dockerconfigjson=FILE": "--from-file=.dockerconfigjson=config.json",
    "--cert=FILE --key=FILE": "--cert=tls.crt --key=tls.key",
}


def commands(readme: str, chapter: str) -> list[str]:
    """The lines of a chapter's shell blocks, and the commands in its sentence about the namespace."""
    text = readme.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^The namespace: `(.*)`\.$", text, re.MULTILINE)
    return [*found, *"\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()]


@pytest.mark.parametrize("create", ["true", "false"])
def test_they_lead_from_nothing_to_the_environment_and_back(cluster: ControlPlane, tmp_path: Path, create: str) -> None:
    namespace = f"by-the-book-{create}"
    cluster.delete_namespace(namespace)
    environment = environment_of(EVERYTHING.format(namespace=namespace, create=create))
    write_files(environment, tmp_path / "dist" / environment.name)
    certificate = Authority().issue("d.acme.io", "a.acme.io")
    (tmp_path / "tls.crt").write_bytes(certificate.pem)
    (tmp_path / "tls.key").write_bytes(certificate.key_pem)
    (tmp_path / "config.json").write_text('{"auths": {"registry.example.com": {"auth": "eDp5"}}}')
    (tmp_path / "extra.env").write_text("MINE=1\n")

    def run(chapter: str) -> None:
        lines = [line for line in commands(environment.files["README.md"], chapter) if " rollout " not in line]
        assert lines
        script = "\n".join(["set -eu", f"cd {tmp_path}", "export EDITOR=true", *lines])
        for placeholder, value in INPUTS.items():
            script = script.replace(placeholder, value)
        assert "FILE" not in script
        cluster.run("bash", "-c", script)

    run("What must exist before")
    assert not list(tmp_path.glob("convex-*.env"))
    secrets = {secret["metadata"]["name"]: secret["data"] for secret in cluster.objects(namespace, "secrets")}
    needed = needed_secrets(environment.manifests)
    assert secrets.keys() == {secret.name for secret in needed}
    for secret in needed:
        assert secret.keys().keys() <= secrets[secret.name].keys()

    run("Apply")
    cluster.make_ready(namespace)
    run("Remove")
    left = cluster.objects(namespace, "statefulsets", "deployments", "services", "ingresses", "secrets")
    assert {thing["metadata"]["name"] for thing in left} == secrets.keys()


def test_removal_keeps_the_database_until_it_is_asked_for(
    cluster: ControlPlane, crds: list[Path], tmp_path: Path
) -> None:
    create = "{cluster: db, create: {storage: {size: 1Gi}}}"
    overlay = f"namespace: {cluster.namespace()}\npostgres: {{enabled: true, cloudNativePG: {create}}}\n"
    environment = environment_of(overlay)
    namespace = environment.overlay.values.namespace
    folder = write_files(environment, tmp_path / "dist" / environment.name)
    cluster.kubectl("apply", "--filename", folder)
    remove, for_good = filter(None, commands(environment.files["README.md"], "Remove"))

    cluster.run("bash", "-c", f"cd {tmp_path} && {remove}")
    kinds = ("clusters.postgresql.cnpg.io", "statefulsets", "deployments", "services", "configmaps")
    left = [thing["kind"] for thing in cluster.objects(namespace, *kinds) if "convex" in str(thing["metadata"])]
    assert left == ["Cluster"]
    cluster.run("bash", "-c", for_good)
    assert cluster.objects(namespace, "clusters.postgresql.cnpg.io") == []
