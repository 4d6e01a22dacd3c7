"""Moves that the guard stops, on real pods: to another namespace, and from SQLite to Postgres, by its own recipes.

The stand-in keeps no documents, so `npx` is a stand-in too: it fails unless the backend that it should ask answers.
What counts is that export and import each find their backend running, and what becomes of volume, claim and secret.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pods.test_volumes import OVERLAY, Setting, commands, secret_of, started, starts
from tests.support.command_line import program
from tests.support.node import Node
from tests.support.pods import VALUES, lines, pods, wait_for_pods, wait_until

INSTANCE = "convex-self-hosted"
APPS = ("shop-backend",)
STEP = "# acknowledge, synth, apply, wait for the rollout, make a new admin key; then:"
NPX = """\
#!/bin/sh
echo "$*" >> {folder}/calls
pod=/api/v1/namespaces/$(cat {folder}/namespace)/pods/shop-backend-0:3210
kubectl get --raw "$pod/proxy/version" > answer || exit 1
case "$*" in
  *"export "*) cp answer backup.zip ;;
  *"import "*) test -s backup.zip ;;
esac
"""


@pytest.fixture
def setting(stand_in: Node, namespace: str, tmp_path: Path) -> Setting:
    """An environment that has started once, with `npx` for its recipes."""
    npx = tmp_path / "programs" / "npx"
    npx.parent.mkdir()
    npx.write_text(NPX.format(folder=tmp_path))
    npx.chmod(0o755)
    return started(stand_in, namespace, tmp_path)


def run(setting: Setting, namespace: str, recipe: list[str]) -> list[str]:
    """Run lines of a recipe while the backend of this namespace is the one to ask; what was asked of `npx` so far."""
    (setting.folder / "namespace").write_text(namespace)
    setting.run([f"PATH={setting.folder}/programs:$PATH", *recipe])
    return [line.split()[1] for line in (setting.folder / "calls").read_text().splitlines()]


def parts(recipe: list[str]) -> tuple[list[str], list[str]]:
    """A recipe before and after the step that is not a command."""
    middle = recipe.index(STEP)
    return recipe[:middle], recipe[middle:]


def test_another_namespace(setting: Setting) -> None:
    node, old = setting.node, setting.namespace
    secret, new = secret_of(node, old), node.namespace()
    try:
        setting.write(OVERLAY.format(namespace=new))
        message = setting.synth()
        assert message.code == 3
        assert "the new backend starts with an empty volume" in message.stderr
        before, after = parts(commands(message))
        assert run(setting, old, before) == ["env", "export"]
        wait_until(lambda: pods(node, old, app="shop-backend") == [], "the stop")
        assert setting.synth("--allow-irreversible").code == 0
        assert setting.apply() == ""
        wait_for_pods(node, new, *APPS)
        assert run(setting, new, after) == ["env", "export", "deploy", "env", "import"]
        assert starts(node, new) == 1
        assert secret_of(node, new) != secret, "a new instance, as the message says"
        assert [claim["metadata"]["name"] for claim in node.objects(old, "persistentvolumeclaims")] == [
            "data-shop-backend-0"
        ]

        setting.write(OVERLAY.format(namespace=old))
        assert setting.synth("--allow-irreversible").code == 0
        assert setting.apply() == ""
        wait_for_pods(node, old, *APPS)
        assert (starts(node, old), secret_of(node, old)) == (2, secret), "what stayed is there for whoever goes back"
    finally:
        node.forget(new)


def test_from_sqlite_to_postgres(setting: Setting) -> None:
    node, namespace = setting.node, setting.namespace
    secret = secret_of(node, namespace)
    setting.write(OVERLAY.format(namespace=namespace) + "postgres: {enabled: true}\n")
    message = setting.synth()
    assert message.code == 3
    database = message.stderr.partition("database-engine: sqlite -> postgres")[2]
    before, after = parts([line.strip() for line in database.splitlines() if line.startswith("    ")])
    assert "python3 main.py secrets test --apply" in commands(message)
    assert run(setting, namespace, before) == ["env", "export"]
    # The stand-in writes the secret alone; upstream's entry point has the name beside it.
    name = f"echo {INSTANCE} > /convex/data/credentials/instance_name"
    node.kubectl("exec", "shop-backend-0", "--namespace", namespace, "--", "sh", "-c", name)
    path = {"PATH": f"{node.assets}:{os.environ['PATH']}", "KUBECONFIG": str(node.kubeconfig)}
    given = {"POSTGRES_URL": VALUES["POSTGRES_URL"], "INSTANCE_NAME": INSTANCE}
    where = ("--overlays", setting.folder / "overlays", "--yes")
    done = program("secrets", "test", "--apply", *where, environment={**path, **given})
    assert done.code == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    assert setting.synth("--allow-irreversible").code == 0
    assert setting.apply() == ""
    wait_until(lambda: starts(node, namespace) == 2, "the start with Postgres on the volume of before")
    wait_for_pods(node, namespace, *APPS)
    assert run(setting, namespace, after) == ["env", "export", "deploy", "env", "import"]
    words = lines(node, namespace, "shop-backend-0")[0]["args"]
    assert words[words.index("--db") + 1] == "postgres-v5"
    assert secret_of(node, namespace) == secret, "the secret that the recipe brought along"
