"""Overlay files: found, layered and checked, their schema, and the sealed files beside them."""
