"""The systems that do what Runwire does, each in an environment of its own."""
