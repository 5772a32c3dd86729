# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alternative names and subjects: from the user's text, to X.509 and back.

Two verifiers read an address differently. Clients compare an IP address with iPAddress names (RFC 9525
section 6.2); Skupper's router ignores those and compares every host as text with the dNSNames. So an IP
address is always written both ways.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from ..errors import InputError, raise_all

try:
    from cryptography import x509
    from cryptography.x509.oid import NameOID
except ImportError:  # modules must import without it; run.py says what is missing
    pass

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_MAX_LABEL = 63  # RFC 1035 section 2.3.4
_MAX_NAME = 253  # RFC 1035 section 2.3.4: 255 octets on the wire, less the length octet and the root
_ATTRIBUTES = "CN, O, OU, C, ST, L, STREET, DC, UID, serialNumber, emailAddress"


def parse_names(values: Iterable[str], field: str) -> tuple[str, ...]:
    """Return alternative names in canonical form: lower case, IP addresses compressed, each once, in order.

    A value is a DNS name (``payments``, ``*.example.com``) or an IP address, with or without the prefix
    ``DNS:`` or ``IP:``.

    Raises:
        InputError: one name is not acceptable.
        Problems: several are not.
    """
    listed = list(values)
    raise_all(name_problems(listed, field))
    return tuple(dict.fromkeys(_canonical(value) for value in listed))


def name_problems(values: Iterable[str], field: str) -> list[InputError]:
    """Return what is wrong with alternative names, one error for each bad name, nothing if all are good."""
    problems = []
    for value in values:
        message, remedy = _objection(value)
        if message:
            problems.append(InputError(message, field=field, found=str(value)[:300] or "an empty name", remedy=remedy))
    return problems


def general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """Return canonical names as X.509 names: an IP address as iPAddress and as dNSName, others as dNSName."""
    result: list[x509.GeneralName] = []
    for name in names:
        address = _address(name)
        if address is not None:
            result.append(x509.IPAddress(address))
        result.append(x509.DNSName(name))
    return result


def expected_names(names: Iterable[str]) -> frozenset[str]:
    """Return the text forms that a certificate issued for canonical names holds, to compare with names_of."""
    return frozenset(_text_of(name) for name in general_names(names))


def names_of(certificate: x509.Certificate | x509.CertificateSigningRequest) -> tuple[str, ...]:
    """Return the alternative names as text (``DNS:payments``, ``IP:10.0.0.1``), in the certificate's order."""
    return tuple(_text_of(name) for name in alternative_names(certificate))


def alternative_names(certificate: x509.Certificate | x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    """Return the alternative names of a certificate, nothing if it has none (RFC 5280 section 4.2.1.6)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(extension.value)


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Tell whether a client, or the router, that connects to ``host`` accepts the certificate's names.

    A dNSName must be equal, or have ``*`` as its whole leftmost label (RFC 9525 section 6.3); the common name
    is never looked at. An IP address needs a dNSName of the same text, for the router reads no other.
    """
    wanted = _canonical(host)
    patterns = (name.value.lower() for name in alternative_names(certificate) if isinstance(name, x509.DNSName))
    return any(pattern == wanted or _wildcard_matches(pattern, wanted) for pattern in patterns)


def parse_subject(text: str, field: str) -> x509.Name:
    """Return the name that a text means: RFC 4514 (``CN=payments,O=Example``), or plain text as common name.

    An empty text is the empty name. As RFC 4514 has it, the most specific part comes first.

    Raises:
        InputError: the text is no RFC 4514 name, or a part is empty or too long (RFC 5280 appendix A.1).
    """
    stripped = text.strip()
    if not stripped:
        return x509.Name([])
    name = _name(stripped)
    if name is None:
        raise InputError(
            "the subject is not a valid name",
            field=field,
            found=text[:300],
            remedy=f"Write it as CN=payments,O=Example (attributes: {_ATTRIBUTES}; a comma inside a value as \\,; "
            "a country as two letters; a common name of 1 to 64 characters)",
        )
    for attribute in name:
        _check_attribute(attribute, field)
    return name


def subject_text(name: x509.Name) -> str:
    """Return a name in the form of RFC 4514, the empty text for the empty name."""
    return name.rfc4514_string()


def _canonical(value: str) -> str:
    name = _without_prefix(value)[1].lower()
    address = _address(name)
    return name if address is None else str(address)


def _without_prefix(value: str) -> tuple[str, str]:
    match = re.match(r"(?i)(dns|ip):(?=.)", value.strip())
    # "::1" has no prefix, and neither has an IPv6 address, for none begins with a letter beyond f.
    return (match[1].lower(), value.strip()[match.end() :].strip()) if match else ("", value.strip())


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _objection(value: str) -> tuple[str, str]:
    """Return what is wrong with one name and the remedy, two empty texts if it is good."""
    if not isinstance(value, str):
        return "the alternative name is not text", "Write each name as a text"
    prefix, name = _without_prefix(value)
    if not name:
        return "the alternative name is empty", "Leave it out, or write a DNS name or an IP address"
    if "%" in name:
        return "the alternative name has a zone, which a certificate cannot hold", "Leave out the part from %"
    if _address(name) is not None:
        return "", ""
    if prefix == "ip":
        return "the alternative name is not an IP address", "Write an IPv4 or IPv6 address after IP:"
    return _dns_objection(name.lower())


def _dns_objection(name: str) -> tuple[str, str]:
    if not name.isascii():
        return (
            "the DNS name has characters outside ASCII",
            'Give it in its punycode form (xn--...), as python3 -c \'print("NAME".encode("idna"))\' prints it',
        )
    if name.endswith("."):
        return "the DNS name ends with a dot", "Leave out the last dot"
    if len(name) > _MAX_NAME:
        return f"the DNS name is longer than {_MAX_NAME} characters", "Use a shorter name"
    host = name[2:] if name.startswith("*.") else name
    labels = host.split(".")
    if "*" in host or (host != name and len(labels) < 2):
        return (
            "the wildcard does not stand alone in front of at least two labels",
            "Write it as *.example.com; OpenSSL accepts no other form",
        )
    if any(len(label) > _MAX_LABEL for label in labels):
        return f"a part of the DNS name is longer than {_MAX_LABEL} characters", "Use a shorter name"
    if not all(_LABEL.fullmatch(label) for label in labels):
        return (
            "the DNS name is not a host name (RFC 1123)",
            "Use letters, digits and hyphens, parts joined by dots, and no hyphen at the edge of a part",
        )
    if labels[-1].isdigit():
        return "the name looks like an IP address and is none", "Write four numbers from 0 to 255, or a DNS name"
    return "", ""


def _text_of(name: x509.GeneralName) -> str:
    if isinstance(name, x509.DNSName):
        return f"DNS:{name.value.lower()}"
    if isinstance(name, x509.IPAddress):
        return f"IP:{name.value}"
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    if isinstance(name, x509.UniformResourceIdentifier):
        return f"URI:{name.value}"
    if isinstance(name, x509.DirectoryName):
        return f"dirName:{subject_text(name.value)}"
    if isinstance(name, x509.RegisteredID):
        return f"RID:{name.value.dotted_string}"
    return f"otherName:{name.type_id.dotted_string}" if isinstance(name, x509.OtherName) else "unknown"


def _wildcard_matches(pattern: str, host: str) -> bool:
    if not pattern.startswith("*.") or pattern.count(".") < 2 or _address(host) is not None:
        return False
    label, dummy, rest = host.partition(".")
    return bool(label) and "*" not in label and rest == pattern[2:]


def _name(text: str) -> x509.Name | None:
    """Return the name of a text, nothing if it has no valid form."""
    oids = {
        "E": NameOID.EMAIL_ADDRESS,
        "emailAddress": NameOID.EMAIL_ADDRESS,
        "serialNumber": NameOID.SERIAL_NUMBER,
        "CN": NameOID.COMMON_NAME,
        "L": NameOID.LOCALITY_NAME,
        "ST": NameOID.STATE_OR_PROVINCE_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "C": NameOID.COUNTRY_NAME,
        "STREET": NameOID.STREET_ADDRESS,
        "DC": NameOID.DOMAIN_COMPONENT,
        "UID": NameOID.USER_ID,
    }
    # RFC 4514 section 3: attribute names are case-insensitive, which the library's parser is not.
    oids.update({name.lower(): oid for name, oid in oids.items()})
    # Nearly everybody writes a space after the comma; RFC 4514 does not allow it.
    squeezed = re.sub(r"(?<!\\),\s+", ",", text)
    try:
        if "=" not in text:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        return x509.Name.from_rfc4514_string(squeezed, oids)
    except (ValueError, TypeError):  # which one, and whether the length matters, depends on the version
        return None


def _check_attribute(attribute: x509.NameAttribute[Any], field: str) -> None:
    # RFC 5280 appendix A.1, the upper bounds; newer versions of the library check a part of them.
    limits = {
        NameOID.COMMON_NAME: 64,
        NameOID.ORGANIZATION_NAME: 64,
        NameOID.ORGANIZATIONAL_UNIT_NAME: 64,
        NameOID.SERIAL_NUMBER: 64,
        NameOID.LOCALITY_NAME: 128,
        NameOID.STATE_OR_PROVINCE_NAME: 128,
    }
    value = str(attribute.value)
    limit = limits.get(attribute.oid, 255)
    if not value or len(value) > limit:
        raise InputError(
            f"the subject's {attribute.rfc4514_attribute_name} has not 1 to {limit} characters",
            field=field,
            found=f"{len(value)} characters",
            remedy="Shorten it; names of services belong into the alternative names",
        )
    # IA5String and PrintableString by RFC 5280 appendix A.1; the library would write other bytes into them.
    ascii_only = (NameOID.DOMAIN_COMPONENT, NameOID.EMAIL_ADDRESS, NameOID.COUNTRY_NAME, NameOID.SERIAL_NUMBER)
    if attribute.oid in ascii_only and not value.isascii():
        raise InputError(
            f"the subject's {attribute.rfc4514_attribute_name} has characters outside ASCII",
            field=field,
            found=repr(value)[:300],
            remedy="Use ASCII there; CN, O and OU may hold any character",
        )
    if not value.isprintable():
        raise InputError(
            f"the subject's {attribute.rfc4514_attribute_name} has characters that cannot be printed",
            field=field,
            found=repr(value)[:300],
            remedy="Use letters, digits and punctuation",
        )
