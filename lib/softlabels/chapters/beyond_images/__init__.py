"""Chapter 18: pairs of texts with a hundred votes each."""
