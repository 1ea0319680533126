"""Where sessions, runs and their logs are kept. `port` is the contract; the rest are adapters."""
