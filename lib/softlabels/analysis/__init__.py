"""One tidy table of runs, and what is computed from it."""
