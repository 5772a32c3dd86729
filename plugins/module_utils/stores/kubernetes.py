# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in Secrets of one namespace of an authority cluster: one Secret a record."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ..errors import SiteConflict, SiteError, SkupperTlsError, StoreConflict, StoreError
from ..kube import Api, namespaced
from ..skupper.names import MANAGED_BY, MANAGED_BY_LABEL
from .base import Stored

SECRET_TYPE = "multisite.skupper-tls/record"
KIND_LABEL = "multisite.skupper-tls/record"
NAME_PREFIX = "multisite-skupper-tls"
RECORD_KEY = "record.json"


class KubernetesStore:
    """A namespace. Create is exclusive by name, update and delete compare the resourceVersion."""

    def __init__(self, client: Api, namespace: str) -> None:
        self._api = client
        self._namespace = namespace

    def describe(self) -> str:
        return f"namespace {self._namespace} of {self._api.server}"

    def read(self, kind: str, name: str) -> Stored | None:
        try:
            body = self._api.get(self._path(kind, name))
        except SkupperTlsError as error:
            raise self._error(error) from None
        return None if body is None else self._stored(body)

    def create(self, kind: str, name: str, document: Mapping[str, Any]) -> Stored:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": SECRET_TYPE,
            "metadata": {
                "name": _secret_name(kind, name),
                "labels": {MANAGED_BY_LABEL: MANAGED_BY, KIND_LABEL: kind},
            },
            "data": _data(document),
        }
        try:
            return self._stored(self._api.create(namespaced(self._namespace, "secrets"), body))
        except SkupperTlsError as error:
            raise self._error(error) from None

    def update(self, kind: str, name: str, document: Mapping[str, Any], token: str) -> Stored:
        body = {"metadata": {"resourceVersion": token}, "data": _data(document)}
        try:
            return self._stored(self._api.patch(self._path(kind, name), body))
        except SkupperTlsError as error:
            raise self._error(error) from None

    def delete(self, kind: str, name: str, token: str) -> None:
        try:
            self._api.delete(self._path(kind, name), resource_version=token)
        except SkupperTlsError as error:
            raise self._error(error) from None

    def names(self, kind: str) -> list[str]:
        query = {"labelSelector": f"{MANAGED_BY_LABEL}={MANAGED_BY},{KIND_LABEL}={kind}"}
        try:
            body = self._api.get(namespaced(self._namespace, "secrets"), query) or {}
        except SkupperTlsError as error:
            raise self._error(error) from None
        prefix = _secret_name(kind, "")
        return sorted(item["metadata"]["name"][len(prefix) :] for item in body.get("items") or [])

    def _path(self, kind: str, name: str) -> str:
        return namespaced(self._namespace, "secrets", _secret_name(kind, name))

    def _stored(self, body: Mapping[str, Any]) -> Stored:
        try:
            document = json.loads(b64decode((body.get("data") or {}).get(RECORD_KEY, "")))
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise StoreError(
                "the store holds a Secret that is not a record",
                field="store.namespace",
                found=f"{body['metadata']['name']} in {self.describe()}",
                remedy="Restore the Secret from a backup, or remove it to have the record made anew",
            )
        return Stored(document, body["metadata"]["resourceVersion"])

    def _error(self, error: SkupperTlsError) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if isinstance(error, SiteConflict):
            return StoreConflict(
                "the record was changed by another run", field="store", found=self.describe(), remedy="Run again"
            )
        remedy = error.remedy if isinstance(error, SiteError) else "Check the store's connection options"
        return StoreError(f"the store cannot be used: {error.message}", field="store", found=error.found, remedy=remedy)


def _secret_name(kind: str, name: str) -> str:
    return f"{NAME_PREFIX}.{kind}.{name}"


def _data(document: Mapping[str, Any]) -> dict[str, str]:
    return {RECORD_KEY: b64encode(json.dumps(document, sort_keys=True).encode("utf-8")).decode("ascii")}
