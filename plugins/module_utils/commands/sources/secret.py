# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Source: a Secret of any cluster, of type kubernetes.io/tls or not, as cert-manager and others make it.

``tls.crt`` holds the certificate and its intermediates. ``ca.crt`` is what the maker knows of the CA: its root, an
intermediate, nothing, or the key is not there at all; so it only adds to what is known.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import InputError, SkupperTlsError
from ...kube import api, namespaced
from ...x509 import keys, pem
from ..context import Context, connection, require
from . import pkcs12
from .base import Kind, Source, phrase


def read(options: Mapping[str, Any], field: str, context: Context) -> Source:
    """Read what is to be imported. Nothing of it is read into a file.

    Raises:
        SkupperTlsError: the cluster is not reached or does not permit it, the Secret or a key of it is missing, or
            what it holds is no certificate or key.
    """
    require("kubernetes", "a certificate in a Secret")
    secret, where = options["secret"], f"{field}.secret"
    data, place = _data(secret, where, context)
    ca_key, authorities = secret["ca_key"], []
    if data.get(ca_key):
        authorities = pem.parse_certificates(data[ca_key], f"{where} ({ca_key})")
    keystore = secret.get("keystore_key")
    if keystore:
        content = _needed(data, keystore, "keystore_key", "the PKCS#12 file", where, place)
        return replace(pkcs12.opened(content, options, field, f"{where} ({keystore})"), authorities=authorities)
    certificate_key, key_key = secret["certificate_key"], secret["key_key"]
    certificates, key = [], None
    if data.get(certificate_key) or not authorities:
        content = _needed(data, certificate_key, "certificate_key", "the certificate", where, place)
        certificates = pem.parse_certificates(content, f"{where} ({certificate_key})")
    if data.get(key_key):
        key = keys.load_key(data[key_key], f"{where} ({key_key})", phrase(options, "key_passphrase"))
    where_key = f"Set source.secret.key_key to the key of the Secret that holds it; {_held(data, place)}"
    return Source(field, certificates, authorities, key, where_key=where_key)


def _data(secret: Mapping[str, Any], where: str, context: Context) -> tuple[dict[str, bytes], str]:
    """Return what the Secret holds, and its place for messages."""
    namespace, name = str(secret["namespace"]), str(secret["name"])
    client = None
    try:
        client = api(connection(secret, context))
        body = client.get(namespaced(namespace, "secrets", name))
    except SkupperTlsError as error:
        error.field = f"{where}.{error.field}" if client is None and error.field else where
        raise
    place = f"Secret {name} in namespace {namespace} of {client.server}"
    if body is None:
        raise InputError(
            "the Secret is not there",
            field=where,
            found=place,
            remedy="Check its name, its namespace and the cluster; cert-manager makes it when its Certificate is Ready",
        )
    return {key: b64decode(value) for key, value in (body.get("data") or {}).items()}, place


def _needed(data: Mapping[str, bytes], key: str, option: str, what: str, where: str, place: str) -> bytes:
    if data.get(key):
        return data[key]
    raise InputError(
        f"the Secret has nothing under {key}",
        field=f"{where}.{option}",
        found=_held(data, place),
        remedy=f"Set source.secret.{option} to the key of the Secret that holds {what}, "
        "or wait until its maker has filled it",
    )


def _held(data: Mapping[str, bytes], place: str) -> str:
    return f"{place} has {', '.join(sorted(key for key in data if data[key])) or 'no data'}"


SECRET = Kind(("secret",), read)
