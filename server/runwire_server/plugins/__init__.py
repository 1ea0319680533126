"""Hooks around a run. Empty until the issue that brings them."""
