# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make certificates: a self-signed CA, and server certificates that it issues.

Everything made here passes strict verification (RFC 5280 as Python 3.13 and ``openssl verify -x509_strict``
check it) and never outlives its CA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..errors import InputError, SkupperTlsError, flatten, raise_all
from . import chain, keys, names, rules

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID
except ImportError:  # modules must import without it; run.py says what is missing
    pass

#: How far a certificate's beginning lies in the past, for sites whose clocks are slow.
CLOCK_SKEW = timedelta(minutes=5)

#: The values of ``extended_key_usage``.
EXTENDED_KEY_USAGES = ("serverAuth", "clientAuth")

_MAX_VALIDITY_DAYS = 36500


@dataclass(frozen=True)
class AuthorityRequest:
    """A CA to be made.

    Args:
        subject: RFC 4514 text, or a common name; not empty.
        key_type: one of :data:`keys.KEY_TYPES`.
        validity_days: 1 to 36500 days from now.
        path_length: how many further CAs may stand below it; only for a signing request.
    """

    subject: str
    key_type: str = "ecdsa-p256"
    validity_days: int = 3650
    path_length: int = 0


@dataclass(frozen=True)
class CertificateRequest:
    """A server certificate to be issued.

    Args:
        subject: RFC 4514 text, or a common name; may be empty.
        names: alternative names, at least one; an IP address is written as iPAddress and as dNSName.
        key_type: one of :data:`keys.KEY_TYPES`.
        validity_days: 1 to 36500 days from now, clipped to the end of the CA.
        extended_key_usage: out of :data:`EXTENDED_KEY_USAGES`, with serverAuth.
    """

    subject: str
    names: tuple[str, ...]
    key_type: str = "ecdsa-p256"
    validity_days: int = 365
    extended_key_usage: tuple[str, ...] = ("serverAuth",)


def check_authority_request(request: AuthorityRequest, field: str = "") -> list[InputError]:
    """Return everything that is wrong with a request, nothing if it is good.

    Args:
        request: the request.
        field: the option that holds it; the request's own fields are joined to it by a dot.
    """
    problems = _common_problems(request.subject, request.key_type, request.validity_days, field)
    if not request.subject.strip():
        problems.append(
            InputError(
                "a CA needs a subject (RFC 5280 section 4.1.2.6)",
                field=_dotted(field, "subject"),
                found="an empty subject",
                remedy="Give it a name, such as CN=Example service CA",
            )
        )
    return problems


def check_certificate_request(request: CertificateRequest, field: str = "") -> list[InputError]:
    """Return everything that is wrong with a request, nothing if it is good; arguments as above."""
    problems = _common_problems(request.subject, request.key_type, request.validity_days, field)
    if not request.names:
        problems.append(
            InputError(
                "a server certificate needs at least one alternative name",
                field=_dotted(field, "alternative_names"),
                found="no names",
                remedy="Name the address of the service; verifiers do not look at the subject",
            )
        )
    problems += names.name_problems(request.names, _dotted(field, "alternative_names"))
    return problems + _usage_problems(request.extended_key_usage, _dotted(field, "extended_key_usage"))


def build_authority(request: AuthorityRequest, key: keys.PrivateKey, now: datetime) -> x509.Certificate:
    """Return a self-signed CA certificate for the key.

    Args:
        request: what to make; its key type is not compared with the key.
        key: the CA's key.
        now: aware UTC time; the certificate begins :data:`CLOCK_SKEW` earlier.

    Raises:
        InputError: the request is not acceptable.
        Problems: in several ways.
    """
    raise_all(check_authority_request(request))
    subject = names.parse_subject(request.subject, "subject")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(subject, subject, key.public_key())
        .not_valid_before(_seconds(now - CLOCK_SKEW))
        .not_valid_after(_seconds(now + timedelta(days=request.validity_days)))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )
    return builder.sign(key, _signature_hash(key))


def build_intermediate(
    request: AuthorityRequest,
    public_key: Any,
    permitted: Sequence[str],
    issuer: x509.Certificate,
    issuer_key: keys.PrivateKey,
    now: datetime,
    above: Sequence[x509.Certificate] = (),
) -> x509.Certificate:
    """Return the certificate of a CA below the issuer that may sign for some DNS names, and no further CA.

    It ends after the validity of the request, or with the first certificate above it that ends earlier.

    Args:
        request: what to make; its key type is not compared with the key.
        public_key: the public key of the new CA.
        permitted: the DNS names that it may sign for, and those below them (RFC 5280 section 4.2.1.10).
        issuer: the CA's certificate.
        issuer_key: the CA's key.
        now: aware UTC time; the certificate begins :data:`CLOCK_SKEW` earlier, but not before the issuer does.
        above: the certificates above the issuer, up to the root.

    Raises:
        InputError: the request is not acceptable, or the issuer cannot issue it.
        Problems: in several ways.
    """
    raise_all(check_authority_request(request) + _issuer_problems(issuer, issuer_key, now, ""))
    until = min(certificate.not_valid_after_utc for certificate in (issuer, *above))
    constraints = x509.NameConstraints([x509.DNSName(name) for name in permitted], None)
    builder = (
        _builder(names.parse_subject(request.subject, "subject"), issuer.subject, public_key)
        .not_valid_before(_seconds(max(now - CLOCK_SKEW, issuer.not_valid_before_utc)))
        .not_valid_after(_seconds(min(now + timedelta(days=request.validity_days), until)))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_identifier(issuer), critical=False)
    )
    certificate = builder.sign(issuer_key, _signature_hash(issuer_key))
    raise_all(chain.constraint_problems([certificate, issuer, *above], ""))
    return certificate


def permitted_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names that a CA certificate is constrained to, none if it is not."""
    found = rules.extension(certificate, x509.NameConstraints)
    subtrees = (found.value.permitted_subtrees or ()) if found is not None else ()
    return tuple(name.value for name in subtrees if isinstance(name, x509.DNSName))


def issue(
    request: CertificateRequest,
    public_key: Any,
    issuer: x509.Certificate,
    issuer_key: keys.PrivateKey,
    now: datetime,
    field: str = "",
    above: Sequence[x509.Certificate] = (),
) -> x509.Certificate:
    """Return a server certificate for the public key, signed by the issuer.

    It ends after the validity of the request, or with the first certificate of its chain that ends earlier.

    Args:
        request: what to issue; its key type is not compared with the key.
        public_key: the server's public key.
        issuer: the CA's certificate.
        issuer_key: the CA's key.
        now: aware UTC time; the certificate begins :data:`CLOCK_SKEW` earlier, but not before the issuer does.
        field: the option that names the CA, for messages about it.
        above: the certificates above the issuer, up to the root.

    Raises:
        InputError: the request is not acceptable; or the issuer has expired, is not valid yet, is no CA, may not
            sign certificates, does not belong to the key, or may not issue for these names.
        Problems: several of these.
    """
    raise_all(check_certificate_request(request) + _issuer_problems(issuer, issuer_key, now, field))
    subject = names.parse_subject(request.subject, "subject")
    alternative_names = names.general_names(names.parse_names(request.names, "alternative_names"))
    until = min(certificate.not_valid_after_utc for certificate in (issuer, *above))
    builder = (
        _builder(subject, issuer.subject, public_key)
        .not_valid_before(_seconds(max(now - CLOCK_SKEW, issuer.not_valid_before_utc)))
        .not_valid_after(_seconds(min(now + timedelta(days=request.validity_days), until)))
        .add_extension(x509.SubjectAlternativeName(alternative_names), critical=not list(subject))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # keyEncipherment is for the RSA key exchange of TLS 1.2; other keys cannot do it (RFC 8446 section 4.4.2.2).
        .add_extension(
            _key_usage(digital_signature=True, key_encipherment=isinstance(public_key, rsa.RSAPublicKey)),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage(_purposes(request.extended_key_usage)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_identifier(issuer), critical=False)
    )
    certificate = builder.sign(issuer_key, _signature_hash(issuer_key))
    raise_all(chain.constraint_problems([certificate, issuer], field))
    return certificate


def authority_signing_request(request: AuthorityRequest, key: keys.PrivateKey) -> x509.CertificateSigningRequest:
    """Return the request for an intermediate CA; its validity is the signer's to say.

    Raises:
        InputError: the request is not acceptable.
        Problems: in several ways.
    """
    raise_all(check_authority_request(request))
    builder = (
        x509.CertificateSigningRequestBuilder(names.parse_subject(request.subject, "subject"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=request.path_length), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return builder.sign(key, _signature_hash(key))


def certificate_signing_request(request: CertificateRequest, key: keys.PrivateKey) -> x509.CertificateSigningRequest:
    """Return the request for a server certificate; its validity is the signer's to say.

    Raises:
        InputError: the request is not acceptable.
        Problems: in several ways.
    """
    raise_all(check_certificate_request(request))
    subject = names.parse_subject(request.subject, "subject")
    alternative_names = names.general_names(names.parse_names(request.names, "alternative_names"))
    encipherment = isinstance(key, rsa.RSAPrivateKey)  # as in issue
    builder = (
        x509.CertificateSigningRequestBuilder(subject)
        .add_extension(x509.SubjectAlternativeName(alternative_names), critical=not list(subject))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True, key_encipherment=encipherment), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_purposes(request.extended_key_usage)), critical=False)
    )
    return builder.sign(key, _signature_hash(key))


def _dotted(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _common_problems(subject: str, key_type: str, validity_days: int, field: str) -> list[InputError]:
    problems = []
    try:
        names.parse_subject(subject, _dotted(field, "subject"))
    except SkupperTlsError as error:
        problems += [single for single in flatten(error) if isinstance(single, InputError)]
    if key_type not in keys.KEY_TYPES:
        problems.append(
            InputError(
                "the key type is unknown",
                field=_dotted(field, "key_type"),
                found=str(key_type),
                remedy=f"Use one of {', '.join(keys.KEY_TYPES)}",
            )
        )
    if isinstance(validity_days, bool) or not isinstance(validity_days, int):
        in_range = False
    else:
        in_range = 1 <= validity_days <= _MAX_VALIDITY_DAYS
    if not in_range:
        problems.append(
            InputError(
                f"the validity is not 1 to {_MAX_VALIDITY_DAYS} days",
                field=_dotted(field, "validity_days"),
                found=str(validity_days),
                remedy=f"Give a whole number of days from 1 to {_MAX_VALIDITY_DAYS}",
            )
        )
    return problems


def _usage_problems(usages: Sequence[str], field: str) -> list[InputError]:
    problems = [
        InputError(
            "the extended key usage is unknown",
            field=field,
            found=str(usage),
            remedy=f"Use {' and '.join(EXTENDED_KEY_USAGES)}",
        )
        for usage in usages
        if usage not in EXTENDED_KEY_USAGES
    ]
    if "serverAuth" not in usages:
        problems.append(
            InputError(
                "the extended key usage has no serverAuth, so every client would refuse the certificate",
                field=field,
                found=", ".join(map(str, usages)) or "nothing",
                remedy="Add serverAuth",
            )
        )
    return problems


def _issuer_problems(
    issuer: x509.Certificate, issuer_key: keys.PrivateKey, now: datetime, field: str
) -> list[InputError]:
    problems = rules.ca_problems(issuer, field) + rules.date_problems(issuer, now, field)
    if not keys.matches(issuer_key, issuer):
        problems.append(
            InputError(
                f"the CA's key does not belong to the CA's certificate {rules.label(issuer)}",
                field=field,
                found=f"{keys.key_type_of(issuer_key.public_key())} and {keys.key_type_of(issuer.public_key())}",
                remedy="Give the key that the CA certificate was made for",
            )
        )
    return problems


def _builder(subject: x509.Name, issuer: x509.Name, public_key: Any) -> x509.CertificateBuilder:
    # The library's serial numbers are random, positive and below 2**159, so of 20 octets at most.
    return x509.CertificateBuilder(
        subject_name=subject, issuer_name=issuer, public_key=public_key, serial_number=x509.random_serial_number()
    )


def _seconds(moment: datetime) -> datetime:
    """Cut off what X.509 times cannot hold, so that equal requests compare equal."""
    return moment.replace(microsecond=0)


def _key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _purposes(usages: Sequence[str]) -> list[x509.ObjectIdentifier]:
    known = {"serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH}
    return [known[usage] for usage in dict.fromkeys(usages)]


def usages_of(certificate: x509.Certificate | x509.CertificateSigningRequest) -> tuple[str, ...]:
    """Return the extended key usages, as names of EXTENDED_KEY_USAGES, else as dotted object identifiers."""
    found = rules.extension(certificate, x509.ExtendedKeyUsage)
    named = dict(zip(_purposes(EXTENDED_KEY_USAGES), EXTENDED_KEY_USAGES))
    return tuple(named.get(usage, usage.dotted_string) for usage in found.value) if found is not None else ()


def _authority_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    # The issuer's own identifier, which need not be a hash of its key: verifiers compare the two.
    identifier = rules.extension(issuer, x509.SubjectKeyIdentifier)
    if identifier is not None:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)
    public_key: Any = issuer.public_key()
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key)


def _signature_hash(key: keys.PrivateKey) -> Any:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None  # Ed25519 hashes by itself (RFC 8410 section 3)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1":
        return hashes.SHA384()
    return hashes.SHA256()
