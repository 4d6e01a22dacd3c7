"""Where an environment is verified: its origins, and what is trusted and known on the way."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from convexctl.tools.convex_api import LOOPBACK, ConvexApi


@dataclass(frozen=True)
class Place:
    """The origins of an environment as this machine reaches them, and the key that opens it."""

    cloud: str
    site: str
    dashboard: str
    """Empty if it is not looked at."""
    deployment: str = ""
    """The API as the overlay tells the dashboard to name it."""
    no_api: str = ""
    no_dashboard: str = ""
    """Why a port-forward does not reach the API or the dashboard; empty if it does."""
    key: str = ""
    no_key: str = ""
    """Why there is no admin key; empty if there is one."""
    trust: ssl.SSLContext | None = None
    kubectl_options: str = ""
    """What a command of kubectl needs to look at this environment, for remedies."""
    forwarded: bool = False
    """Whether a port-forward leads there, and no edge."""

    @property
    def api(self) -> ConvexApi:
        """The API without a key: what everybody may ask."""
        return ConvexApi(self.cloud, trust=self.trust)

    @property
    def admin(self) -> ConvexApi:
        """The API, opened with the key."""
        return ConvexApi(self.cloud, self.key, self.trust)

    def origins(self) -> dict[str, str]:
        """Every origin once, by host and port, in the order cloud, site, dashboard."""
        found: dict[str, str] = {}
        for url in (self.cloud, self.site, self.dashboard):
            if url:
                parts = urlsplit(url)
                found.setdefault(parts.netloc, f"{parts.scheme}://{parts.netloc}")
        return found


def is_local(url: str) -> bool:
    """Whether a URL leads to the machine itself, so that only a port-forward reaches a cluster by it."""
    return urlsplit(url).hostname in LOOPBACK
