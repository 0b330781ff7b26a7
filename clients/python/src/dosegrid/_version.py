"""The version of this package: that of the server it belongs to."""

__version__ = "0.1.0"
