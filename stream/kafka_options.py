"""How any client reaches the brokers; kafka-python and aiokafka take the same options."""

import ssl
from typing import Any

from stream.errors import ConfigurationError
from stream.settings import Settings


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Connection, TLS and SASL options.

    Raises
    ------
    ConfigurationError
        If the file of CA certificates is missing.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in settings.kafka.split(",")],
        "security_protocol": settings.kafka_security,
    }
    if context := ssl_context(settings):
        options["ssl_context"] = context
    if settings.kafka_security.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl
        options["sasl_plain_username"] = settings.kafka_user
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """Whom to trust; None where connections are not encrypted.

    Raises
    ------
    ConfigurationError
        If the file of CA certificates is missing.
    """
    if not settings.kafka_security.endswith("SSL"):
        return None
    if settings.kafka_ca is not None and not settings.kafka_ca.is_file():
        raise ConfigurationError(
            f"AGOS_KAFKA_CA: {settings.kafka_ca} is no file, expected CA certificates in PEM"
        )
    try:
        return ssl.create_default_context(cafile=settings.kafka_ca)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"AGOS_KAFKA_CA: {settings.kafka_ca}: {error}, expected CA certificates in PEM"
        ) from None
