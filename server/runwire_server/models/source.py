"""Where agents get their models: by name, so that a run may choose one."""

from typing import Protocol

from runwire_server.models.model import Model


class ModelSource(Protocol):
    """The server's models."""

    def model(self, name: str) -> Model:
        """Return the model of that name; the default one for an empty name.

        Raises: InvalidRequestError (field options.model) for one that the server does not have.
        """
        ...
