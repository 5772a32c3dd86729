# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing requests for a CA outside, of authorities and of certificates: made once, kept until the answer is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..plan import UNKNOWN
from ..stores import records
from ..stores import requests as stored_requests
from ..stores.base import Store, agreed
from ..stores.records import Record
from ..stores.requests import Requests
from ..x509 import certificates, describe, keys, rules
from .context import Context, passphrase
from .sources.base import Source

_NEW = ".new-"


@dataclass(frozen=True)
class Asked:
    """A signing request that stands in the store: what a result says of it, and what was changed for it."""

    changed: bool
    result: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def merged(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return a result with this one's part added."""
        both = {**result, **self.result, "changed": bool(result["changed"] or self.changed)}
        if self.changed:
            diff = result.get("diff") or {"before": {}, "after": {}}
            both["diff"] = {
                "before": {**diff["before"], "request": dict(self.before)},
                "after": {**diff["after"], "request": dict(self.after)},
            }
        return both


def ask(
    store: Store,
    requests: Requests,
    wanted: certificates.CertificateRequest | certificates.AuthorityRequest,
    params: Mapping[str, Any],
    context: Context,
) -> Asked:
    """Make sure that the store holds a request as it is wanted, and that the file of ``request_path`` holds it too.

    A pending request that is as wanted is taken again, with its key. Another one stays: a CA may be about to answer it.

    Raises:
        InputError: the request is not acceptable, or the file cannot be written.
        StoreError: the passphrase does not open the pending key.
    """
    if context.check:
        return _ask(store, requests, wanted, params, context)
    return agreed(lambda: _ask(store, stored_requests.reload(store, requests), wanted, params, context))


def _ask(
    store: Store,
    requests: Requests,
    wanted: certificates.CertificateRequest | certificates.AuthorityRequest,
    params: Mapping[str, Any],
    context: Context,
) -> Asked:
    # What a request for a key of the right kind would have, without making such a key, which may take long.
    traits = {**_traits(_build(wanted, keys.generate_key("ecdsa-p256"))), "key_type": wanted.key_type}
    known = next((one for one in reversed(requests.pending) if _traits(one.request) == traits), None)
    if known is not None:
        records.open_key(known.key_pem, _what(requests), passphrase(params))
        request, key = known.request, None
    else:
        key = keys.generate_key(wanted.key_type)
        request = _build(wanted, key)
    text = stored_requests.request_to_pem(request)
    path = context.path(params["request_path"]) if params.get("request_path") else None
    stands = _file_state(path, text if known is not None else "") if path is not None else ""
    shown = describe.describe_request(request)
    if context.check and known is None:
        shown["key_sha256"], text = UNKNOWN, ""
    if not context.check:
        if key is not None:
            key_pem = keys.key_to_pem(key, passphrase(params))
            stored_requests.add(store, requests, request, key_pem, context.now)
        if path is not None and stands != "present":
            _write(path, text)
    place = {"request_path": str(path) if path is not None else ""}
    before = {**({} if known is None else shown), **({"file": stands} if path is not None else {})}
    after = {**shown, **({"file": "present"} if path is not None else {})}
    return Asked(before != after, {"request": {**shown, **place}, "csr": text}, before, after)


def at_hand(source: Mapping[str, Any] | None, context: Context) -> bool:
    """Return whether the CA's answer is there. Only a file that is certainly missing counts as not there."""
    path = (source or {}).get("certificate_path")
    if not path:
        return bool((source or {}).get("certificate_content"))
    try:
        context.path(str(path)).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # reading it will tell
    return True


def refuse_other_sources(source: Mapping[str, Any] | None, field: str) -> None:
    """Refuse what would bring a key of its own.

    Raises:
        InputError: there is such an option.
    """
    plain = ("certificate_path", "certificate_content", "allow")
    given = [name for name, value in (source or {}).items() if value and name not in plain]
    if given:
        raise InputError(
            "request_path is given, so the key is the store's, and the certificate comes alone",
            field=field,
            found=", ".join(given),
            remedy="Give source.certificate_path alone, or leave request_path out",
        )


def waiting(what: str, why: str, asked: Asked, params: Mapping[str, Any], context: Context) -> str:
    """Return what the user has to do before this can go on."""
    path = (params.get("source") or {}).get("certificate_path")
    place = f"at {context.path(str(path))}" if path else "in source.certificate_content, or name it as certificate_path"
    request = asked.result["request"]["request_path"] or "the result's csr"
    return f"{what} waits for its CA ({why}): have {request} signed, put the answer with its intermediates {place}"


def held_key(
    requests: Requests, record: Record | None, offered: Iterable[Any], params: Mapping[str, Any]
) -> Any | None:
    """Return the key of one of the offered certificates, from a pending request or the current revision, else None."""
    for certificate in offered:
        public_key = keys.public_bytes(certificate.public_key())
        pending = requests.of(public_key)
        if pending is not None:
            return records.open_key(pending.key_pem, _what(requests), passphrase(params))
        if record is not None and record.key_pem and public_key == _public(record):
            return records.load_key(record, passphrase(params))
    return None


def unknown_key(requests: Requests, source: Source, params: Mapping[str, Any], ca: bool) -> InputError:
    """Return the error for a certificate that came without its key, and belongs to no pending request."""
    if not requests.pending:
        remedy = source.where_key
        if params.get("request_path"):
            remedy = "No request is pending: move this certificate away to have one made, or leave request_path out"
        return InputError("no private key is given", field=source.field, remedy=remedy)
    fitting = [one for one in source.certificates if rules.is_ca(one) == ca] or source.certificates
    offered = f"{rules.label(fitting[0])} has the public key {describe.key_fingerprint(fitting[0].public_key())}"
    pending = ", ".join(describe.key_fingerprint(one.request.public_key()) for one in requests.pending)
    return InputError(
        "the certificate does not belong to any request that waits for its CA",
        field=source.field,
        found=f"{offered}; waiting: {pending}",
        remedy="Give the certificate that the CA made from the request of this name, or give the key as well",
    )


def finish(
    store: Store, requests: Requests, record_key: bytes, result: Mapping[str, Any], context: Context
) -> tuple[Requests, dict[str, Any]]:
    """Remove the request of a key whose certificate the store holds now, and say so in the result."""
    answered = requests.of(record_key)
    if answered is None:
        return requests, dict(result)
    left = replace(requests, pending=tuple(one for one in requests.pending if one is not answered))
    if not context.check:
        agreed(lambda: stored_requests.drop(store, stored_requests.reload(store, requests), record_key))
    diff = result.get("diff") or {"before": {}, "after": {}}
    before = {**diff["before"], "request": describe.describe_request(answered.request)}
    return left, {**result, "changed": True, "diff": {"before": before, "after": diff["after"]}}


def shown(requests: Requests) -> dict[str, Any]:
    """Return what a diff shows of all requests, empty if there is none."""
    listed = [describe.describe_request(one.request) for one in requests.pending]
    return {"requests": listed} if listed else {}


def _build(wanted: certificates.CertificateRequest | certificates.AuthorityRequest, key: Any) -> Any:
    if isinstance(wanted, certificates.AuthorityRequest):
        return certificates.authority_signing_request(wanted, key)
    return certificates.certificate_signing_request(wanted, key)


def _traits(request: Any) -> dict[str, Any]:
    """Return what two requests for the same thing have in common: all but the key."""
    traits = {key: value for key, value in describe.describe_request(request).items() if key != "key_sha256"}
    traits["alternative_names"] = sorted(traits["alternative_names"])
    usages = sorted(certificates.usages_of(request))
    return {**traits, "extended_key_usage": usages, "path_length": rules.path_length(request)}


def _public(record: Record) -> bytes:
    return keys.public_bytes(record.certificates[0].public_key())


def _what(requests: Requests) -> str:
    return f"{requests.kind} {requests.name}"


def _file_state(path: Path, text: str) -> str:
    """Return whether the file is there and holds the text: ``present``, ``another request`` or ``absent``.

    Raises:
        InputError: it cannot be read, or its folder is not there or not writable.
    """
    try:
        found = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        found = ""
    except OSError as error:
        raise _unwritable(path, str(error.strerror)) from None
    if found and found == text:
        return "present"
    if not path.parent.is_dir():
        raise _unwritable(path, "its folder does not exist")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _unwritable(path, "its folder is not writable")
    return "another request" if found else "absent"


def _write(path: Path, text: str) -> None:
    """Write a signing request, which is no secret; whole or not at all."""
    new = path.with_name(f"{_NEW}{os.getpid()}-{path.name}")
    try:
        new.write_text(text, encoding="ascii")
        new.chmod(0o644)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise _unwritable(path, str(error.strerror)) from None


def _unwritable(path: Path, found: str) -> InputError:
    return InputError(
        "the file for the signing request cannot be written",
        field="request_path",
        found=f"{path}: {found}",
        remedy="Give the path of a file in a folder that the user running Ansible may write",
    )
