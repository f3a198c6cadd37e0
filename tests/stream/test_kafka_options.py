"""How clients reach the brokers."""

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from stream.errors import ConfigurationError
from stream.kafka_options import kafka_options
from stream.settings import Settings

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUPPUCJW9Jlx+dNehUpXXynjEBJZkwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIwOTAzMTVaGA8yMTI2MTAyOTA5MDMx
NVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABP/C
ZIzwH0HdvJvyqukqrwvGxPBh9r3XjxTi0b4DFwQTjDAHDwJ7xxAr/5Ju0Og5FPdF
G43dlk0pPSpNhlc55DKjUzBRMB0GA1UdDgQWBBQWcsfn9j4PWerOQTaf6bP4Hyzj
BjAfBgNVHSMEGDAWgBQWcsfn9j4PWerOQTaf6bP4HyzjBjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIEzZAFgyr47UQgUiOlEr0oHobllCicmuyBUI
JJrAAFaLAiAWNWF6VGwGZYOw6B0qsphGWhXAuOKUkVKrIP/x/JOkSw==
-----END CERTIFICATE-----
"""


def test_plain() -> None:
    assert kafka_options(Settings(kafka="a:1, b:2")) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "PLAINTEXT",
    }


def test_tls_and_sasl(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(CERTIFICATE)
    chosen = Settings(
        kafka="a:1",
        kafka_security="SASL_SSL",
        kafka_sasl="PLAIN",
        kafka_user="ana",
        kafka_password=SecretStr("geheim"),
        kafka_ca=ca,
    )
    options = kafka_options(chosen)
    context = options.pop("ssl_context")
    assert [c["subject"] for c in context.get_ca_certs()] == [((("commonName", "test"),),)]
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
    assert options == {
        "bootstrap_servers": ["a:1"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "ana",
        "sasl_plain_password": "geheim",
    }


def test_missing_certificates_are_named(tmp_path: Path) -> None:
    chosen = Settings(kafka="a:1", kafka_security="SSL", kafka_ca=tmp_path / "none.pem")
    with pytest.raises(ConfigurationError, match=r"AGOS_KAFKA_CA: .*none\.pem is no file"):
        kafka_options(chosen)


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_a_file_without_certificates_is_named(tmp_path: Path, text: str) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(text)
    chosen = Settings(kafka="a:1", kafka_security="SSL", kafka_ca=ca)
    with pytest.raises(ConfigurationError, match=r"AGOS_KAFKA_CA: .*ca\.pem: .*, expected CA"):
        kafka_options(chosen)
