"""Chapter 11: annot-mix beside eleven other ways to learn from several people."""
