"""What people said: votes, label distributions, and what is measured on them."""
