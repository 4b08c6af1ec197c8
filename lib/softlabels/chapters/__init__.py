"""What one chapter alone needs and is too long for its cells, under that chapter's name."""
