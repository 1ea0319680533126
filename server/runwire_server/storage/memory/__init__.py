"""The reference adapter: the whole contract in one process's memory. Nothing is kept on exit."""
