"""Private database servers for the tests: own folders, own ports, gone when the tests are."""
