"""One module per command: `configure(parser)` declares its arguments, `run(arguments)` returns the exit code."""
