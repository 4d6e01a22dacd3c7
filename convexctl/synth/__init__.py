"""Values in, the files of an environment out."""
