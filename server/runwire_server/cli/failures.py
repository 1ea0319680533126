"""What goes wrong at the command line: one line on stderr, an exit code, no traceback."""

import sys
from collections.abc import Callable
from typing import Any

EXIT_RUN_FAILED = 1
EXIT_MISTAKE = 2
EXIT_CANCELLED = 130


class CommandError(Exception):
    """The command cannot be done. The text is one line."""

    def __init__(self, message: str, exit_code: int = EXIT_MISTAKE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_command(app: Callable[..., Any]) -> int:  # noqa: PLR0911 -- a table of errors
    """Run a typer app and return its exit code."""
    import typer

    from runwire.errors import CallError, RunwireError
    from runwire_server.app import StartError
    from runwire_server.config import ConfigError

    try:
        result = app(standalone_mode=False)
    except CommandError as error:
        return fail(str(error), error.exit_code)
    except (StartError, ConfigError) as error:
        return fail(str(error))
    except CallError as error:
        return fail(call_failure(error))
    except RunwireError as error:
        return fail(str(error), EXIT_RUN_FAILED)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its class is not public
            print(error.ctx.get_help())  # type: ignore[attr-defined]  # noqa: T201 -- the help is the answer
            return EXIT_MISTAKE
        return fail(_usage(error))
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_CANCELLED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_RUN_FAILED
    return result if isinstance(result, int) else 0


def fail(message: str, exit_code: int = EXIT_MISTAKE) -> int:
    """Say it on stderr, in one line."""
    print(f"runwire: {one_line(message)}", file=sys.stderr)  # noqa: T201 -- this is a command line
    return exit_code


def call_failure(error: Any) -> str:
    """Return what to tell a person about a call that failed."""
    import grpc

    if error.code is grpc.StatusCode.UNAVAILABLE and not error.reason:
        return f"cannot reach the server: {error.message} (is it running? `make serve`)"
    return f"{error.message} ({error.reason or error.code.name})"


def one_line(text: str) -> str:
    """Return the text without line breaks."""
    return " ".join(text.split())


def _usage(error: Any) -> str:
    """Return what is wrong with how the command was called."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "runwire"
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{one_line(text)} (try '{command} --help')"
