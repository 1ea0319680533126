"""The command line `runwire`: the server, and a client of it like any other."""

import sys

from runwire_server.cli.failures import run_command


def main() -> None:
    """Run the command line and exit: 0 well, 1 a run that failed, 2 a mistake, 130 cancelled."""
    from runwire_server.cli.commands import app

    sys.exit(run_command(app))
