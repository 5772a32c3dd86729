# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 files (RFC 7292): the key, its certificate and the others, chosen by friendly name.

As in :mod:`keys`, errors are raised outside of any ``except`` block, so that no context can hold a byte of a key.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import InputError
from . import chain, keys, pem, rules

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import pkcs12
except ImportError:  # modules must import without it; run.py says what is missing
    pass

_JKS_START = bytes.fromhex("feedfeed")
# OID pbeWithSHAAnd40BitRC2-CBC (RFC 7292 appendix C), what old tools encrypt certificates with.
_RC2 = bytes.fromhex("060a2a864886f70d010c0106")
_ONE_ENTRY = (
    "keytool -importkeystore -srckeystore FILE -srcalias NAME -destkeystore NAME.p12 -deststoretype PKCS12, "
    "and give NAME.p12"
)


class _Entry(NamedTuple):
    """A certificate with its friendly name, empty if it has none."""

    name: str
    certificate: x509.Certificate


class _Opened(NamedTuple):
    """What the library made of a file, or the kind of failure: ``damaged`` or ``locked``."""

    key: Any = None
    entries: Sequence[_Entry] = ()
    failure: str = ""


def load_pkcs12(
    data: bytes, field: str, passphrase: bytes | None = None, friendly_name: str = ""
) -> tuple[list[x509.Certificate], keys.PrivateKey | None]:
    """Return the certificates, that of the key first, and the private key, None if there is none.

    The library reads only the first key of a file with several. Which one that is can be seen by its friendly name.

    Args:
        data: the content of the file.
        field: the user's option, for messages.
        passphrase: opens the file; an empty one counts as none.
        friendly_name: the entry that is meant, its case does not matter. Certificates that do not belong to its
            chain are then left out.

    Raises:
        InputError: the file is none of PKCS#12 or damaged, the passphrase missing or wrong, the key of a kind that is
            not supported, or the entry is not there, not readable or not clear.
    """
    if pem.kind_of_der(data) != "PKCS#12":
        raise _another_kind(data, field)
    opened = _open(data, passphrase or None)
    if opened.failure:
        raise _not_opened(data, opened.failure, bool(passphrase), field)
    key = keys.accepted(opened.key, field) if opened.key is not None else None
    entries = _read_anew(opened.entries, field)
    if key is None:
        return _named(entries, friendly_name, field), None
    own = next((entry for entry in entries if keys.matches(key, entry.certificate)), None)
    if own is None:
        raise InputError(
            "the PKCS#12 file does not hold the certificate of its key",
            field=field,
            found=_names(entries),
            remedy="Export it with its certificate: openssl pkcs12 -export -in CERTIFICATES -inkey KEY -out FILE",
        )
    return _chosen(own, [entry for entry in entries if entry is not own], friendly_name, field), key


def _open(data: bytes, passphrase: bytes | None) -> _Opened:
    """Call the library and return its outcome as a value."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files in BER are as good
            loaded = pkcs12.load_pkcs12(data, passphrase)
    except BaseException as error:
        if not pem.is_parse_failure(error):
            raise
        return _Opened(failure="damaged" if "deserialize" in str(error) else "locked")
    held = [*([loaded.cert] if loaded.cert is not None else []), *loaded.additional_certs]
    entries = [_Entry((one.friendly_name or b"").decode("utf-8", "replace"), one.certificate) for one in held]
    return _Opened(loaded.key, entries)


def _read_anew(entries: Sequence[_Entry], field: str) -> list[_Entry]:
    """Return the entries with certificates of which every part is readable: see pem.parse_certificates."""
    if not entries:
        return []
    parsed = pem.parse_certificates(pem.certificates_to_pem(entry.certificate for entry in entries), field)
    return [_Entry(entry.name, certificate) for entry, certificate in zip(entries, parsed)]


def _named(entries: Sequence[_Entry], friendly_name: str, field: str) -> list[x509.Certificate]:
    """Return the certificates of a file without key; of one name, if a name is given."""
    found = [entry for entry in entries if not friendly_name or _same(entry.name, friendly_name)]
    if friendly_name and not found:
        raise _no_such_name(entries, friendly_name, field)
    if not found:
        raise InputError("the PKCS#12 file is empty", field=field, remedy="Export it anew, with certificate and key")
    return [entry.certificate for entry in found]


def _chosen(own: _Entry, others: Sequence[_Entry], friendly_name: str, field: str) -> list[x509.Certificate]:
    """Return the certificate of the file's key and the others, after making sure that this is the entry meant."""
    entries = [own, *others]
    related = chain.related(own.certificate, [entry.certificate for entry in others])
    if friendly_name and _same(own.name, friendly_name):
        return related
    if friendly_name and any(_same(entry.name, friendly_name) for entry in others):
        raise InputError(
            f"the key of {friendly_name} cannot be read from this file: of several entries only the first one can",
            field=field,
            found=f"the first key is that of {_label(own)}; there are {_names(entries)}",
            remedy=f"Take the entry out into a file of its own: {_ONE_ENTRY}",
        )
    if friendly_name:
        raise _no_such_name(entries, friendly_name, field)
    if any(entry.certificate not in related and not rules.is_ca(entry.certificate) for entry in others):
        raise InputError(
            "the PKCS#12 file holds several entries, so it is not clear which one is meant",
            field=field,
            found=_names(entries),
            remedy=f"Set friendly_name to {own.name or 'the name of the first one'} if that is the one; "
            f"else take it out into a file of its own: {_ONE_ENTRY}",
        )
    return [entry.certificate for entry in entries]


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()  # keytool changes the case of an alias


def _label(entry: _Entry) -> str:
    return entry.name or rules.label(entry.certificate)


def _names(entries: Sequence[_Entry]) -> str:
    return ", ".join(_label(entry) for entry in entries) or "nothing"


def _no_such_name(entries: Sequence[_Entry], friendly_name: str, field: str) -> InputError:
    return InputError(
        f"the PKCS#12 file has no entry of the friendly name {friendly_name}",
        field=field,
        found=_names(entries),
        remedy="Set friendly_name to one of these, or leave it out if there is only one",
    )


def _not_opened(data: bytes, failure: str, tried: bool, field: str) -> InputError:
    if failure == "damaged":
        return InputError(
            "the PKCS#12 file is damaged",
            field=field,
            found=f"{len(data)} bytes",
            remedy="Copy it anew, byte for byte (openssl pkcs12 -info -noout -in FILE tells whether it is whole)",
        )
    old = ""
    if _RC2 in data:
        old = "; if it is right, the OpenSSL of this Python has no RC2: write the file anew with openssl pkcs12 -legacy"
    if not tried:
        return InputError(
            "the PKCS#12 file is protected by a passphrase, and none is given",
            field=field,
            remedy="Set pkcs12_passphrase, from a vault",
        )
    return InputError(
        "the passphrase does not open the PKCS#12 file",
        field=field,
        remedy=f"Set pkcs12_passphrase to that of this file{old}",
    )


def _another_kind(data: bytes, field: str) -> InputError:
    kind = pem.kind_of_der(data)
    if not data.strip():
        return InputError("the PKCS#12 file is empty", field=field, remedy="Export it anew, with certificate and key")
    if data.startswith(_JKS_START):
        found, remedy = "a Java key store (JKS)", "Convert it: keytool -importkeystore -srckeystore FILE "
        remedy += "-destkeystore new.p12 -deststoretype PKCS12"
    elif pem.is_pem(data) or kind in ("certificate", "key"):
        found = "PEM" if pem.is_pem(data) else f"a {kind} in DER form"
        remedy = "Give it as certificate_path and key_path, which take PEM and DER"
    elif kind == "PKCS#7":
        found, remedy = (
            kind,
            "It has no key: convert its certificates (openssl pkcs7 -print_certs -inform DER -in FILE)",
        )
    else:
        found, remedy = (
            f"{len(data)} bytes of something else",
            "Give a file that openssl pkcs12 -export or keytool made",
        )
    return InputError("the file is not PKCS#12", field=field, found=found, remedy=remedy)
