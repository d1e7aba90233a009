"""Certificates for tests, made with the openssl program: an own authority, good, expired and wrongly named servers.

Without openssl the test that wants them is skipped with the package to install.
"""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    """A certificate chain and its key, PEM files."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """A server's TLS context with it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context


class Authority:
    """A certificate authority of a test's own. `folder` receives its files."""

    def __init__(self, folder: Path) -> None:
        self.program = shutil.which("openssl") or ""
        if not self.program:
            pytest.skip("openssl is not here; install Debian's openssl")
        self.folder = folder
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-subj", "/CN=Test CA")
        self._run("req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", *usage)

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return (self.folder / "ca.pem").read_text()

    def issue(self, name: str, *, subject_alt_name: str, expired: bool = False) -> Pair:
        """Make a server certificate, for instance with `DNS:mx.example,IP:127.0.0.1`."""
        request = ("req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        self._run(*request)
        extensions = f"subjectAltName={subject_alt_name}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        (self.folder / f"{name}.ext").write_text(extensions)
        days = "-1" if expired else "2"
        authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext")
        self._run("x509", "-req", "-in", f"{name}.csr", *authority, "-days", days, "-out", f"{name}.pem")
        return Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")

    def _run(self, *arguments: str) -> None:
        subprocess.run([self.program, *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
