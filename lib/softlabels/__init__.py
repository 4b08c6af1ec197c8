"""Learning from people who disagree: the shared library of the companion."""

__version__ = "0.1.0"
