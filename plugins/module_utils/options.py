# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules, each group defined once; every group has a doc fragment of its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519"]
ALLOWANCES = ["rsa-under-2048", "sha1", "md5", "non-strict"]

CONNECTION_ENVIRONMENT = {
    "kubeconfig": "K8S_AUTH_KUBECONFIG",
    "context": "K8S_AUTH_CONTEXT",
    "host": "K8S_AUTH_HOST",
    "api_key": "K8S_AUTH_API_KEY",
    "username": "K8S_AUTH_USERNAME",
    "password": "K8S_AUTH_PASSWORD",
    "ca_cert": "K8S_AUTH_SSL_CA_CERT",
    "validate_certs": "K8S_AUTH_VERIFY_SSL",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    "proxy": "K8S_AUTH_PROXY",
    "no_proxy": "K8S_AUTH_NO_PROXY",
    "impersonate_user": "K8S_AUTH_IMPERSONATE_USER",
    "impersonate_groups": "K8S_AUTH_IMPERSONATE_GROUPS",
}
"""The environment variables of kubernetes.core, read when the option is not given."""

SITE_VARIABLES = "skupper_site_"
"""The prefix of the host variables that the options of a site default to."""

NETWORK_VARIABLES = {
    "network": "skupper_tls_network",
    "store": "skupper_tls_store",
    "services": "skupper_tls_services",
    "adopt": "skupper_tls_adopt",
    "wait_timeout": "skupper_tls_wait_timeout",
    "certificate_timeout": "skupper_tls_certificate_timeout",
    "overrides": "skupper_site_services",
    "remove": "skupper_tls_remove",
    "remove_store": "skupper_tls_remove_store",
    "remove_skip_unreachable": "skupper_tls_remove_skip_unreachable",
    "remove_timeout": "skupper_tls_remove_timeout",
    "destinations": "skupper_tls_export",
}
"""The variables that the options of the network, and what a site sets otherwise, default to."""

OPTION_VARIABLES = {"authority": "skupper_tls_authority"}
"""By module, the variable that is a mapping of its options: what the task does not give is taken from there."""


def connection() -> dict[str, Any]:
    """Return the options that say how to reach an API server."""
    return {
        "kubeconfig": {"type": "raw", "no_log": True},
        "context": {"type": "str"},
        "host": {"type": "str"},
        "api_key": {"type": "str", "no_log": True},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
        "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
        "client_cert": {"type": "path", "aliases": ["cert_file"]},
        "client_key": {"type": "path", "aliases": ["key_file"], "no_log": False},
        "proxy": {"type": "str"},
        "no_proxy": {"type": "str"},
        "impersonate_user": {"type": "str"},
        "impersonate_groups": {"type": "list", "elements": "str"},
        "request_timeout": {"type": "float", "default": 30.0},
    }


def site() -> dict[str, Any]:
    """Return the options that say which site is meant."""
    return {
        "platform": {"type": "str", "choices": ["kubernetes", "linux", "podman", "docker"]},
        "namespace": {"type": "str"},
        "version": {"type": "str"},
        "data_home": {"type": "str"},
        "listener_host": {"type": "str"},
    }


def network() -> dict[str, Any]:
    """Return the option that names the network."""
    return {"network": {"type": "str", "default": "skupper"}}


def store() -> dict[str, Any]:
    """Return the options of the store."""
    return {
        "store": {
            "type": "dict",
            "options": {
                "type": {"type": "str", "choices": ["directory", "kubernetes"], "default": "directory"},
                "path": {"type": "path"},
                "namespace": {"type": "str"},
                "passphrase": {"type": "str", "no_log": True},
                **connection(),
            },
        },
    }


def services(required: bool) -> dict[str, Any]:
    """Return the option that lists services."""
    return {
        "services": {
            "type": "list",
            "elements": "dict",
            "required": required,
            **({} if required else {"default": []}),
            "options": {
                "address": {"type": "str", "required": True},
                "protocol": {"type": "str", "default": "tcp"},
                "ports": {"type": "raw"},
                "workload": {
                    "type": "dict",
                    "options": {
                        "kind": {"type": "str"},
                        "name": {"type": "str"},
                        "selector": {"type": "str"},
                        "host": {"type": "str"},
                        "mount_path": {"type": "str"},
                        "containers": {"type": "list", "elements": "str"},
                    },
                },
                "consumers": {
                    "type": "list",
                    "elements": "dict",
                    "options": {
                        "workload": {
                            "type": "dict",
                            "required": True,
                            "options": {"kind": {"type": "str"}, "name": {"type": "str", "required": True}},
                        },
                        "mount_path": {"type": "str", "required": True},
                        "containers": {"type": "list", "elements": "str"},
                        "sites": {"type": "list", "elements": "str"},
                    },
                },
                "providers": {"type": "list", "elements": "str"},
                "sites": {"type": "list", "elements": "str"},
                "tls": {
                    "type": "dict",
                    "options": {
                        "mode": {"type": "str", "default": "custom"},
                        "server_secret": {"type": "str", "default": "server-cert-secret", "no_log": False},
                        "ca_secret": {"type": "str", "default": "ca-cert-secret", "no_log": False},
                        "authority": {"type": "str"},
                        "signer": {"type": "str"},
                        "site_intermediates": {"type": "bool", "default": False},
                        "certificate": {"type": "dict", "no_log": False},
                    },
                },
            },
        },
    }


def overrides() -> dict[str, Any]:
    """Return the option that says what a site sets otherwise than the services of the network."""
    return {"overrides": {"type": "dict", "default": {}}}


def destinations() -> dict[str, Any]:
    """Return the option that says where to export a bundle to."""
    config_map = {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "key": {"type": "str", "default": "ca.crt", "no_log": False},
        **connection(),
    }
    return {
        "destinations": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "path": {"type": "path"},
                "format": {"type": "str", "choices": ["pem", "pkcs12"], "default": "pem"},
                "password": {"type": "str", "no_log": True},
                "authorities": {"type": "list", "elements": "str"},
                "config_map": {"type": "dict", "options": config_map},
            },
        },
    }


def source() -> dict[str, Any]:
    """Return the option that says where an imported certificate comes from."""
    return {
        "source": {
            "type": "dict",
            "options": {
                "certificate_path": {"type": "path"},
                "certificate_content": {"type": "str"},
                "key_path": {"type": "path", "no_log": False},
                "key_content": {"type": "str", "no_log": True},
                "key_passphrase": {"type": "str", "no_log": True},
                "pkcs12_path": {"type": "path"},
                "pkcs12_content": {"type": "str", "no_log": True},
                "pkcs12_passphrase": {"type": "str", "no_log": True},
                "friendly_name": {"type": "str"},
                "secret": {
                    "type": "dict",
                    "no_log": False,
                    "options": {
                        "name": {"type": "str", "required": True},
                        "namespace": {"type": "str", "required": True},
                        "certificate_key": {"type": "str", "default": "tls.crt", "no_log": False},
                        "key_key": {"type": "str", "default": "tls.key", "no_log": False},
                        "ca_key": {"type": "str", "default": "ca.crt", "no_log": False},
                        "keystore_key": {"type": "str", "no_log": False},
                        **connection(),
                    },
                },
                "allow": {"type": "list", "elements": "str", "choices": ALLOWANCES, "default": []},
            },
        },
    }


def state(*choices: str) -> dict[str, Any]:
    """Return the option state, present by default."""
    return {"state": {"type": "str", "choices": list(choices), "default": choices[0]}}


def removal() -> dict[str, Any]:
    """Return the option that names where the step removal is registered."""
    return {"removal": {"type": "str"}}


def _issue(validity_days: int) -> dict[str, Any]:
    return {
        "subject": {"type": "str"},
        "key_type": {"type": "str", "choices": KEY_TYPES, "default": "ecdsa-p256", "no_log": False},
        "validity_days": {"type": "int", "default": validity_days},
    }


def _signing_request() -> dict[str, Any]:
    return {"request_path": {"type": "path"}}


def _certificate() -> dict[str, Any]:
    return {
        "authority": {"type": "str", "default": "default"},
        **_issue(365),
        "alternative_names": {"type": "list", "elements": "str", "default": []},
        "extended_key_usage": {"type": "list", "elements": "str", "default": ["serverAuth"]},
        "renew_before": {"type": "str", "default": "1/3"},
        "networks": {"type": "list", "elements": "str"},
        **source(),
        **_signing_request(),
    }


def _without_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {key: value for key, value in option.items() if key != "default"} for name, option in spec.items()}


_SITE_COMMON = {**network(), **store(), **site(), **connection()}

SPECS: Mapping[str, Mapping[str, Any]] = {
    "authority": {
        "name": {"type": "str", "default": "default"},
        **state("present", "absent", "request"),
        **_issue(3650),
        "site_intermediates": {"type": "dict"},
        **source(),
        **_signing_request(),
        "known": {"type": "list", "elements": "str", "default": []},
        "networks": {"type": "list", "elements": "str"},
        "issued": {"type": "str"},
        **_SITE_COMMON,
    },
    "certificate": {
        "name": {"type": "str", "required": True},
        **state("present", "absent", "request"),
        **_certificate(),
        "request": {"type": "dict", "options": _without_defaults(_certificate())},
        "pending": {"type": "str"},
        **_SITE_COMMON,
    },
    "secrets": {
        **state("present", "absent"),
        **services(True),
        **overrides(),
        "adopt": {"type": "bool", "default": False},
        "certificate_timeout": {"type": "float", "default": 60.0},
        "signers": {"type": "str"},
        "known": {"type": "list", "elements": "str", "default": []},
        "issued": {"type": "str"},
        **removal(),
        **_SITE_COMMON,
    },
    "service": {
        **state("present", "absent"),
        **services(True),
        **overrides(),
        "adopt": {"type": "bool", "default": False},
        "wait_timeout": {"type": "float", "default": 5.0},
        "known": {"type": "list", "elements": "str", "default": []},
        "issued": {"type": "str"},
        **removal(),
        **_SITE_COMMON,
    },
    "site_info": {
        **services(False),
        **overrides(),
        "adopt": {"type": "bool", "default": False},
        "check": {
            "type": "str",
            "choices": ["preflight", "secrets", "verify", "removal", "unexposed"],
            "default": "verify",
        },
        "known": {"type": "list", "elements": "str", "default": []},
        "remove": {"type": "raw"},
        **removal(),
        "remove_timeout": {"type": "float", "default": 60.0},
        **_SITE_COMMON,
    },
    "report": {
        "step": {
            "type": "str",
            "choices": ["preflight", "barrier", "verify", "removal", "unexposed", "removed"],
            "required": True,
        },
        "sites": {"type": "dict"},
        "registered": {"type": "list", "elements": "str"},
        "default_authority": {"type": "str", "default": "default"},
        "issued": {"type": "list", "elements": "str", "default": []},
        "remove": {"type": "raw"},
        "remove_store": {"type": "bool", "default": False},
        "remove_skip_unreachable": {"type": "bool", "default": False},
        "limited": {"type": "bool", "default": False},
        **removal(),
        **services(False),
        "site_overrides": {"type": "dict", "default": {}},
        **_SITE_COMMON,
    },
    "trust_bundle": {
        **state("present", "absent"),
        **destinations(),
        **services(False),
        "adopt": {"type": "bool", "default": False},
        **_SITE_COMMON,
    },
}
"""The argument spec of each module."""


def spec(module: str) -> dict[str, Any]:
    """Return the argument spec of a module."""
    return dict(SPECS[module])
