# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds sites for the inventory plugin: in the contexts of kubeconfigs, and in the view of a running network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Callable

from . import kube
from .errors import InputError, NotPermitted, SiteError, SkupperTlsError, raise_all
from .skupper import network
from .skupper.network import SeenSite

V2_SITES = "skupper.io/v2alpha1"
V1_SITE = "skupper-site"
VERSIONS = ("v2", "v1")
AT_ONCE = 16
ENTRY = -1
NO_WAY = -2

Connect = Callable[["Rule", str], kube.Connection]


@dataclass(frozen=True)
class Rule:
    """Contexts and namespaces to take sites from; or, of the entry site, the one context and namespace.

    Attributes:
        match: a glob for the names of contexts.
        namespaces: names and globs; none for the context's own namespace.
        kubeconfig: paths, joined by the path separator; empty for what the environment says.
        variables: host variables of the sites.
    """

    match: str
    namespaces: tuple[str, ...] = ()
    kubeconfig: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The namespaces that are named."""
        return [name for name in self.namespaces if not network.is_pattern(name)]

    @property
    def patterns(self) -> list[str]:
        """The namespaces that are to be looked for."""
        return [name for name in self.namespaces if network.is_pattern(name)]

    @property
    def single(self) -> bool:
        """Whether there is one namespace in each context, so that the context's name is enough for a host name."""
        return len(self.namespaces) <= 1 and not self.patterns


@dataclass(frozen=True)
class Located:
    """A site and the way to it.

    Attributes:
        rule: the number of the rule that found the way; ENTRY for the entry site, NO_WAY if none is known.
    """

    site: SeenSite
    rule: int = NO_WAY
    context: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for a cache."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Located:
        """Return what as_dict was made of."""
        return Located(SeenSite(**data["site"]), data["rule"], data["context"])


@dataclass
class Found:
    """What was found, what could not be looked at, and what the user should know besides."""

    sites: list[Located] = field(default_factory=list)
    problems: list[SkupperTlsError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


# -- in contexts


def by_contexts(rules: Sequence[Rule], connect: Connect, versions: Sequence[str], look: bool = True) -> Found:
    """Return the sites of all contexts that rules match; of two rules for one place the first counts.

    Raises:
        InputError: a rule matches no context, or a kubeconfig cannot be read.
    """
    errands = []
    for number, rule in enumerate(rules):
        for context, namespace in _matched(rule, number, connect).items():
            names = rule.names if rule.namespaces else [namespace or "default"]
            errands.append(_Errand(rule, number, context, names, rule.patterns))
    return _joined(_run(errands, connect, versions, look))


def _matched(rule: Rule, number: int, connect: Connect) -> dict[str, str]:
    known = kube.contexts(connect(rule, "").kubeconfig)
    matched = {name: namespace for name, namespace in known.items() if network.matching(name, [rule.match])}
    if not matched:
        raise InputError(
            "matches no context of the kubeconfig",
            field=f"contexts[{number}].match",
            found=f"{rule.match}; the contexts are {', '.join(known) or 'none'}",
            remedy="Correct the pattern, or give the kubeconfig that has the context",
        )
    return matched


@dataclass
class _Errand:
    """What to look for in one context.

    Attributes:
        names: namespaces that are sites because the user says so.
        patterns: namespaces that are sites if one is found there.
        maybe: the same, by name: no permission for the whole cluster is needed.
    """

    rule: Rule
    number: int
    context: str
    names: Sequence[str] = ()
    patterns: Sequence[str] = ()
    maybe: Sequence[str] = ()
    found: Found = field(default_factory=Found)

    def run(self, client: kube.Api, versions: Sequence[str]) -> None:
        """Look; what cannot be looked at is noted."""
        try:
            for name in self.names:
                self._add(self._look(client, name, versions) or self._empty(name))
            for name in self.maybe:
                site = self._look(client, name, versions)
                if site is not None:
                    self._add(site)
            if self.patterns:
                everywhere = network.one_a_namespace(_sites(client, "", versions))
                for site in everywhere:
                    if network.matching(site.namespace, self.patterns):
                        self._add(site)
        except SkupperTlsError as error:
            self.fail(error)

    def fail(self, error: SkupperTlsError) -> None:
        """Note that the context cannot be looked at. The namespaces that the user named are sites all the same."""
        self.found.problems.append(_explained(error).at(self.context))
        self.name_only()

    def name_only(self) -> None:
        """Take the namespaces that the user named for sites, without a look."""
        known = {located.site.namespace for located in self.found.sites}
        for name in self.names:
            if name not in known:
                self._add(SeenSite(name="", namespace=name))

    def _look(self, client: kube.Api, namespace: str, versions: Sequence[str]) -> SeenSite | None:
        return next(iter(network.one_a_namespace(_sites(client, namespace, versions))), None)

    def _empty(self, name: str) -> SeenSite:
        self.found.notes.append(f"there is no Skupper site in namespace {name} of context {self.context}")
        return SeenSite(name="", namespace=name)

    def _add(self, site: SeenSite) -> None:
        self.found.sites.append(Located(site, self.number, self.context))


def _run(errands: list[_Errand], connect: Connect, versions: Sequence[str], look: bool) -> list[_Errand]:
    """Run all errands, several at once: a context that does not answer must not hold up the others."""
    todo = []
    for errand in errands:
        if not look and not errand.patterns and not errand.maybe:
            errand.name_only()
            continue
        try:
            # Here and not in a thread: the client keeps a list of its temporary files that is not made for threads.
            todo.append((errand, kube.api(connect(errand.rule, errand.context))))
        except SkupperTlsError as error:
            errand.fail(error)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda pair: pair[0].run(pair[1], versions), todo))
    return errands


def _joined(errands: Iterable[_Errand]) -> Found:
    whole = Found()
    places: set[tuple[str, str, str]] = set()
    for errand in errands:
        for located in errand.found.sites:
            place = (errand.rule.kubeconfig, located.context, located.site.namespace)
            if place not in places:
                places.add(place)
                whole.sites.append(located)
        whole.problems += errand.found.problems
        whole.notes += errand.found.notes
    return whole


def _sites(client: kube.Api, namespace: str, versions: Sequence[str]) -> list[SeenSite]:
    """Return the sites of a namespace, or of the whole cluster if it is empty.

    Raises:
        NotPermitted: nothing was found, and not all may be read; or, of a whole cluster, not all may be read.
    """
    found: list[SeenSite] = []
    refusals: list[NotPermitted] = []
    for version in versions:
        try:
            found += _v2_sites(client, namespace) if version == "v2" else _v1_sites(client, namespace)
        except NotPermitted as error:
            refusals.append(error)
    # A user of a v1 site need not be permitted what marks a v2 site, and the other way round.
    if refusals and not (found and namespace):
        raise refusals[0]
    return found


def _v2_sites(client: kube.Api, namespace: str) -> list[SeenSite]:
    return [network.site_of_object(item) for item in _v2_objects(client, namespace)]


def _v2_objects(client: kube.Api, namespace: str) -> list[dict[str, Any]]:
    path = kube.namespaced(namespace, "sites", group=V2_SITES) if namespace else f"/apis/{V2_SITES}/sites"
    return list((client.get(path) or {}).get("items") or [])


def _v1_sites(client: kube.Api, namespace: str) -> list[SeenSite]:
    if namespace:
        body = client.get(kube.namespaced(namespace, "configmaps", V1_SITE))
        found = [body] if body else []
    else:
        body = client.get("/api/v1/configmaps", {"fieldSelector": f"metadata.name={V1_SITE}"})
        found = list((body or {}).get("items") or [])
    return [network.site_of_config_map(item) for item in found]


def _explained(error: SkupperTlsError) -> SkupperTlsError:
    if isinstance(error, NotPermitted) and " in namespace " not in error.message:
        error.remedy = (
            "Patterns of namespaces need the verb list in the whole cluster: grant it by a ClusterRole, name the"
            " namespaces, or set versions to the one Skupper version that you have"
        )
    return error


# -- in a running network


def by_network(
    entry: Rule, rules: Sequence[Rule], reach: Sequence[str], connect: Connect, versions: Sequence[str]
) -> Found:
    """Return the sites that the entry site's network has, with the way to each as far as one is known.

    Args:
        entry: the entry site: its context, and its one namespace.
        rules: contexts to look for the other sites in.
        reach: the sites on Kubernetes, as keys of the option reach, that need not be looked for.

    Raises:
        SkupperTlsError: the entry site cannot be read, or says nothing of its network.
    """
    try:
        own, seen = _ask(kube.api(connect(entry, entry.match)), entry.namespaces[0], versions)
    except SkupperTlsError as error:
        error.field = error.field or "entry"
        raise error.at(entry.match) from None
    seen = [site if site.version else replace(site, version=own.version) for site in seen]
    found = Found([_at_entry(site, own, entry) for site in seen])
    if all(located.rule == NO_WAY for located in found.sites):
        found.sites.append(Located(own, ENTRY, entry.match))
    missing = [located.site for located in found.sites if _is_missing(located, reach)]
    if rules and missing:
        _search(found, rules, missing, connect, versions)
    return found


def _at_entry(site: SeenSite, own: SeenSite, entry: Rule) -> Located:
    same = site.identity == own.identity or (not site.identity and site.name == own.name)
    if not same:
        return Located(site)
    return Located(replace(site, namespace=entry.namespaces[0], role=site.role or own.role), ENTRY, entry.match)


def _is_missing(located: Located, reach: Sequence[str]) -> bool:
    wanted = located.rule == NO_WAY and located.site.platform == "kubernetes"
    return wanted and network.reach_key(located.site, reach) is None


def _ask(client: kube.Api, namespace: str, versions: Sequence[str]) -> tuple[SeenSite, list[SeenSite]]:
    """Return the entry site itself and the sites of its network."""
    marked = network.one_a_namespace(_sites(client, namespace, versions))
    if not marked:
        raise SiteError(
            f"there is no Skupper site in namespace {namespace}",
            field="entry.namespace",
            found="neither a Site object (v2) nor ConfigMap skupper-site (v1)",
            remedy="Name the context and the namespace of one site of the network",
        )
    views: list[list[SeenSite]] = []
    refusals: list[SkupperTlsError] = []
    for read in (_view_of_config_map, _view_of_site):
        try:
            views.append(read(client, namespace))
        except NotPermitted as error:
            refusals.append(error)
    seen = network.united(*views)
    if not seen:
        raise_all(refusals[:1])
        raise SiteError(
            "the site does not say which sites its network has",
            field="entry",
            found=f"no site in ConfigMap {network.STATUS_CONFIG_MAP}, nor in the status of a Site",
            remedy="Look whether the Skupper controller and router of the site run, or take another entry site",
        )
    return marked[0], seen


def _view_of_config_map(client: kube.Api, namespace: str) -> list[SeenSite]:
    body = client.get(kube.namespaced(namespace, "configmaps", network.STATUS_CONFIG_MAP))
    return network.parse_network_status(((body or {}).get("data") or {}).get(network.STATUS_KEY, ""))


def _view_of_site(client: kube.Api, namespace: str) -> list[SeenSite]:
    return [site for item in _v2_objects(client, namespace) for site in network.sites_of_status(item)]


def _search(
    found: Found, rules: Sequence[Rule], missing: Sequence[SeenSite], connect: Connect, versions: Sequence[str]
) -> None:
    """Fill in the ways of sites that contexts hold, recognised by their identity: names repeat, uids do not."""
    namespaces = sorted({site.namespace for site in missing if site.namespace})
    errands = []
    for number, rule in enumerate(rules):
        # Named or not, a namespace is only a candidate here: the network says which sites there are.
        maybe = rule.names if rule.namespaces else namespaces
        for context in _matched(rule, number, connect):
            errands.append(_Errand(rule, number, context, patterns=rule.patterns, maybe=maybe))
    candidates = _joined(_run(errands, connect, versions, True))
    ways = {located.site.identity: located for located in reversed(candidates.sites) if located.site.identity}
    wanted = {site.identity for site in missing}
    for index, located in enumerate(found.sites):
        way = ways.get(located.site.identity)
        if way is not None and located.site.identity in wanted:
            site = replace(located.site, namespace=way.site.namespace, role=located.site.role or way.site.role)
            found.sites[index] = Located(site, way.rule, way.context)
    if wanted - set(ways):
        found.problems += candidates.problems  # where the others may be
