"""Which certificates are believed, and that they are read once."""

import ssl

import pytest
from marketdata.net.trust import trusted_authorities


def test_the_certificates_are_read_once_for_all_connections() -> None:
    assert trusted_authorities() is trusted_authorities()


def test_a_certificate_must_be_an_authoritys_and_of_the_host_itself() -> None:
    context = trusted_authorities()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.get_ca_certs()


def test_authorities_of_ones_own_are_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/absent/authorities.pem")
    trusted_authorities.cache_clear()
    try:
        with pytest.raises(FileNotFoundError):
            trusted_authorities()
    finally:
        trusted_authorities.cache_clear()
