"""What one chapter alone needs and is too long for its cells."""
