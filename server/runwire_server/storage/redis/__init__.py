"""The store over Redis 6.2 or newer: one server, Sentinel or Cluster. See keys for what is kept where."""
