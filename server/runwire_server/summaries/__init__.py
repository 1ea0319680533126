"""Condensing old history. Empty until the issue that brings it."""
