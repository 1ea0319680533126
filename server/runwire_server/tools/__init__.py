"""Tools that agents can call. `tool` is the contract; the rest are adapters."""
