"""Chapter 13: how near to the noise ceiling the networks are."""
