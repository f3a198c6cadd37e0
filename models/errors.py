"""What goes wrong in models; every message gives the name, the value and what was expected."""


class ModelError(ValueError):
    """Root of the errors raised here."""


class InvalidSnapshot(ModelError):
    """Bytes or text that are no snapshot of a known format."""


class InvalidState(ModelError):
    """Bytes that are no stored trainer of a known format, or of other features."""


class UnknownClusterer(ModelError):
    """A name that the registry does not have."""
