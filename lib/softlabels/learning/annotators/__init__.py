"""Learning from several people: annot-mix and its competitors (AM)."""
