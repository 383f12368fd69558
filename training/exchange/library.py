"""Libraries that an export needs and training does not."""

import importlib
from types import ModuleType

from configs.errors import ConfigurationError


def library(name: str) -> ModuleType:
    """Import a library of requirements-exchange.txt.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed: pip install -r requirements-exchange.txt"
        ) from error
