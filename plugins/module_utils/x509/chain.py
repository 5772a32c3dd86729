# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains of certificates: find the leaf, put the rest in order, judge the whole.

A *path* here is a list that begins with the leaf and ends with the trust anchor; what a server sends is the
path without the anchor. Several paths may exist (cross-signed CAs, a rollover in which two CAs share a name);
a chain is good if one of them is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from ..errors import InputError
from . import keys, rules
from . import names as names_module  # verify() has a parameter of that name

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import SignatureAlgorithmOID
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
except ImportError:  # modules must import without it; run.py says what is missing
    pass

#: Most certificates in a path, leaf and anchor included.
MAX_DEPTH = 10

# Ends the search in a heap of certificates that all cross-sign each other, where paths are without number.
_MAX_STEPS = 2000


def pick_leaf(
    certificates: Sequence[x509.Certificate], key: keys.PrivateKey, field: str = ""
) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """Return the certificate of the key, wherever it stands, and all others in their order.

    Args:
        certificates: in any order.
        key: the server's key.
        field: the user's option, for messages.

    Raises:
        InputError: the key belongs to none of them.
    """
    found = [certificate for certificate in certificates if keys.matches(key, certificate)]
    if not found:
        raise InputError(
            "the key does not match the certificate" + ("s" if len(certificates) > 1 else ""),
            field=field,
            found=f"a key of type {keys.key_type_of(key.public_key())}; "
            + (
                "; ".join(f"{rules.label(one)} ({keys.key_type_of(one.public_key())})" for one in certificates)
                or "no certificate"
            ),
            remedy="Give the key that the certificate was requested with, or the certificate of this key",
        )
    # A CA may share the key of a leaf that it issued itself (a self-signed pair): the server's is the other.
    leaf = min(found, key=rules.is_ca)
    return leaf, [certificate for certificate in certificates if certificate != leaf]


def order_chain(
    leaf: x509.Certificate,
    others: Iterable[x509.Certificate],
    authorities: Iterable[x509.Certificate],
    field: str = "",
) -> list[x509.Certificate]:
    """Return what the server must send: the leaf, then each intermediate, every one issued by the next.

    A wrong order is put right; roots, duplicates and alternatives (another certificate of a CA on the way) are
    left out. An intermediate that stands in ``others`` is kept even if it is among the authorities too, for
    clients that hold the root alone.

    Args:
        leaf: the server's certificate.
        others: what came with it, in any order.
        authorities: the CA certificates that clients trust.
        field: the user's option, for messages.

    Raises:
        InputError: no chain leads to an authority (the missing issuer is named), or some of the others belong to
            nothing (they are named).
    """
    pool, anchors = list(others), list(authorities)
    path = next(_paths(leaf, pool, anchors), None)
    if path is None:
        raise _incomplete(leaf, pool, anchors, field)
    family = related(leaf, [*pool, *anchors])
    unrelated = [one for one in pool if one not in family and one not in anchors]
    if unrelated:
        raise InputError(
            "the file holds certificates that do not belong to the chain",
            field=field,
            found="; ".join(dict.fromkeys(rules.label(one) for one in unrelated)),
            remedy=f"Leave only {rules.label(leaf)} and its intermediates",
        )
    return [leaf, *(one for one in path[1:-1] if one in pool)]


def related(leaf: x509.Certificate, everything: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return a certificate and whatever of the others issued it, or one that issued it, and so on."""
    family = [leaf]
    for member in family:  # grows while it is walked
        family += [one for one in everything if one not in family and rules.issued_by(member, one)]
    return family


def best_path(
    leaf: x509.Certificate,
    others: Iterable[x509.Certificate],
    authorities: Iterable[x509.Certificate],
    now: datetime,
    field: str,
    strict: bool = True,
) -> tuple[list[x509.Certificate], list[InputError]]:
    """Return the path with the fewest breaches, and these breaches.

    Args:
        leaf: the server's certificate.
        others: intermediates in any order.
        authorities: the CA certificates that clients trust.
        now: aware UTC time.
        field: the user's option, for messages.
        strict: apply what only strict verifiers check, too.

    Raises:
        InputError: there is no path.
    """
    pool, anchors = list(others), list(authorities)
    best: tuple[list[x509.Certificate], list[InputError]] | None = None
    for path in _paths(leaf, pool, anchors):
        problems = path_problems(path, now, field, strict)
        if best is None or len(problems) < len(best[1]):
            best = path, problems
        if not problems:
            break
    if best is None:
        raise _incomplete(leaf, pool, anchors, field)
    return best


def path_problems(path: Sequence[x509.Certificate], now: datetime, field: str, strict: bool = True) -> list[InputError]:
    """Return every breach of RFC 5280 section 6.1 in a path from the leaf to the anchor; signatures are given."""
    problems = rules.leaf_problems(path[0], field)
    for certificate in path[1:]:
        problems += rules.ca_problems(certificate, field)
    for certificate in path:
        problems += rules.date_problems(certificate, now, field)
        problems += rules.critical_problems(certificate, field)
        problems += rules.strict_problems(certificate, field) if strict else []
    for certificate, issuer in zip(path, path[1:]):
        problems += rules.identifier_mismatch(certificate, issuer, field)
    return [*problems, *_length_problems(path, field), *constraint_problems(path, field), *_root_problems(path, field)]


def verify(
    leaf: x509.Certificate,
    intermediates: Iterable[x509.Certificate],
    authorities: Iterable[x509.Certificate],
    names: Iterable[str],
    now: datetime,
    field: str,
    strict: bool = True,
) -> None:
    """Verify a server certificate as clients and the router will.

    This package's own walk says which rule is broken. Where the library's verifier can judge the chain, it must
    agree: it knows neither Ed25519 nor weak keys, nor some things that RFC 5280 allows and the Web PKI does not.
    Strength is not judged here but in :mod:`checks`.

    Args:
        leaf: the server's certificate.
        intermediates: what it sends besides, in any order.
        authorities: the CA certificates that clients trust.
        names: every host name that clients use, in canonical form.
        now: aware UTC time.
        field: the user's option, for messages.
        strict: as Python 3.13 and ``openssl verify -x509_strict`` do.

    Raises:
        InputError: the first rule that is broken.
    """
    wanted, pool, anchors = list(names), list(intermediates), list(authorities)
    path, problems = best_path(leaf, pool, anchors, now, field, strict)
    problems += coverage_problems(leaf, wanted, field)
    if problems:
        raise problems[0]
    if strict and _in_web_profile(path):
        _verify_by_library(path, wanted, now, field)


def coverage_problems(leaf: x509.Certificate, names_wanted: Iterable[str], field: str) -> list[InputError]:
    """Return one error with all names that the certificate does not cover, nothing if it covers all."""
    missing = [name for name in names_wanted if not names_module.covers(leaf, name)]
    if not missing:
        return []
    return [
        InputError(
            f"the certificate {rules.label(leaf)} does not cover {', '.join(missing)}",
            field=field,
            found=", ".join(names_module.names_of(leaf)) or "no alternative names",
            remedy="Issue it anew with these as DNS alternative names (an IP address too: the router reads no others)",
        )
    ]


def constraint_problems(path: Sequence[x509.Certificate], field: str) -> list[InputError]:
    """Apply every CA's nameConstraints to what stands below it (RFC 5280 sections 4.2.1.10 and 6.1.3)."""
    problems = []
    for at, issuer in enumerate(path):
        constraints = rules.extension(issuer, x509.NameConstraints)
        if constraints is None:
            continue
        for below, certificate in enumerate(path[:at]):
            if below and certificate.subject == certificate.issuer:
                continue  # self-issued intermediates are exempt (section 6.1.3 b)
            outside = [name for name in _all_names(certificate) if not _permits(constraints.value, name)]
            problems += [_outside(certificate, issuer, name, field) for name in outside]
    return problems


def _paths(
    leaf: x509.Certificate, pool: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> Iterator[list[x509.Certificate]]:
    """Yield the paths from the leaf to a self-signed authority, else to another one, the shortest first."""
    everything = _unique([*anchors, *pool])
    # What is among the others comes before what is not, so that order_chain can keep it; the longest-lived first.
    everything.sort(key=lambda one: (one not in pool, -one.not_valid_after_utc.timestamp()))
    issuers: dict[x509.Certificate, list[x509.Certificate]] = {}
    unfinished: list[list[x509.Certificate]] = []
    complete = False
    queue = deque([[leaf]])
    for dummy in range(_MAX_STEPS):
        if not queue:
            break
        path = queue.popleft()
        last = path[-1]
        if last in anchors and rules.is_self_signed(last):
            complete = True
            yield path
            continue
        if last not in issuers:
            issuers[last] = [one for one in everything if one != last and rules.issued_by(last, one)]
        further = [one for one in issuers[last] if one not in path]
        if last in anchors and len(path) > 1 and not further:
            unfinished.append(path)
        if len(path) < MAX_DEPTH:
            queue.extend([*path, one] for one in further)
    if not complete:
        yield from unfinished


def _unique(certificates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    return list(dict.fromkeys(certificates))


def _incomplete(
    leaf: x509.Certificate,
    pool: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    field: str,
) -> InputError:
    """Return why no path leads from the leaf to an authority."""
    everything = _unique([*pool, *anchors])
    family = related(leaf, everything)
    ends = [one for one in family if not any(other != one and rules.issued_by(one, other) for other in everything)]
    if not ends:
        return InputError(
            f"the chain of {rules.label(leaf)} does not end: its certificates go in a circle",
            field=field,
            found="; ".join(rules.label(one) for one in family),
            remedy="Add the root that one of them was issued by to the authorities",
        )
    roots = [one for one in ends if rules.is_self_signed(one)]
    if any(one in anchors for one in roots):
        return InputError(
            f"the chain of {rules.label(leaf)} is longer than {MAX_DEPTH} certificates",
            field=field,
            found=f"{len(family)} certificates",
            remedy="Leave out what is not needed",
        )
    trusted = "; ".join(dict.fromkeys(rules.label(one) for one in anchors)) or "no authority"
    if roots:
        return _untrusted(leaf, roots[0], trusted, field)
    last = ends[-1]
    issuer = names_module.subject_text(last.issuer)
    if any(one.subject == last.issuer for one in everything):
        return InputError(
            f"the certificate {rules.label(last)} was not signed by the given {issuer}: a CA of that name is there, "
            "but its key is another",
            field=field,
            found=f"authorities: {trusted}",
            remedy=f"Give the certificate of {issuer} that signed it (a CA made anew under its old name has a new key)",
        )
    return InputError(
        f"the chain is incomplete: the certificate of {issuer}, which issued {rules.label(last)}, is missing",
        field=field,
        found=f"authorities: {trusted}",
        remedy=f"Add the certificate of {issuer} behind the server certificate, or to the authorities if it is a root",
    )


def _untrusted(leaf: x509.Certificate, root: x509.Certificate, trusted: str, field: str) -> InputError:
    if root == leaf:
        return InputError(
            f"the certificate {rules.label(leaf)} is self-signed and not issued by an authority",
            field=field,
            found=f"authorities: {trusted}",
            remedy="Have it issued by the CA whose certificate the sites trust",
        )
    return InputError(
        f"the chain of {rules.label(leaf)} ends in {rules.label(root)}, which is not among the authorities",
        field=field,
        found=f"authorities: {trusted}",
        remedy=f"Add {rules.label(root)} to the authorities, or give a certificate that one of them issued",
    )


def _length_problems(path: Sequence[x509.Certificate], field: str) -> list[InputError]:
    """Apply pathLenConstraint (RFC 5280 section 4.2.1.9): self-issued certificates do not count."""
    problems = []
    for at, issuer in enumerate(path):
        constraints = rules.extension(issuer, x509.BasicConstraints)
        limit = constraints.value.path_length if constraints is not None else None
        length = sum(1 for one in path[1:at] if one.subject != one.issuer)
        if at and limit is not None and length > limit:
            problems.append(
                InputError(
                    f"the CA {rules.label(issuer)} allows {limit} intermediate CAs below it (pathLenConstraint)",
                    field=field,
                    found=f"{length}: {', '.join(rules.label(one) for one in path[1:at])}",
                    remedy="Have the certificate issued higher up, or make the CA anew with a larger path length",
                )
            )
    return problems


def _root_problems(path: Sequence[x509.Certificate], field: str) -> list[InputError]:
    anchor = path[-1]
    if rules.is_self_signed(anchor):
        return []
    # OpenSSL without X509_V_FLAG_PARTIAL_CHAIN, so the router, needs the chain down to a self-signed root.
    return [
        InputError(
            f"the authority {rules.label(anchor)} is an intermediate, and its root is missing: the router does not "
            "accept such a chain",
            field=field,
            found=f"issued by {names_module.subject_text(anchor.issuer)}",
            remedy=f"Add the certificate of {names_module.subject_text(anchor.issuer)} to the authorities",
        )
    ]


def _all_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    subject: list[x509.GeneralName] = [x509.DirectoryName(certificate.subject)] if list(certificate.subject) else []
    return [*subject, *names_module.alternative_names(certificate)]


def _permits(constraints: x509.NameConstraints, name: x509.GeneralName) -> bool:
    permitted = [base for base in constraints.permitted_subtrees or () if isinstance(base, type(name))]
    excluded = [base for base in constraints.excluded_subtrees or () if isinstance(base, type(name))]
    if not permitted and not excluded:
        return True
    if not isinstance(name, (x509.DNSName, x509.IPAddress, x509.DirectoryName)):
        return False  # a constraint that cannot be judged must not be ignored (section 4.2.1.10)
    if any(_within(name, base) for base in excluded):
        return False
    return not permitted or any(_within(name, base) for base in permitted)


def _within(name: x509.GeneralName, base: x509.GeneralName) -> bool:
    if isinstance(name, x509.DNSName):
        host, suffix = name.value.lower(), base.value.lower()
        return not suffix or host == suffix or host.endswith(suffix if suffix.startswith(".") else f".{suffix}")
    if isinstance(name, x509.IPAddress):
        return name.value.version == base.value.version and name.value in base.value
    rdns, prefix = name.value.rdns, base.value.rdns
    return bool(rdns[: len(prefix)] == prefix)


def _outside(certificate: x509.Certificate, issuer: x509.Certificate, name: x509.GeneralName, field: str) -> InputError:
    text = names_module.subject_text(name.value) if isinstance(name, x509.DirectoryName) else str(name.value)
    return InputError(
        f"the CA {rules.label(issuer)} may not issue for {text} (nameConstraints), "
        f"which {rules.label(certificate)} holds",
        field=field,
        found=text,
        remedy="Use a CA without this constraint, or leave the name out",
    )


def _in_web_profile(path: Sequence[x509.Certificate]) -> bool:
    """Tell whether the library's verifier can judge a path.

    It follows the CA/Browser Forum's profile, which is narrower than RFC 5280: no Ed25519 CA, no small RSA key,
    no issuer and serial number in a CA's authorityKeyIdentifier (easy-rsa writes them), no constraints on other
    names than DNS and IP, no critical alternative names beside a subject; and it counts self-issued certificates
    for pathLenConstraint. Such chains pass OpenSSL and Python, so they are left to this package's own walk.
    """
    alternative = rules.extension(path[0], x509.SubjectAlternativeName)
    if alternative is None or (alternative.critical and list(path[0].subject)):
        return False
    if any(certificate.signature_algorithm_oid not in _web_signatures() for certificate in path[:-1]):
        return False
    if any(one.subject == one.issuer for one in path[1:-1]):
        return False
    return all(_web_key(one.public_key()) and _web_identifier(one) and _web_constraints(one) for one in path[1:])


def _web_signatures() -> frozenset[x509.ObjectIdentifier]:
    return frozenset(
        {
            SignatureAlgorithmOID.RSA_WITH_SHA256,
            SignatureAlgorithmOID.RSA_WITH_SHA384,
            SignatureAlgorithmOID.RSA_WITH_SHA512,
            SignatureAlgorithmOID.ECDSA_WITH_SHA256,
            SignatureAlgorithmOID.ECDSA_WITH_SHA384,
            SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        }
    )


def _web_key(key: Any) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= 2048
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1")


def _web_identifier(certificate: x509.Certificate) -> bool:
    identifier = rules.extension(certificate, x509.AuthorityKeyIdentifier)
    return identifier is None or (
        identifier.value.authority_cert_issuer is None and identifier.value.authority_cert_serial_number is None
    )


def _web_constraints(certificate: x509.Certificate) -> bool:
    constraints = rules.extension(certificate, x509.NameConstraints)
    subtrees = (
        () if constraints is None else (constraints.value.permitted_subtrees, constraints.value.excluded_subtrees)
    )
    return all(isinstance(base, (x509.DNSName, x509.IPAddress)) for bases in subtrees for base in bases or ())


def _verify_by_library(
    path: Sequence[x509.Certificate], names_wanted: Sequence[str], now: datetime, field: str
) -> None:
    builder = (
        PolicyBuilder()
        .store(Store([path[-1]]))
        # The library takes UTC without a zone.
        .time(now.astimezone(timezone.utc).replace(tzinfo=None))
        .max_chain_depth(MAX_DEPTH)
    )
    for name in names_wanted:
        if ":" in name or "*" in name:
            continue  # no host names to the library (IPv6, wildcards); covers() has judged them
        reason = ""
        try:
            builder.build_server_verifier(x509.DNSName(name)).verify(path[0], list(path[1:-1]))
        except (VerificationError, ValueError) as error:
            reason = str(error)
        if reason:
            raise InputError(
                f"the certificate {rules.label(path[0])} does not pass strict verification for {name}",
                field=field,
                found=reason[:500],
                remedy="Issue it anew by RFC 5280, or allow non-strict if no client is strict",
            )
