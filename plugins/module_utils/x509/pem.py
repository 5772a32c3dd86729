# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM files as users have them: several blocks, Windows line ends, text between, DER by mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import InputError

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:  # modules must import without it; run.py says what is missing
    pass

#: Labels that hold a plain certificate; the second is the older name of the first.
CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")

_MARKER = re.compile(r"-----(BEGIN|END) ([A-Z0-9#. ]{1,64}?)-----")
_PKCS7_COMMAND = "openssl pkcs7 -print_certs -in FILE -out certificates.pem"
_PKCS12_COMMAND = "openssl pkcs12 -in FILE -nokeys -out certificates.pem"
# Where a bundle's DER begins, after the header of the outer SEQUENCE: OID signedData (RFC 5652 section 5.1),
# and version 3 followed by a SEQUENCE (RFC 7292 section 4).
_PKCS7_START = bytes.fromhex("06092a864886f70d010702")
_PKCS12_START = bytes.fromhex("02010330")


class Block(NamedTuple):
    """One PEM block (RFC 7468), its armour and its line ends taken away."""

    number: int
    """Place in the file, from 1."""
    label: str
    headers: str
    """The lines of RFC 1421 in front of the content (``Proc-Type: 4,ENCRYPTED``), or nothing."""
    content: str
    """Base64 without white space; not checked."""

    def __repr__(self) -> str:
        """Leave out the content, which may be a key, so that no traceback or log can show it."""
        return f"Block({self.number}, {self.label!r})"

    @property
    def is_private_key(self) -> bool:
        """Whether the label is that of a private key of any format."""
        return self.label.endswith("PRIVATE KEY")

    def text(self) -> bytes:
        """Return the block as the library wants it: lines of 64, LF, closing newline."""
        lines = [f"-----BEGIN {self.label}-----"]
        if self.headers:
            lines += [*self.headers.splitlines(), ""]
        lines += [self.content[at : at + 64] for at in range(0, len(self.content), 64)]
        return "\n".join([*lines, f"-----END {self.label}-----", ""]).encode("latin-1")


def is_pem(data: bytes) -> bool:
    """Tell whether there is a PEM marker anywhere in the data, even a broken one."""
    text = _text(data)
    return "-----BEGIN" in text or "-----END" in text


def scan(data: bytes, field: str) -> list[Block]:
    """Return every PEM block of a file in order, whatever it holds.

    Raises:
        InputError: a block does not end, ends as another one, or has no beginning.
    """
    text = _text(data)
    blocks: list[Block] = []
    begun: re.Match[str] | None = None
    for marker in _MARKER.finditer(text):
        number = len(blocks) + 1
        if marker[1] == "BEGIN":
            if begun:
                raise _truncated(number, begun[2], field)
            begun = marker
        elif not begun:
            raise _damaged(number, marker[2], "has no BEGIN line", field)
        elif marker[2] != begun[2]:
            raise _damaged(number, begun[2], f"ends as {marker[2]}", field)
        else:
            blocks.append(_block(number, begun[2], text[begun.end() : marker.start()]))
            begun = None
    if begun:
        raise _truncated(len(blocks) + 1, begun[2], field)
    return blocks


def parse_certificates(data: bytes, field: str) -> list[x509.Certificate]:
    """Return the certificates of a file in the file's order, at least one.

    Private keys, parameters and revocation lists in the same file are passed over, and so is any text outside
    the blocks. One certificate in DER form is read too.

    Args:
        data: the content of the file.
        field: the user's option, for messages.

    Raises:
        InputError: there is no certificate, one is truncated or damaged, or the file is of another kind; the
            message then says how to convert it.
    """
    if not data.strip():
        raise InputError(
            "the certificate file is empty", field=field, remedy="Give at least one certificate in PEM form"
        )
    if not is_pem(data):
        return [_from_der(data, field)]
    blocks = scan(data, field)
    for block in blocks:
        _refuse_container(block, field)
    found = [_certificate(block, field) for block in blocks if block.label in CERTIFICATE_LABELS]
    if not found:
        raise _no_certificate([block.label for block in blocks], field)
    return found


def certificates_to_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """Return certificates as PEM, in order, with LF only.

    Every block ends with a newline: the router refuses two blocks that are glued together.
    """
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def kind_of_der(data: bytes) -> str:
    """Return what data without PEM armour is: ``certificate``, ``PKCS#7``, ``PKCS#12``, ``key``, ``base64`` or nothing.

    ``key`` is a guess from the first bytes that PKCS#8, PKCS#1 and SEC1 share, good enough for a message.
    """
    if b"LS0tLS1CRUdJTi" in data[:64]:  # base64 of "-----BEGIN "
        return "base64"
    body = _sequence_body(data)
    if body.startswith(_PKCS7_START):
        return "PKCS#7"
    if body.startswith(_PKCS12_START):
        return "PKCS#12"
    if _readable(data):
        return "certificate"
    return "key" if body.startswith((b"\x02\x01\x00", b"\x02\x01\x01")) else ""


def armoured_again(field: str) -> InputError:
    """Return the error for base64 of a PEM file, as a Secret's ``data`` holds it."""
    return InputError(
        "the text is base64 of a PEM file, as it stands in a Secret's data",
        field=field,
        found="base64",
        remedy="Decode it first: base64 -d",
    )


def is_parse_failure(error: BaseException) -> bool:
    """Tell whether what the library raised on foreign bytes is a verdict on them, and not a wish to stop.

    Any exception is; and so is a panic of its Rust part (on an encrypted key with a short initialisation vector,
    in version 50), which is derived from BaseException and belongs to no module that can be imported.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _text(data: bytes) -> str:
    """Return the file as text; latin-1 so that any byte outside the blocks is harmless."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # Windows PowerShell writes UTF-16 with a byte order mark
        return data.decode("utf-16", errors="replace")
    return data.decode("latin-1")


def _block(number: int, label: str, inner: str) -> Block:
    lines = [line.strip() for line in inner.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")]
    headers = ""
    if ":" in lines[0]:  # no base64 holds a colon, so these are headers up to the empty line
        end = lines.index("") if "" in lines else len(lines)
        headers, lines = "\n".join(lines[:end]), lines[end:]
    # Characters beyond latin-1 can come only out of a UTF-16 file; as "?" they are still not base64.
    content = "".join("".join(lines).split()).encode("latin-1", errors="replace").decode("latin-1")
    return Block(number, label, headers.encode("latin-1", errors="replace").decode("latin-1"), content)


def _refuse_container(block: Block, field: str) -> None:
    if block.label in ("PKCS7", "CMS", "PKCS #7 SIGNED DATA"):
        raise _container("PKCS#7", _PKCS7_COMMAND, field)
    if block.label == "TRUSTED CERTIFICATE":
        raise InputError(
            f"PEM block {block.number} is a TRUSTED CERTIFICATE, which only OpenSSL reads",
            field=field,
            found=block.label,
            remedy="Write it as a plain certificate: openssl x509 -in FILE -out certificate.pem",
        )


def _container(kind: str, command: str, field: str) -> InputError:
    return InputError(
        f"the file is a {kind} bundle, not PEM certificates", field=field, found=kind, remedy=f"Convert it: {command}"
    )


def _certificate(block: Block, field: str) -> x509.Certificate:
    certificate = _parsed(block._replace(label=CERTIFICATE_LABELS[0]).text(), pem_armour=True)
    if certificate is None:
        raise _damaged(block.number, block.label, "cannot be read as a certificate", field)
    return certificate


def _from_der(data: bytes, field: str) -> x509.Certificate:
    certificate = _parsed(data, pem_armour=False)
    if certificate is not None:
        return certificate
    kind = kind_of_der(data)
    if kind == "PKCS#7":
        raise _container(kind, f"{_PKCS7_COMMAND} -inform DER", field)
    if kind == "PKCS#12":
        raise _container(kind, _PKCS12_COMMAND, field)
    if kind == "base64":
        raise armoured_again(field)
    if kind == "key":
        raise _no_certificate(["PRIVATE KEY"], field)
    raise InputError(
        "the file holds no certificate, neither as PEM nor as DER",
        field=field,
        found=f"{len(data)} bytes of something else",
        remedy="Give a PEM file that says BEGIN CERTIFICATE",
    )


def _parsed(data: bytes, *, pem_armour: bool) -> x509.Certificate | None:
    """Return a certificate of which every part that this package reads is readable, or nothing.

    The library parses lazily: touching the parts here means that no later function meets a parse error.
    """
    try:
        certificate = x509.load_pem_x509_certificate(data) if pem_armour else x509.load_der_x509_certificate(data)
        certificate.subject.rfc4514_string()
        certificate.issuer.rfc4514_string()
        dummy = (
            certificate.version,
            certificate.serial_number,
            certificate.extensions,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            certificate.signature_hash_algorithm,
            certificate.public_key(),
        )
    except BaseException as error:
        if not is_parse_failure(error):
            raise
        return None
    return certificate


def _readable(data: bytes) -> bool:
    return _parsed(data, pem_armour=False) is not None


def _sequence_body(data: bytes) -> bytes:
    """Return the first bytes inside an outer DER or BER SEQUENCE, nothing if it is none."""
    if len(data) < 2 or data[0] != 0x30:
        return b""
    length_octets = data[1] & 0x7F if data[1] & 0x80 else 0
    return data[2 + length_octets : 2 + length_octets + 16]


def _no_certificate(labels: list[str], field: str) -> InputError:
    remedy = "Give a PEM file that says BEGIN CERTIFICATE"
    if any("CERTIFICATE REQUEST" in label for label in labels):
        return InputError(
            "the file holds a signing request, not a certificate",
            field=field,
            found="CERTIFICATE REQUEST",
            remedy="Let the CA sign it and give the certificate that comes back",
        )
    if any(label.endswith("PRIVATE KEY") for label in labels):
        return InputError(
            "a private key stands where the certificate should be", field=field, found="a private key", remedy=remedy
        )
    return InputError(
        "the file holds no certificate", field=field, found=", ".join(labels) or "no PEM block", remedy=remedy
    )


def _truncated(number: int, label: str, field: str) -> InputError:
    return InputError(
        f"PEM block {number} ({label}) is truncated: its END line is missing",
        field=field,
        found=f"block {number} without END",
        remedy="Copy the file anew, with everything from BEGIN to END",
    )


def _damaged(number: int, label: str, what: str, field: str) -> InputError:
    return InputError(
        f"PEM block {number} ({label}) is damaged: it {what}",
        field=field,
        found=f"block {number}",
        remedy="Copy the file anew, byte for byte, with its line breaks",
    )
