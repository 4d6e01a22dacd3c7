"""A cdk8s library for self-hosted Convex: typed values in, one chart of Kubernetes objects out."""
