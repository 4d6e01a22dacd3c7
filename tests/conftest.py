"""What holds for all tests."""

from __future__ import annotations

import os
import tempfile

# What synth remembers of the tests' runs is not kept in the cache of whoever runs them.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="convex-k8s-cache-")
