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
        """With Ingress on they follow from its hosts, else `convexConfig` says them.

        Without a host for HTTP actions these are reached under `/http` of the API, which serves them too.
        """
        ingress = values.ingress
        if not ingress.enabled:
            config = values.convex_config
            return cls(config.cloud_origin, config.site_origin, config.deployment_url)
        cloud = f"https://{ingress.backend.host}"
        site = f"https://{ingress.site.host}" if ingress.site.host else f"{cloud}/http"
        return cls(cloud, site, cloud)
