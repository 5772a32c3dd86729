# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked of imported material before anything is written: all problems at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import InputError
from . import chain, keys, rules

if TYPE_CHECKING:
    from cryptography import x509

#: What a user may allow by name. ``non-strict`` drops the rules that only strict verifiers apply.
ALLOWANCES = ("rsa-under-2048", "sha1", "md5", "non-strict")


def check_authority(
    certificates: Sequence[x509.Certificate],
    key: keys.PrivateKey | None,
    now: datetime,
    field: str,
    allow: Collection[str] = (),
) -> list[InputError]:
    """Return everything that is wrong with CA certificates, nothing if they are good.

    Args:
        certificates: the bundle; the first one is the CA that issues.
        key: the key of the first one, if this collection is to issue with it.
        now: aware UTC time.
        field: the user's option, for messages.
        allow: out of :data:`ALLOWANCES`.
    """
    problems = _allowance_problems(allow, field)
    if not certificates:
        return [*problems, InputError("there is no CA certificate", field=field, remedy="Give at least one")]
    for certificate in certificates:
        problems += rules.ca_problems(certificate, field)
        problems += rules.date_problems(certificate, now, field)
        problems += rules.critical_problems(certificate, field)
        problems += rules.strength_problems(certificate, field, allow)
        problems += [] if "non-strict" in allow else rules.strict_problems(certificate, field)
        problems += _missing_root(certificate, certificates, field)
    if key is not None:
        problems += _key_problems(key, certificates[0], field)
    return problems


def check_certificate(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    key: keys.PrivateKey,
    names: Sequence[str],
    now: datetime,
    field: str,
    allow: Collection[str] = (),
) -> list[InputError]:
    """Return everything that is wrong with a server certificate and its chain, nothing if it is good.

    Args:
        leaf: the server's certificate.
        intermediates: what came with it, in any order.
        authorities: the CA certificates that the sites trust.
        key: the server's key.
        names: every host name that clients use, in canonical form (:func:`names.parse_names`).
        now: aware UTC time.
        field: the user's option, for messages.
        allow: out of :data:`ALLOWANCES`.
    """
    strict = "non-strict" not in allow
    problems = _allowance_problems(allow, field)
    problems += _key_problems(key, leaf, field)
    problems += chain.coverage_problems(leaf, names, field)
    path, broken = _chain_problems(leaf, intermediates, authorities, now, field, strict)
    problems += broken
    for certificate in path:
        problems += rules.strength_problems(certificate, field, allow)
    if not problems:
        # Last, the verdict of verifiers as a whole: what no rule above knows.
        try:
            chain.verify(leaf, intermediates, authorities, names, now, field, strict)
        except InputError as error:
            problems.append(error)
    return problems


def _allowance_problems(allow: Collection[str], field: str) -> list[InputError]:
    return [
        InputError("the allowance is unknown", field=field, found=str(one), remedy=f"Use {', '.join(ALLOWANCES)}")
        for one in allow
        if one not in ALLOWANCES
    ]


def _key_problems(key: keys.PrivateKey, certificate: x509.Certificate, field: str) -> list[InputError]:
    try:
        chain.pick_leaf([certificate], key, field)
    except InputError as error:
        return [error]
    return []


def _missing_root(
    certificate: x509.Certificate, certificates: Sequence[x509.Certificate], field: str
) -> list[InputError]:
    if any(rules.issued_by(certificate, one) for one in certificates):
        return []
    issuer = certificate.issuer.rfc4514_string()
    return [
        InputError(
            f"the certificate {rules.label(certificate)} is an intermediate, and the CA that issued it is missing: "
            "the router accepts no chain without its root",
            field=field,
            found=f"issued by {issuer}",
            remedy=f"Add the certificate of {issuer} to the file",
        )
    ]


def _chain_problems(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    now: datetime,
    field: str,
    strict: bool,
) -> tuple[list[x509.Certificate], list[InputError]]:
    """Return the path with its problems, or, without a path, what is there with the problems of each part."""
    problems: list[InputError] = []
    try:
        chain.order_chain(leaf, intermediates, authorities, field)
    except InputError as error:
        problems.append(error)
    try:
        path, broken = chain.best_path(leaf, intermediates, authorities, now, field, strict)
    except InputError:
        # order_chain has said why. A chain of the parts alone still shows what else is wrong with them.
        parts = [leaf, *intermediates]
        problems += rules.leaf_problems(leaf, field)
        for certificate in parts:
            problems += rules.date_problems(certificate, now, field)
            problems += rules.critical_problems(certificate, field)
            problems += rules.strict_problems(certificate, field) if strict else []
        return parts, problems
    return path, [*problems, *broken]
