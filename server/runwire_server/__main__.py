"""`python -m runwire_server` is `runwire`."""

from runwire_server.cli import main

if __name__ == "__main__":
    main()
