"""Backups: started, followed, and restored through the backend's own HTTP API."""
