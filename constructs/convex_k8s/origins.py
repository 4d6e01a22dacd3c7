"""Which public URLs an environment has, and why: pure, no cluster and no chart needed."""

from __future__ import annotations

from dataclasses import dataclass

from convex_k8s.values import Values


@dataclass(frozen=True)
class Origins:
    """The three URLs that self-hosted Convex confuses most easily.

    `cloud` is where the API is reached (`CONVEX_CLOUD_ORIGIN`), `site` where HTTP actions are (`CONVEX_SITE_ORIGIN`),
    `deployment` is the API as the browser that shows the dashboard reaches it (`NEXT_PUBLIC_DEPLOYMENT_URL`).
    """

    cloud: str
    site: str
    deployment: str

    @classmethod
    def of(cls, values: Values) -> Origins:
        """With Ingress or Gateway on they follow from its hosts, else `convexConfig` says them.

        Without a host for HTTP actions these are reached under `/http` of the API, which serves them too.
        """
        hosts = values.public_hosts
        if hosts is None:
            config = values.convex_config
            return cls(config.cloud_origin, config.site_origin, config.deployment_url)
        return cls(hosts.cloud_origin, hosts.site_origin, hosts.cloud_origin)
