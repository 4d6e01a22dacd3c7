"""Whether a deployment works, seen from outside: through its public origins, as its users reach it."""
