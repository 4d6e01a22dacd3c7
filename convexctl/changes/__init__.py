"""What synth would change: the guard against changes that cannot be undone, and `diff`."""
