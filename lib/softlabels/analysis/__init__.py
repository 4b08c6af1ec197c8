"""What is computed from runs: paired differences, embeddings, verdicts, tables."""
