# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory: the sites of a Skupper network."""

from __future__ import annotations

DOCUMENTATION = r"""
name: network
author: multisite.skupper_tls contributors (@multisite)
version_added: 0.1.0
short_description: The sites of a Skupper network, from kubeconfig contexts or from the running network
description:
  - Makes a host of every site of a Skupper network, v1 or v2.
  - With O(contexts), sites are namespaces in the contexts of kubeconfigs.
  - With O(entry), the sites are those that one site of the running network knows of, on Kubernetes or not. How each is
    reached is said by O(reach), or found in the contexts of O(contexts) by the identity of the site.
  - The name of the file ends in V(skupper.yml), V(skupper.yaml), V(skupper_tls.yml) or V(skupper_tls.yaml).
  - Every host is in the group that O(group) names, and, as far as it is known of it, in C(skupper_v1) or C(skupper_v2),
    in the group of its platform (C(skupper_kubernetes), C(skupper_linux), C(skupper_podman), C(skupper_docker)), and in
    C(skupper_interior) or C(skupper_edge) by the role of its router.
  - Every host has the variables C(skupper_site_platform), C(skupper_site_namespace), and, where they are known,
    C(skupper_site_context), C(skupper_site_kubeconfig) and C(skupper_site_version), which the modules take; and as
    texts that may be empty C(skupper_seen_name), C(skupper_seen_id), C(skupper_seen_release) and C(skupper_seen_role),
    which are Skupper's name of the site, its identity, its version in full and its role.
  - No token, key or kubeconfig content is read into variables or the cache, and none is taken in this file.
notes:
  - By default Ansible only warns if an inventory file cannot be used, and goes on without its hosts. Set
    C(any_unparsed_is_failed) in the section C(inventory) of C(ansible.cfg), or
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED), so that a run with some of the sites cannot happen.
  - Environment variables C(K8S_AUTH_*) count as they do for the modules of this collection.
  - Needs the Python library kubernetes (28 or later).
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [multisite.skupper_tls.network]
  kubeconfig:
    description:
      - The path of the kubeconfig, or several, of which the first that names a thing wins. A relative path begins at
        the folder of the inventory file. Content is refused.
      - If it is not given, E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG), then C(~/.kube/config) count, here and for the
        modules; then hosts have no variable C(skupper_site_kubeconfig).
    type: raw
  contexts:
    description:
      - Which contexts and namespaces are sites. Of two rules for the same namespace the first counts.
      - With O(entry), which contexts to look for its sites in. A site that the network does not know of is left out.
    type: list
    elements: dict
    default: []
    suboptions:
      match:
        description: The name of a context, or a glob as in V(prod-*). One that matches nothing is an error.
        type: str
        required: true
      namespaces:
        description:
          - Names are taken as they are. Globs stand for the namespaces of the cluster that hold a Skupper site, V(*)
            for all of them; this needs the permission to list Sites and ConfigMaps in the whole cluster.
          - The default is the namespace of the context, C(default) if it has none. With O(entry), it is the namespaces
            that the network's sites have.
        type: list
        elements: str
      kubeconfig:
        description: Takes the place of O(kubeconfig).
        type: raw
      variables:
        description:
          - Host variables of these sites. Connection variables among them, such as C(skupper_site_proxy), count for
            this plugin too, unless they are templates. Secrets are refused.
        type: dict
  entry:
    description: One site of a running network on Kubernetes, to be asked which sites there are.
    type: dict
    suboptions:
      context:
        description: Its context. The default is the current one.
        type: str
      namespace:
        description: Its namespace.
        type: str
        required: true
      kubeconfig:
        description: Takes the place of O(kubeconfig).
        type: raw
      variables:
        description: Host variables of the entry site, as for O(contexts[].variables).
        type: dict
  reach:
    description:
      - Only with O(entry). Host variables by site, which is Skupper's name of it, its identity, or a glob for names.
        They say how the site is reached, which is C(skupper_site_context) or C(skupper_site_host) for a site on
        Kubernetes, and what Ansible's connections need (C(ansible_host)) for others. An empty dictionary says that
        Ansible reaches a system site under its own name.
      - A site for which no way is known is a host all the same, so that a run does not leave it out unnoticed. It is in
        the group C(skupper_unreached) as well, there is a warning, and its variables name a context, or an
        C(ansible_host), that does not exist, so that every run on it fails. The extra variable
        C(skupper_tls_hosts=skupper_sites:!skupper_unreached) leaves such sites out of a run.
    type: dict
    default: {}
  versions:
    description: The Skupper versions to look for. Say one where the other may not be read.
    type: list
    elements: str
    choices: [v1, v2]
    default: [v2, v1]
  look:
    description:
      - Whether the namespaces that O(contexts[].namespaces) names are looked at. Without it, no request is made for
        them, and their version and role are not known.
    type: bool
    default: true
  on_unreachable:
    description:
      - What to do about a context that cannot be looked at, because it does not answer or refuses. V(fail) makes the
        file fail. V(warn) goes on; namespaces that are named are hosts all the same, those that a glob stands for are
        not known.
      - An O(entry) that cannot be read always fails.
    type: str
    choices: [fail, warn]
    default: fail
  group:
    description: The group of all sites. The playbooks of this collection run on C(skupper_sites).
    type: str
    default: skupper_sites
  host_name:
    description:
      - A Jinja2 expression, without braces, for the name of a host; its variables are those of the host.
      - The default is the name of the context where its rule gives one namespace by name, else context and namespace
        joined by a hyphen; and Skupper's name of the site with O(entry). Characters other than letters, digits, C(.),
        C(_) and C(-) become a hyphen.
    type: str
  request_timeout:
    description: How many seconds an API server may take for an answer.
    type: float
    default: 30.0
extends_documentation_fragment:
  - constructed
  - inventory_cache
"""

EXAMPLES = r"""
# prod.skupper.yml: namespace shop in every context that begins with prod-; hosts are called as the contexts are
plugin: multisite.skupper_tls.network
contexts:
  - match: prod-*
    namespaces: [shop]

# ---
# Every namespace that holds a Skupper site, on two clusters with kubeconfigs of their own
# plugin: multisite.skupper_tls.network
# contexts:
#   - match: "*"
#     namespaces: ["*"]
#     kubeconfig: clusters/east.kubeconfig
#   - match: "*"
#     namespaces: ["shop-*"]
#     kubeconfig: clusters/west.kubeconfig
#     variables:
#       skupper_site_proxy: http://proxy.example.net:3128
# groups:
#   canary: "'canary' in skupper_site_namespace"
# keyed_groups:
#   - key: skupper_site_namespace
#     prefix: namespace

# ---
# What the network itself knows of; ways from the kubeconfig, and for sites that are not on Kubernetes by hand
# plugin: multisite.skupper_tls.network
# entry:
#   context: prod-east
#   namespace: shop
# contexts:
#   - match: prod-*
# reach:
#   store-17:
#     ansible_host: store-17.example.net
#   "lab-*": {}
# cache: true
# cache_plugin: ansible.builtin.jsonfile
# cache_connection: ~/.cache/skupper-inventory
"""

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.multisite.skupper_tls.plugins.module_utils import discovery, kube, options
from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands import context as commands
from ansible_collections.multisite.skupper_tls.plugins.module_utils.discovery import Found, Located, Rule
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    InputError,
    SkupperTlsError,
    flatten,
    raise_all,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import network
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.names import label_problems

ENDINGS = tuple(f"{name}.{ending}" for name in ("skupper", "skupper_tls") for ending in ("yml", "yaml"))
UNREACHED = "skupper_unreached"
# Names that exist nowhere: without them, the current context or a machine that happens to have the site's name would
# be taken for the site.
NO_CONTEXT = "no-way-known"
NO_HOST = "no-way-known.invalid"

_RULE = {"kubeconfig": {"type": "raw"}, "variables": {"type": "dict", "default": {}}}
_NESTED: dict[str, Any] = {
    "kubeconfig": {"type": "raw"},
    "contexts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "match": {"type": "str", "required": True},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            **_RULE,
        },
    },
    "entry": {
        "type": "dict",
        "options": {"context": {"type": "str"}, "namespace": {"type": "str", "required": True}, **_RULE},
    },
    "reach": {"type": "dict", "default": {}},
    "versions": {"type": "list", "elements": "str", "choices": list(discovery.VERSIONS)},
}
"""The options whose inside Ansible does not check for inventory plugins."""

_OWN_OPTIONS = {
    "skupper_site_kubeconfig": "kubeconfig",
    "skupper_site_context": "match, or context of entry",
    "skupper_site_namespace": "namespaces, or namespace of entry",
}
_CLUSTER_WAYS = ("skupper_site_context", "skupper_site_host", "skupper_site_kubeconfig")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The plugin ``multisite.skupper_tls.network``."""

    NAME = "multisite.skupper_tls.network"

    def verify_file(self, path: str) -> bool:
        """Return whether the file has a name of ours."""
        return bool(super().verify_file(path)) and path.endswith(ENDINGS)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        try:
            asked = _Asked(config, self._options, Path(path).resolve().parent)
            for located in self._cached(asked, path, config, cache):
                self._add(located, asked)
            for note in asked.unused_reach():
                self.display.warning(f"{path}: {note}")
        except SkupperTlsError as error:
            raise AnsibleParserError("\n".join(f"{path}: {single}" for single in flatten(error))) from None

    def _cached(self, asked: _Asked, path: str, config: Mapping[str, Any], cache: bool) -> list[Located]:
        """Return the sites, from the cache if it has those that this very file asks for."""
        use, key = bool(self.get_option("cache")), self.get_cache_key(path)
        digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode("utf-8")).hexdigest()
        if use and cache:
            kept = self._cache.get(key) if key in self._cache else None
            if isinstance(kept, Mapping) and kept.get("asked") == digest:
                return [Located.from_dict(entry) for entry in kept["sites"]]
        found = asked.find()
        for text in [str(problem) for problem in found.problems] + found.notes:
            self.display.warning(f"{path}: {text}")
        if use and not found.problems:
            self._cache[key] = {"asked": digest, "sites": [located.as_dict() for located in found.sites]}
        return found.sites

    def _add(self, located: Located, asked: _Asked) -> None:
        variables = asked.variables(located)
        name = self._host_name(located, asked, variables)
        asked.take(name, located)
        group = self.inventory.add_group(self.get_option("group"))
        self.inventory.add_host(name, group=group)
        for each in located.site.groups:
            self.inventory.add_host(name, group=self.inventory.add_group(each))
        if not asked.is_reached(located):
            self.inventory.add_host(name, group=self.inventory.add_group(UNREACHED))
            self.display.warning(
                f"no way to site {name} is known, so it is in the group {UNREACHED}. Say under reach how it is reached,"
                " or give the contexts to look for it in."
            )
        for variable, value in variables.items():
            self.inventory.set_variable(name, variable, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        complete = self.inventory.get_host(name).get_vars()
        self._add_host_to_composed_groups(self.get_option("groups"), complete, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), complete, name, strict=strict)

    def _host_name(self, located: Located, asked: _Asked, variables: Mapping[str, Any]) -> str:
        expression = self.get_option("host_name")
        if not expression:
            return asked.host_name(located)
        try:
            name = str(self._compose(expression, dict(variables)) or "")
        except AnsibleError as error:
            raise InputError(
                "is no expression that gives a name",
                field="host_name",
                found=f"{expression}: {error.message}",
                remedy="Write a Jinja2 expression without braces, as in skupper_seen_name ~ '-' ~ skupper_seen_id",
            ) from None
        return network.host_name(name)


class _Asked:
    """What the inventory file asks for."""

    def __init__(self, config: Mapping[str, Any], known: Mapping[str, Any], base: Path) -> None:
        self._known, self._base = known, base
        given = {name: known[name] for name in _NESTED if known.get(name) is not None}
        validation = ArgumentSpecValidator(_NESTED).validate(given)
        problems = [_invalid(error) for error in validation.errors.errors]
        problems += [
            InputError("is no option of this plugin", field=str(name), remedy=f"Use one of {', '.join(sorted(known))}")
            for name in config
            if name not in known
        ]
        raise_all(problems)
        checked = validation.validated_parameters
        self._rules = [
            self._rule(rule, rule["match"], rule["namespaces"], f"contexts[{number}]", problems)
            for number, rule in enumerate(checked["contexts"])
        ]
        entry = checked.get("entry")
        self._entry = (
            self._rule(entry, entry.get("context") or "", [entry["namespace"]], "entry", problems) if entry else None
        )
        self._reach: dict[str, Mapping[str, Any]] = {}
        for name, variables in checked["reach"].items():
            if isinstance(variables, Mapping) or variables is None:
                self._reach[str(name)] = variables or {}
                refused = {"skupper_site_namespace": "reach for what is not known already"}
                problems += network.variable_problems(variables or {}, f"reach.{name}", refused)
            else:
                problems.append(InputError("is no dictionary of host variables", field=f"reach.{name}"))
        if not self._rules and self._entry is None:
            remedy = "Say which contexts are sites, or name one site of the running network as entry"
            problems.append(InputError("is not given, and entry neither", field="contexts", remedy=remedy))
        if self._reach and self._entry is None:
            problems.append(InputError("is for the sites of a network", field="reach", remedy="Give entry, or drop it"))
        raise_all(problems)
        self._hosts: dict[str, Located] = {}
        self._used: set[str] = set()

    def _rule(
        self, rule: Mapping[str, Any], match: str, namespaces: list[str], where: str, problems: list[InputError]
    ) -> Rule:
        problems += network.variable_problems(rule["variables"], f"{where}.variables", _OWN_OPTIONS)
        kubeconfig = rule.get("kubeconfig") or self._known.get("kubeconfig")
        refused = network.kubeconfig_problems(kubeconfig or "", f"{where}.kubeconfig")
        problems += refused
        # Plain texts: Ansible's own do not go into every cache.
        names = tuple(str(name) for name in namespaces)
        for name in names:
            if not network.is_pattern(name):
                problems += label_problems(name, f"{where}.{'namespace' if where == 'entry' else 'namespaces'}")
        return Rule(str(match), names, "" if refused else self._paths(kubeconfig), rule["variables"])

    def _paths(self, kubeconfig: Any) -> str:
        entries = [kubeconfig] if isinstance(kubeconfig, str) else kubeconfig or []
        paths = [path for entry in entries for path in str(entry).split(os.pathsep) if path]
        return os.pathsep.join(str(self._base / Path(path).expanduser()) for path in paths)

    # -- looking

    def find(self) -> Found:
        """Return what is there.

        Raises:
            SkupperTlsError: it cannot be found out, or not all of it and that is not to be a warning.
        """
        commands.require("kubernetes", "this inventory")
        versions = [str(version) for version in self._known["versions"]]
        with kube.session():
            if self._entry is not None:
                reached = [key for key, variables in self._reach.items() if _leads_to_cluster(variables)]
                found = discovery.by_network(self._entry, self._rules, reached, self._connection, versions)
            else:
                found = discovery.by_contexts(self._rules, self._connection, versions, self._known["look"])
        raise_all(found.problems if self._known["on_unreachable"] == "fail" else [])
        return found

    def _connection(self, rule: Rule, context: str) -> kube.Connection:
        """Return how to reach a context: as the modules will reach its sites."""
        names = {options.SITE_VARIABLES + name: name for name in options.connection()}
        given = {
            names[variable]: value
            for variable, value in rule.variables.items()
            if variable in names and "{{" not in str(value)
        }
        params = {
            "request_timeout": self._known["request_timeout"],
            **given,
            "kubeconfig": rule.kubeconfig or None,
            "context": context or None,
        }
        surroundings = commands.Context("", True, datetime.now(timezone.utc), environment=dict(os.environ))
        return commands.connection(params, surroundings)

    # -- hosts

    def is_reached(self, located: Located) -> bool:
        """Return whether a way to the site is known."""
        key = network.reach_key(located.site, list(self._reach))
        if located.rule != discovery.NO_WAY or key is None:
            return located.rule != discovery.NO_WAY
        return located.site.platform != "kubernetes" or _leads_to_cluster(self._reach[key])

    def variables(self, located: Located) -> dict[str, Any]:
        """Return the host variables of a site."""
        site = located.site
        found: dict[str, Any] = {"skupper_site_platform": site.platform, "skupper_site_namespace": site.namespace}
        if site.version:
            found["skupper_site_version"] = site.version
        found |= {
            "skupper_seen_name": site.name,
            "skupper_seen_id": site.identity,
            "skupper_seen_release": site.release,
            "skupper_seen_role": site.role,
        }
        if located.rule != discovery.NO_WAY:
            found |= self._way(located)
        key = network.reach_key(site, list(self._reach))
        if key is not None:
            self._used.add(key)
            found |= self._reach[key]
        if not self.is_reached(located):
            found |= (
                {"skupper_site_context": NO_CONTEXT} if site.platform == "kubernetes" else {"ansible_host": NO_HOST}
            )
        return found

    def _way(self, located: Located) -> dict[str, Any]:
        rule = self._rule_of(located)
        way = {"skupper_site_context": located.context, "skupper_site_kubeconfig": rule.kubeconfig}
        return {**{name: value for name, value in way.items() if value}, **rule.variables}

    def _rule_of(self, located: Located) -> Rule:
        if located.rule == discovery.ENTRY and self._entry is not None:
            return self._entry
        return self._rules[located.rule]

    def host_name(self, located: Located) -> str:
        """Return the name of the host if the user has no wish."""
        if self._entry is not None:
            return network.host_name(located.site.name)
        single = self._rule_of(located).single
        return network.host_name(located.context if single else f"{located.context}-{located.site.namespace}")

    def take(self, name: str, located: Located) -> None:
        """Note the name of a host.

        Raises:
            InputError: it is empty, or another site has it.
        """
        if name and name not in self._hosts:
            self._hosts[name] = located
            return
        places = [
            f"namespace {each.site.namespace} of {f'context {each.context}' if each.context else 'an unknown context'}"
            for each in (self._hosts.get(name), located)
            if each is not None
        ]
        raise InputError(
            f"two sites would be the host {name}" if name else "a site would be a host without a name",
            field="host_name",
            found=" and ".join(places),
            remedy="Give an expression that tells them apart, such as skupper_seen_name ~ '-' ~ skupper_seen_id[:8]",
        )

    def unused_reach(self) -> list[str]:
        """Return what to say of entries of reach that no site comes under."""
        return [f"reach.{key}: the network has no such site" for key in self._reach if key not in self._used]


def _invalid(error: Exception) -> InputError:
    text = str(error).rstrip(".")
    return InputError(f"no option of this plugin: {text}" if isinstance(error, UnsupportedError) else text)


def _leads_to_cluster(variables: Mapping[str, Any]) -> bool:
    return any(variables.get(name) for name in _CLUSTER_WAYS)
