"""The program: from overlay files to `dist/`, and the commands that stand beside that path."""

__version__ = "0.2.0"
