"""The command `runwire`. It comes with the server's part of the distribution."""

import os
import sys

# gRPC's own log lines are not for whoever sits at a command line. It reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # noqa: TID251 -- the only way to tell it


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
