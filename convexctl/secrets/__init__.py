"""The Secrets of an environment: which are needed, what they hold, and how they are made."""
