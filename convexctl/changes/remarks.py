"""What a change means beyond its fields: traffic that stops, backups that stay behind, an edge that moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from convexctl.behaviour import predict
from convexctl.behaviour.manifests import dig, items, mapping, text

_Manifests = Iterable[Mapping[str, Any]]
_PLACES = {"BUCKET": "bucket", "PREFIX": "prefix", "S3_ENDPOINT_URL": "endpoint"}


def remarks(before: _Manifests, after: _Manifests) -> Iterator[str]:
    """Sentences for whoever reviews the change."""
    old, new = list(before), list(after)
    yield from _traffic(old, new)
    yield from _backups(old, new)
    yield from _namespaces(old, new)
    yield from _edges(old, new)


def _of_kind(manifests: _Manifests, kind: str) -> dict[str, Mapping[str, Any]]:
    return {text(dig(each, "metadata", "name")): each for each in manifests if each.get("kind") == kind}


def _traffic(old: _Manifests, new: _Manifests) -> Iterator[str]:
    before, after = _of_kind(old, "NetworkPolicy"), _of_kind(new, "NetworkPolicy")
    for name, policy in after.items():
        if name in before:
            continue
        unsaid = ("Ingress", "Egress") if dig(policy, "spec", "egress") else ("Ingress",)
        types = dig(policy, "spec", "policyTypes") or unsaid
        listed = [way for way, kind in (("to", "Ingress"), ("from", "Egress")) if kind in types]
        if listed:
            allowed = _callers(policy)
            labels = _labels(dig(policy, "spec", "podSelector", "matchLabels"))
            who = f"the pods {labels}" if labels else "every pod"
            callers = f". Callers: {allowed}" if "to" in listed and allowed else ""
            yield (
                f"NetworkPolicy/{name} is new: connections {' and '.join(listed)} {who} that no policy lists "
                f"stop and time out (README.md has the table of flows){callers}"
            )
    if before and not after:
        yield "no NetworkPolicy is left: every pod of the cluster reaches the pods once the policies are deleted"


def _callers(policy: Mapping[str, Any]) -> str:
    found = []
    for _, entry in items(dig(policy, "spec", "ingress")):
        peers = [_peer(peer) for _, peer in items(entry.get("from"))] or ["everybody"]
        ports = ", ".join(str(port.get("port")) for _, port in items(entry.get("ports")))
        found.append(f"{' or '.join(peers)}{f' on {ports}' if ports else ''}")
    return "; ".join(found)


def _peer(peer: Mapping[str, Any]) -> str:
    block = text(dig(peer, "ipBlock", "cidr"))
    pods = _labels(dig(peer, "podSelector", "matchLabels"))
    spaces = _labels(dig(peer, "namespaceSelector", "matchLabels"))
    spaces = spaces.removeprefix("kubernetes.io/metadata.name=")
    if "namespaceSelector" in peer and not spaces:
        spaces = "any"
    return block or " of ".join(filter(None, (f"pods {pods}" if pods else "", f"namespace {spaces}" if spaces else "")))


def _labels(labels: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in mapping(labels).items())


def _backups(old: _Manifests, new: _Manifests) -> Iterator[str]:
    for name, place in _places(old).items():
        later = _places(new).get(name)
        if later is None:
            yield f"CronJob/{name} goes: no more backups are made. Those in {place} stay, and none is deleted by age"
        elif later != place:
            yield (
                f"CronJob/{name} writes to {later} from now on. The backups in {place} stay there: `backup` does not "
                "list them, `restore` does not find them and nothing deletes them"
            )


def _places(manifests: _Manifests) -> dict[str, str]:
    """Where each CronJob puts backups: a bucket, or a claim."""
    found = {}
    for name, job in _of_kind(manifests, "CronJob").items():
        pod = dig(job, "spec", "jobTemplate", "spec", "template", "spec")
        containers = [*items(dig(pod, "initContainers")), *items(dig(pod, "containers"))]
        variables = {text(env.get("name")): env for _, each in containers for _, env in items(each.get("env"))}
        if not {"KEEP_COUNT", "KEEP_DAYS"} & variables.keys():
            continue
        claims = [text(dig(volume, "persistentVolumeClaim", "claimName")) for _, volume in items(dig(pod, "volumes"))]
        given = {word: text(dig(variables.get(key), "value")) for key, word in _PLACES.items()}
        words = [f"{word} {value}" for word, value in given.items() if value]
        found[name] = ", ".join(words) or f"claim {next(filter(None, claims), '')}"
    return found


def _namespaces(old: _Manifests, new: _Manifests) -> Iterator[str]:
    for name in _of_kind(old, "Namespace").keys() - _of_kind(new, "Namespace").keys():
        yield (
            f"Namespace/{name} is no longer in the files. kubectl apply leaves it in the cluster. Argo CD or Flux that "
            "prunes would delete it with all that is in it, claims too, if it applied that file: first annotate it "
            "with argocd.argoproj.io/sync-options: Prune=false or kustomize.toolkit.fluxcd.io/prune: disabled"
        )


def _edges(old: _Manifests, new: _Manifests) -> Iterator[str]:
    before, after = _hosts(old), _hosts(new)
    gone = sorted(before.keys() - after.keys())
    if gone:
        yield f"nothing leads from {' and '.join(gone)} to Convex any more"
    moved: dict[tuple[str, str], list[str]] = {}
    for host in sorted(before.keys() & after.keys()):
        if not before[host] & after[host]:
            moved.setdefault((" and ".join(sorted(before[host])), " and ".join(sorted(after[host]))), []).append(host)
    for (one, other), hosts in moved.items():
        yield (
            f"{' and '.join(hosts)}: the {other} answers instead of the {one}, at another address. Have both on while "
            f"DNS moves: the {one} goes with the next apply that prunes"
        )


def _hosts(manifests: _Manifests) -> dict[str, set[str]]:
    """The kinds of edge behind each host."""
    found: dict[str, set[str]] = {}
    for route in predict(manifests).routes:
        if route.host and route.target:
            found.setdefault(route.host, set()).add(
                "Gateway" if route.source.kind == "HTTPRoute" else route.source.kind
            )
    return found
