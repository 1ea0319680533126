"""A server with TLS, a user who needs a password and TLS, odd time zones, and few connections."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from servers.private import SERVERS, PrivateServer
from servers.shared import admin

USER, PASSWORD, DATABASE = "guarded", "p@ss:w/örd%", "secured"
CONNECTIONS = 12
Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def write_certificate(folder: Path, name: str, signer: Signer | None = None) -> Signer:
    """Write NAME.pem and NAME.key: an authority, or, with a signer, the certificate of a server called localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer[0].subject if signer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
    )
    if signer is not None:
        # Not 127.0.0.1: so verify-ca and verify-full differ.
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("::1"))])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(signer[1] if signer is not None else key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.key").write_bytes(private)
    (folder / f"{name}.key").chmod(0o600)
    return certificate, key


class SecuredServer:
    """`folder` has ca.pem, which signed the server's certificate, and other.pem, which did not."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        write_certificate(folder, "other")
        self.process = SERVERS[kind](max_connections=CONNECTIONS)
        write_certificate(self.process.folder, "server", write_certificate(folder, "ca"))
        if self.process.user and os.geteuid() == 0:
            for path in self.process.folder.glob("server.*"):
                shutil.chown(path, self.process.user, self.process.user)

    def start(self) -> None:
        """Start it and make the database and the user."""
        process, literal = self.process, f"'{PASSWORD}'"
        if self.kind == "postgres":
            process.options += _postgres_options(process)
            (process.folder / "rules").write_text(
                f"hostssl all {USER} all scram-sha-256\nhost all {USER} all reject\n"
                "local all all trust\nhost all all all trust\n"
            )
            process.start()
            admin.run(
                process.url,
                f"CREATE USER {USER} PASSWORD {literal}",
                f"CREATE DATABASE {DATABASE} OWNER {USER}",
                f"ALTER ROLE {USER} SET timezone = 'America/St_Johns'",
            )
        else:
            process.options += _mysql_options(process)
            process.start()
            admin.run(
                process.url,
                f"CREATE DATABASE {DATABASE}",
                f"CREATE USER {USER}@'%' IDENTIFIED BY {literal} REQUIRE SSL",
                f"GRANT ALL ON {DATABASE}.* TO {USER}@'%'",
            )

    def url(self, *, password: str = PASSWORD, host: str = "127.0.0.1", **options: object) -> str:
        """The store's URL for that user."""
        values = {"ssl": "require", **options}
        query = "&".join(f"{name}={value}" for name, value in values.items())
        scheme = self.process.url.partition(":")[0]
        login = f"{USER}:{quote(password, safe='')}"
        return f"{scheme}://{login}@{host}:{self.process.port}/{DATABASE}?{query}"

    @property
    def admin_url(self) -> str:
        """The URL of one who may do everything."""
        return f"{self.process.url.rpartition('/')[0]}/{DATABASE}"

    @property
    def socket(self) -> str:
        """What the option `host` names: PostgreSQL's folder, MySQL's file."""
        return str(self.process.folder if self.kind == "postgres" else self.process.folder / "s")

    def set_read_only(self, *, is_on: bool) -> None:
        """Refuse writes, or not."""
        value = "on" if is_on else "off"
        if self.kind == "postgres":
            setting = f"ALTER SYSTEM SET default_transaction_read_only = {value}"
            admin.run(self.process.url, setting, "SELECT pg_reload_conf()")
        else:
            admin.run(self.process.url, f"SET GLOBAL read_only = {int(is_on)}")


def _postgres_options(process: PrivateServer) -> list[str]:
    settings = [
        *(
            "ssl=on",
            f"ssl_cert_file={process.folder}/server.pem",
            f"ssl_key_file={process.folder}/server.key",
        ),
        *("timezone=Asia/Kathmandu", "superuser_reserved_connections=1", f"hba_file={process.folder}/rules"),
    ]
    return [part for one in settings for part in ("-c", one)]


def _mysql_options(process: PrivateServer) -> list[str]:
    return [
        *(f"--ssl-cert={process.folder}/server.pem", f"--ssl-key={process.folder}/server.key"),
        *("--default-time-zone=+05:45", "--init-connect=SET time_zone = '-03:30'"),
    ]
