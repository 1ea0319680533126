"""The command `runwire`. It comes with the server's part of the distribution."""

import sys


def main() -> None:
    """Run the command line, or say what is missing."""
    try:
        from runwire_server.cli import main as command
    except ImportError as error:
        print(  # noqa: T201 -- this is a command line
            f"runwire: the command line needs the server's packages ({error.name} is missing): "
            "pip install 'runwire[server]'",
            file=sys.stderr,
        )
        sys.exit(2)
    command()


if __name__ == "__main__":
    main()
