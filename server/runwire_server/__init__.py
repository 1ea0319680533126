"""Runwire's server: run agents, keep their logs, serve them over gRPC."""

__version__ = "0.1.0"
