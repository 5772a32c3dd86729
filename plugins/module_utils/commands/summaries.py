# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be said of a secret: certificates described, the key only as matching or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..errors import SkupperTlsError, flatten
from ..plan import Observed
from ..skupper.desired import SECRET_KEYS, SECRET_TYPE, SiteKind
from ..x509 import certificates, chain, describe, keys, names, pem

SHOWN = ("subject", "alternative_names", "not_after", "sha256")
"""What a diff shows of a certificate."""


def described(data: bytes) -> list[dict[str, Any]]:
    """Return the description of PEM certificates for a diff; one entry that says so if they cannot be read."""
    try:
        return [{key: entry[key] for key in SHOWN} for entry in describe.describe_bundle(data, "")]
    except SkupperTlsError as error:
        return [{"unreadable": error.message}]


def secret(
    observed: Observed, kind: SiteKind, role: str, addresses: Sequence[str], now: datetime, generated: bool = False
) -> dict[str, Any]:
    """Return the summary of a secret that a site holds.

    Args:
        observed: the secret.
        role: ``server`` or ``ca``.
        addresses: the addresses that a server certificate must cover.
        now: the time to judge the dates at.
        generated: whether Skupper makes it, so that it is nobody's.

    Returns:
        Among others ``tls_sha256`` and ``ca_sha256``: the fingerprints of all certificates of ``tls.crt`` and
        ``ca.crt``, joined, which must be the same on every site.
    """
    data = observed.content.get("data") or {}
    problems: list[tuple[str, str, str, str]] = []
    leaf_chain = _parse(data.get("tls.crt", b""), "tls.crt", problems) if role == "server" else []
    anchors = _parse(data.get("ca.crt", b""), "ca.crt", problems)
    wanted = SECRET_KEYS if role == "server" else ("ca.crt",)
    missing = [key for key in wanted if not data.get(key)]
    missing += [key for key in SECRET_KEYS if key not in data and kind.version == "v2" and key not in missing]
    if leaf_chain and anchors:
        problems += _chain_problems(leaf_chain, anchors, addresses, now)
    secret_type = str(observed.content.get("type") or "")
    return {
        "owner": "skupper" if generated else observed.owner,
        "network": observed.network,
        "type": secret_type,
        "usable_type": kind.family == "system" or kind.version == "v1" or secret_type == SECRET_TYPE,
        "missing_keys": missing,
        "key": _key_state(data.get("tls.key", b""), leaf_chain) if role == "server" else "absent",
        "certificate": describe.describe(leaf_chain[0]) if leaf_chain else None,
        "tls_sha256": " ".join(describe.fingerprint(cert) for cert in leaf_chain),
        "ca_sha256": " ".join(sorted(describe.fingerprint(cert) for cert in anchors)),
        "ca": [describe.describe(cert) for cert in anchors],
        "problems": problems,
    }


def _parse(data: bytes, key: str, problems: list[tuple[str, str, str, str]]) -> list[Any]:
    if not data:
        return []
    try:
        return pem.parse_certificates(data, key)
    except SkupperTlsError as error:
        problems.append(("TLS203", f"{key}: {error.message}", error.found, "Run the step distribute for this site"))
        return []


def _key_state(data: bytes, leaf_chain: Sequence[Any]) -> str:
    if not data:
        return "absent"
    try:
        key = keys.load_key(data, "tls.key")
    except SkupperTlsError as error:
        return f"unreadable: {error.message}"
    if not leaf_chain:
        return "without certificate"
    return "matches" if keys.matches(key, leaf_chain[0]) else "does not match"


def _chain_problems(
    leaf_chain: Sequence[Any], anchors: Sequence[Any], addresses: Sequence[str], now: datetime
) -> list[tuple[str, str, str, str]]:
    leaf = leaf_chain[0]
    reissue = "Run the steps issue and distribute"
    found = f"{leaf.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ} to {leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    if now >= leaf.not_valid_after_utc:
        return [("TLS302", "the certificate has expired", found, reissue)]
    if now < leaf.not_valid_before_utc:
        return [("TLS302", "the certificate is not valid yet", found, "Set the clocks, or issue again")]
    uncovered = [address for address in addresses if not names.covers(leaf, address)]
    if uncovered:
        have = ", ".join(names.names_of(leaf)) or "none"
        return [("TLS303", f"the alternative names do not cover {', '.join(uncovered)}", have, reissue)]
    try:
        chain.verify(leaf, list(leaf_chain[1:]), list(anchors), tuple(addresses), now, "tls.crt", strict=False)
    except SkupperTlsError as error:
        return [("TLS304", single.message, single.found, reissue) for single in flatten(error)]
    return []


def own_ca_problems(
    server: Mapping[str, bytes], client: Mapping[str, bytes], addresses: Sequence[str], now: datetime
) -> list[tuple[str, str, str, str]]:
    """Return what is wrong with a generated certificate under the CA that the clients of its site trust."""
    try:
        leaf, *between = pem.parse_certificates(server.get("tls.crt", b""), "tls.crt")
        anchors = pem.parse_certificates(client.get("ca.crt", b""), "ca.crt")
        chain.verify(leaf, between, anchors, tuple(addresses), now, "tls.crt", strict=False)
    except SkupperTlsError as error:
        remedy = "Run the step distribute for this site: it has the certificate issued anew"
        return [("TLS305", single.message, single.found, remedy) for single in flatten(error)]
    return []


def warm_up(now: datetime) -> None:
    """Summarise a secret once: see run.warm_up."""
    key = keys.generate_key("ecdsa-p256")
    issuer = certificates.build_authority(certificates.AuthorityRequest("warm-up"), key, now)
    request = certificates.CertificateRequest("warm-up", ("warm-up",))
    leaf = certificates.issue(request, key.public_key(), issuer, key, now)
    data = {
        "tls.crt": pem.certificates_to_pem([leaf]),
        "tls.key": keys.key_to_pem(key),
        "ca.crt": pem.certificates_to_pem([issuer]),
    }
    observed = Observed({"type": SECRET_TYPE, "data": data})
    secret(observed, SiteKind("kubernetes", "v2"), "server", ["warm-up"], now)
