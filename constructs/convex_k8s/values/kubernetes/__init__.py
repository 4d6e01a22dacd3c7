"""Kubernetes' own structures: their types, and what the API server wants of them that its schemas do not say."""
