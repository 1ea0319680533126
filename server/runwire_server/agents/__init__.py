"""Agents: given a context, return a message and emit progress. `agent` is the contract."""
