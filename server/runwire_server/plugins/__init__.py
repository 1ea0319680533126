"""Hooks of an app."""
