"""Names that both planes must agree on: ports, files, keys of the assembled Secret, labels."""

GROUP = "mailhaul.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

CONFIG_FILE = "relay.v1.json"
"""Key of the ConfigMap and name of the file that holds a RelayConfig of contract version 1."""
ALIAS_TABLE_FILES = tuple(f"aliases.v1.{number}.json" for number in range(8))
"""Files with alias entries that do not fit into the configuration itself, in order."""
HTTP_PORT = 9090
"""Health, metrics, report and queue commands of a relay."""
SMTP_PORTS = {25: 2525, 587: 2587, 465: 2465}
"""Port of the Service to port of the container: a pod without rights binds no port below 1024."""

TOKEN_HEADER = "X-Mailhaul-Token"  # noqa: S105 - a header's name
"""Carries the API token where `Authorization` is kept by a proxy on the way, as the API server's is."""

SECRET_REVISION = "revision"  # noqa: S105 - the names of files, not secrets
SECRET_API_TOKEN = "api.token"  # noqa: S105
SECRET_SRS = "srs.secret"  # noqa: S105
SECRET_ACCOUNTS = "smtp.accounts"  # noqa: S105
"""Key of the SMTP accounts of clients, in the form of `mailhaul_contract.accounts`."""


def secret_username(provider: str) -> str:
    """Key of the user name of a provider's credential in the assembled Secret."""
    return f"provider.{provider}.username"


def secret_password(provider: str) -> str:
    """Key of the password of a provider's credential in the assembled Secret."""
    return f"provider.{provider}.password"


CREDENTIAL_PARTS = ("username", "password", "clientId", "clientSecret", "refreshToken")
"""What a provider's credential may consist of, by the last part of its key in the assembled Secret."""


def secret_credential(provider: str, part: str) -> str:
    """Key of one of `CREDENTIAL_PARTS` of a provider in the assembled Secret."""
    return f"provider.{provider}.{part}"


def secret_previous_credential(provider: str, part: str) -> str:
    """Key of one of `CREDENTIAL_PARTS` as it was before the last change."""
    return f"provider.{provider}.previous.{part}"


def secret_client_certificate(provider: str) -> str:
    """Key of the certificate chain (PEM) that is shown to a provider."""
    return f"provider.{provider}.tls.crt"


def secret_client_key(provider: str) -> str:
    """Key of that certificate's private key (PEM)."""
    return f"provider.{provider}.tls.key"


def secret_certificate(listener: str) -> str:
    """Key of a listener's certificate chain (PEM) in the assembled Secret."""
    return f"tls.{listener}.crt"


def secret_private_key(listener: str) -> str:
    """Key of a listener's private key (PEM) in the assembled Secret."""
    return f"tls.{listener}.key"


def secret_previous_username(provider: str) -> str:
    """Key of the user name that was in use before the last change, kept until the new credential is proved."""
    return f"provider.{provider}.previous.username"


def secret_previous_password(provider: str) -> str:
    """Key of the password that was in use before the last change."""
    return f"provider.{provider}.previous.password"


def secret_previous_since(provider: str) -> str:
    """Key of the time of the last change, in seconds since the epoch as text."""
    return f"provider.{provider}.previous.since"
