"""The files of a new GitOps repository that uses the package."""
