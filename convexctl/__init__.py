"""The program: from overlay files to `dist/`, and the commands beside that path."""

__version__ = "0.2.0"
