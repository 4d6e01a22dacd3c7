"""`docs/audit.md`: every rule with its reason, its source, its cures and an example, made from the rules themselves."""

from __future__ import annotations

from convexctl.audit.examples import examples
from convexctl.audit.model import Rule, Severity
from convexctl.audit.rules import CHAPTERS
from convexctl.project import PROGRAM

_MEANINGS = {
    Severity.ERROR: "it loses data, opens what should be closed, or does not work",
    Severity.WARNING: "it works and will hurt",
    Severity.INFORMATION: "good to know",
}
_HEAD = f"""# Audit

`{PROGRAM} audit` reads manifests of Convex, ours or anybody's, and says what the pods will really do and what is
wrong with them. It knows the rules of upstream's images, and runs nothing in the cluster.

```sh
{PROGRAM} audit dist/production                       # a folder or a file
helm template my-release ./chart | {PROGRAM} audit -  # standard input
kubectl kustomize ./overlay | {PROGRAM} audit -
kubectl get all,ingress,configmap,pvc -o yaml | {PROGRAM} audit -
{PROGRAM} audit --live -n convex                      # the current cluster
```

| option | what it does |
|---|---|
| `--format text` | the errors with place and fix (ten lines at most), unusual decisions, findings (the default) |
| `--verbose` | as text: every decision, every place, and reason and fix also for information |
| `--format json` | all decisions and findings as data |
| `--format sarif` | the findings as SARIF 2.1.0, which code hosts show in pull requests |
| `--fail-on error`, `--fail-on warning` | exit code 1 for a finding at least as bad; without it always 0 |
| `--image backend=NAME`, `--image dashboard=NAME` | also treats images of this name as Convex (no tag in `NAME`) |
| `--live`, `-n NAMESPACE` | asks the cluster of kubectl's current context; of Secrets only names and keys are read |
| `--secret NAME=KEY,KEY` | names the keys of a Secret that is not among the manifests; do not give values |
| `--explain RULE` | prints what this page says about one rule |
| `--rules` | prints this page |

In the text, a finding that only follows from another one is listed with it, after `so:`. In JSON it is a finding of its
own, and `follows` names the rule of its cause. A `*` marks what may be different because a Secret or ConfigMap is not
among the manifests: the last lines name it, and say how it could change the result. `ours:` names the parameter of an
overlay, for manifests that were made from an overlay.

A finding that you accept stays out of the count and of `--fail-on`. It is shown as accepted, with your reason. In an
overlay, name the rule:

```yaml
audit:
  ignore:
    memory-limit-low: a test cluster
```

`synth` then prints the finding as accepted, in place of its warning, and annotates every object of that environment
with `convex-k8s.audit/ignore.memory-limit-low: a test cluster`, which `audit` reads. In manifests that are not made
here, write this annotation on the object of the finding, or on the workload. A rule that does not exist and a reason
that is empty are errors. `synth` warns of a rule that an overlay accepts and the audit does not find.

Backends and dashboards are found by their image, else by their command (`run_backend.sh`, `convex-local-backend`), else
by their ports (3210 with 3211, or 6791), whatever their names and kinds. No value of a Secret is ever shown. If a
Secret or ConfigMap in `envFrom` is not among the manifests, its keys are not known. A finding that these keys could
change states that condition, and its severity is one step lower.
"""


_EXAMPLES = """\
Each rule has an example: lines that break it, and the same put right. `backend` and `dashboard` are workloads of
Convex. A field under them is put where it belongs: into the workload, the pod or the container. A variable in `env` is
a text, or what its `valueFrom` holds. `buckets` stands for the region and the five buckets of S3. `ingress` sends each
host and path to a port of Convex. `objects` are whole objects. The Service `api` leads to the backend, the Service
`board` to the dashboard."""


def markdown() -> str:
    """The whole page."""
    lines = [_HEAD, "## Severities", "", "| severity | meaning |", "|---|---|"]
    lines += [f"| {severity} | {meaning} |" for severity, meaning in _MEANINGS.items()]
    lines += ["", "## Rules", "", _EXAMPLES, "", "| rule | severity | what it finds |", "|---|---|---|"]
    for rules in CHAPTERS.values():
        lines += [f"| [`{rule.id}`](#{rule.id}) | {_severities(rule)} | {rule.title} |" for rule in rules]
    for title, rules in CHAPTERS.items():
        lines += ["", f"## {title}"]
        for rule in rules:
            lines += ["", *_rule(rule)]
    return "\n".join(lines) + "\n"


def _severities(rule: Rule) -> str:
    """The severities that a rule is printed with, beside what a condition takes off."""
    return str(rule.severity) if rule.least is rule.severity else f"{rule.severity} to {rule.least}"


def explain(rule: Rule) -> str:
    """What the page says about one rule."""
    return "\n".join(_rule(rule)) + "\n"


def _rule(rule: Rule) -> list[str]:
    example = examples()[rule.id]
    return [
        f"### {rule.id}",
        "",
        f"{rule.title} ({_severities(rule)}).",
        "",
        rule.reason,
        "",
        f"- In an overlay of ours: {rule.parameter}.",
        f"- In the manifest: {rule.change}.",
        f"- Source: {rule.basis}.",
        "",
        "```yaml",
        f"# breaks it\n{example.bad}---\n# is right\n{example.good}```",
    ]
