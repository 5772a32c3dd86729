# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""The documentation says what the code does: checks, options, results, roles and variables."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.multisite.skupper_tls.plugins.module_utils import options, run
from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.context import Context
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import checks, requests

REPO = Path(__file__).resolve().parents[2]
COLLECTIONS = Path(options.__file__).parents[5]  # the folder that holds ansible_collections
NAMESPACE = "multisite.skupper_tls"

MODULES = sorted(options.SPECS)
ROLES = sorted(path.parents[1].name for path in REPO.glob("roles/*/tasks/main.yml"))
HOST_VARIABLES = {
    *(options.SITE_VARIABLES + name for name in {**options.connection(), **options.site()}),
    *(variable for variable in options.NETWORK_VARIABLES.values() if variable.startswith(options.SITE_VARIABLES)),
}

# What Ansible itself documents of every result, and what only the failed one of report holds.
COMMON_RESULTS = {"changed", "failed", "diff", "warnings"}


@pytest.fixture(scope="session")
def documented() -> dict[str, Any]:
    """What ansible-doc says of each module, its fragments filled in."""
    names = [f"{NAMESPACE}.{module}" for module in MODULES]
    command = [sys.executable, "-m", "ansible.cli.doc", "--json", "--type", "module", *names]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(done.stdout)
    return {module: found[f"{NAMESPACE}.{module}"] for module in MODULES}


def documents() -> list[Path]:
    """Every file that a user reads."""
    patterns = ("README.md", "docs/*.md", "roles/*/README.md", "roles/*/meta/*.yml")
    found = [path for pattern in patterns for path in REPO.glob(pattern)]
    kinds = ("modules", "doc_fragments", "filter", "inventory")
    found += [path for kind in kinds for path in REPO.glob(f"plugins/{kind}/*")]
    return sorted(path for path in found if path.suffix in (".md", ".yml", ".py"))


def relative(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


# -- checks


def test_every_check_has_a_section() -> None:
    sections = re.findall(r"^## (\S+)\n\n\*(.+)\.\*$", (REPO / "docs/checks.md").read_text(encoding="utf-8"), re.M)
    headings = re.findall(r"^## (.+)$", (REPO / "docs/checks.md").read_text(encoding="utf-8"), re.M)
    assert headings == sorted(checks.CHECKS), "one section for each check, in order, and no other"
    assert {number: title[0].lower() + title[1:] for number, title in sections} == {
        number: title[0].lower() + title[1:] for number, title in checks.CHECKS.items()
    }


def test_every_section_says_what_to_do() -> None:
    text = (REPO / "docs/checks.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        number = section.split("\n", 1)[0]
        for part in ("**Looks at**", "**Why.**", "**What to do.**"):
            assert part in section, f"{number} has no {part}"


def test_only_checks_that_exist_are_named() -> None:
    for path in documents():
        named = set(re.findall(r"\bTLS\d{3}\b", path.read_text(encoding="utf-8")))
        assert named <= set(checks.CHECKS), relative(path)


# -- options


def differences(spec: Mapping[str, Any], doc: Mapping[str, Any], inner: str, where: str = "") -> Iterator[str]:
    """What a documentation of options and an argument spec do not agree about.

    Args:
        inner: how the documentation names the options of a dictionary.
    """
    for name in sorted({*spec, *doc}):
        field = f"{where}{name}"
        if name not in spec or name not in doc:
            yield f"{field} is only in the {'documentation' if name in doc else 'argument spec'}"
            continue
        want, have = spec[name], doc[name]
        if not have.get("description"):
            yield f"{field} has no description"
        for key, otherwise in (("type", "str"), ("elements", None), ("required", False), ("default", None)):
            if want.get(key, otherwise) != have.get(key, otherwise):
                yield f"{field}: {key} is {want.get(key, otherwise)!r}, documented as {have.get(key, otherwise)!r}"
        for key in ("choices", "aliases"):
            if list(want.get(key, [])) != list(have.get(key, [])):
                yield f"{field}: {key} are {want.get(key, [])}, documented as {have.get(key, [])}"
        yield from differences(want.get("options", {}), have.get(inner, {}), inner, field + ".")


@pytest.mark.parametrize("module", MODULES)
def test_options(module: str, documented: dict[str, Any]) -> None:
    assert list(differences(options.spec(module), documented[module]["doc"]["options"], "suboptions")) == []


def test_a_difference_is_found() -> None:
    """The comparison above is itself checked."""
    spec = {"a": {"type": "int"}, "b": {"type": "dict", "options": {"c": {"default": 1, "type": "int"}}}}
    doc = {
        "a": {"type": "str", "description": "x"},
        "b": {"type": "dict", "description": "x", "suboptions": {"d": {"description": "x"}}},
    }
    assert [text.split(" ", 1)[0] for text in differences(spec, doc, "suboptions")] == ["a:", "b.c", "b.d"]


@pytest.mark.parametrize("option", sorted({**options.connection(), **options.site()}))
def test_the_host_variable_of_an_option_is_named(option: str, documented: dict[str, Any]) -> None:
    description = "\n".join(documented["site_info"]["doc"]["options"][option]["description"])
    assert f"C({options.SITE_VARIABLES}{option})" in description
    variable = options.CONNECTION_ENVIRONMENT.get(option)
    assert variable is None or f"E({variable})" in description


@pytest.mark.parametrize("module", MODULES)
def test_the_variable_of_an_option_is_named(module: str, documented: dict[str, Any]) -> None:
    for option, variable in options.NETWORK_VARIABLES.items():
        if option in options.spec(module):
            description = "\n".join(documented[module]["doc"]["options"][option]["description"])
            assert f"C({variable})" in description, option


@pytest.mark.parametrize("module", sorted(options.OPTION_VARIABLES))
def test_the_variable_of_a_module_is_named(module: str, documented: dict[str, Any]) -> None:
    assert f"C({options.OPTION_VARIABLES[module]})" in "\n".join(documented[module]["doc"]["description"])


@pytest.mark.parametrize("path", documents(), ids=relative)
def test_only_host_variables_that_exist_are_named(path: Path) -> None:
    named = set(re.findall(rf"\b{options.SITE_VARIABLES}[a-z_]+", path.read_text(encoding="utf-8")))
    assert named <= HOST_VARIABLES


@pytest.mark.parametrize("module", MODULES)
def test_certificate_options_of_a_service(module: str, documented: dict[str, Any]) -> None:
    services = documented[module]["doc"]["options"].get("services")
    if services is None:
        return
    description = "\n".join(services["suboptions"]["tls"]["suboptions"]["certificate"]["description"])
    assert [name for name in requests.OPTIONS if f"C({name})" not in description] == []
    assert set(requests.OPTIONS) <= set(options.spec("certificate"))


# -- examples


def tasks_of(node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every task of one of our modules, with its arguments, wherever it stands."""
    if isinstance(node, list):
        for entry in node:
            yield from tasks_of(entry)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key.startswith(NAMESPACE + ".") and key != "hosts":
                yield key[len(NAMESPACE) + 1 :], value or {}
            else:
                yield from tasks_of(value)


def unknown(spec: Mapping[str, Any], arguments: Any, where: str) -> Iterator[str]:
    """Arguments that are no options, as deep as they are written out."""
    if not isinstance(arguments, dict):
        return
    names = {*spec, *(alias for entry in spec.values() for alias in entry.get("aliases", []))}
    for name, value in arguments.items():
        if name not in names:
            yield f"{where}{name}"
        elif "options" in spec.get(name, {}):
            for entry in value if isinstance(value, list) else [value]:
                yield from unknown(spec[name]["options"], entry, f"{where}{name}.")


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str, documented: dict[str, Any]) -> None:
    tasks = list(tasks_of(yaml.safe_load(documented[module]["examples"])))
    assert module in {name for name, _arguments in tasks}
    for name, arguments in tasks:
        assert list(unknown(options.spec(name), arguments, f"{name}: ")) == []
        required = [
            option
            for option, entry in options.spec(name).items()
            if entry.get("required") and option not in options.NETWORK_VARIABLES
        ]
        assert [option for option in required if option not in arguments] == []


@pytest.mark.parametrize("path", [path for path in documents() if path.suffix == ".md"], ids=relative)
def test_yaml_in_documents(path: Path) -> None:
    for block in re.findall(r"^```ya?ml\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S):
        for name, arguments in tasks_of(yaml.safe_load(block)):
            assert list(unknown(options.spec(name), arguments, f"{name}: ")) == []


# -- results

SERVICE = {
    "address": "payments",
    "ports": "5001,5002:8443",
    "workload": {"kind": "deployment", "name": "payments"},
    "providers": ["east"],
}


@pytest.fixture
def results(tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """What the modules return in a rollout to a system site, in check mode first, and of what fails."""
    resources = tmp_path / "namespaces/shop/input/resources"
    resources.mkdir(parents=True)
    (resources / "site.yaml").write_text("apiVersion: skupper.io/v2alpha1\nkind: Site\n", encoding="utf-8")
    groups = {"all": ["east"]}
    said: list[tuple[str, dict[str, Any]]] = []

    def call(module: str, dry: bool = False, **arguments: Any) -> dict[str, Any]:
        if module in run.SITE_MODULES:
            arguments = {"platform": "linux", "namespace": "shop", "data_home": str(tmp_path), **arguments}
        # The action plugin puts the results in the place of their variables' names.
        earlier: dict[str, Any] = {
            name: arguments.pop(name) for name in ("known", "issued", "removal") if name in arguments
        }
        store = {"type": "directory", "path": str(tmp_path / "store")}
        validated = ArgumentSpecValidator(options.spec(module)).validate({"store": store, **arguments})
        assert not validated.error_messages
        context = Context("east", dry, datetime.now(timezone.utc), groups, user_id=1000)
        said.append((module, run.execute(module, {**validated.validated_parameters, **earlier}, context)))
        return said[-1][1]

    services = [SERVICE]
    request = str(tmp_path / "csr")
    call("authority", name="asked", state="request")
    call("authority", name="asked", request_path=request)
    call("authority", name="asked", state="absent")
    call("report", step="barrier", sites={"east": {}}, services=services)
    call("secrets", services=services)  # fails: there is no certificate yet
    for dry in (True, False, False):
        known = call("site_info", dry, services=services, check="preflight")
        call("authority", dry, site_intermediates={"east": ["payments"]})
        issued = call("certificate", dry, name="server-cert-secret", alternative_names=["payments"])
        written = call("secrets", dry, services=services, known=[known], issued=issued)
        exposed = call("service", dry, services=services, known=[known, written], issued=issued)
        call("site_info", dry, services=services, check="secrets")
        read = call("site_info", dry, services=services, known=[known, written, exposed])
        call("report", dry, step="barrier", sites={"east": written}, services=services)
        call("report", dry, step="verify", sites={"east": read}, services=services)
    for dry in (True, False, False):
        call("trust_bundle", dry, destinations=[{"path": str(tmp_path / "ca.pem")}], services=services)
    for dry in (True, False):
        looked = call("site_info", dry, services=services, check="removal", remove="payments")
        told = call("report", dry, step="removal", sites={"east": looked}, services=services, remove="payments")
        call("service", dry, state="absent", services=services, removal=told)
        unexposed = call("site_info", dry, services=services, check="unexposed", removal=told)
        call("report", dry, step="unexposed", sites={"east": unexposed}, services=services, removal=told)
        gone = call("secrets", dry, state="absent", services=services, removal=told)
        call("report", dry, step="removed", sites={"east": gone}, services=services, removal=told)
    for module in ("secrets", "service"):
        call(module, services=services)
    (resources / "Connector-payments-5001.yaml").unlink()
    call("site_info", services=services)
    for module in ("service", "secrets"):
        call(module, state="absent", services=services)
    call("certificate", name="asked", alternative_names=["asked"], state="request")
    call("certificate", name="asked", alternative_names=["asked"], request_path=request)
    call("certificate", name="asked", state="absent")
    call("certificate", name="server-cert-secret", state="absent")
    call("authority", state="absent")
    assert not [result["errors"] for _module, result in said[5:] if "errors" in result]
    return said


def undocumented(value: Any, doc: Mapping[str, Any], where: str) -> Iterator[str]:
    """Keys of a result that the documentation does not have, and types that it has otherwise."""
    types: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "int": (int,),
        "bool": (bool,),
        "float": (float, int),
        "list": (list, tuple),
        "dict": (dict,),
        "raw": (object,),
    }
    if value is not None and not isinstance(value, types[doc["type"]]):
        yield f"{where} is of type {type(value).__name__}, documented as {doc['type']}"
    contains = doc.get("contains")
    if not contains:
        return
    entries = value if isinstance(value, list) else [value]
    if doc["type"] == "dict" and isinstance(value, dict) and not set(value) <= set(contains):
        entries = list(value.values())  # by name, as the description says
    for entry in entries:
        if isinstance(entry, dict):
            yield from (f"{where}.{key} is not documented" for key in sorted(set(entry) - set(contains)))
            for key in set(entry) & set(contains):
                yield from undocumented(entry[key], contains[key], f"{where}.{key}")


@pytest.mark.parametrize("module", MODULES)
def test_results(module: str, documented: dict[str, Any], results: list[tuple[str, dict[str, Any]]]) -> None:
    returned = documented[module]["return"]
    own = [result for name, result in results if name == module]
    for result in own:
        expected = {*returned, *COMMON_RESULTS, *({"msg"} if result.get("failed") else set())}
        assert sorted(set(result) - expected) == []
        for key in set(result) & set(returned):
            assert list(undocumented(result[key], returned[key], key)) == []
    never = set(returned) - {key for result in own for key in result} - {"errors"}
    assert sorted(never) == [], "documented, and not returned in a rollout"


# -- roles


def task_files(role: str, entry: str) -> list[str]:
    """The text of a role's entry point, and of the roles that it imports."""
    text = (REPO / f"roles/{role}/tasks/{entry}.yml").read_text(encoding="utf-8")
    imported = re.findall(rf"import_role:\s+name: {NAMESPACE}\.(\w+)", text)
    return [text, *(inner for name in imported for inner in task_files(name, "main"))]


def unused(module: str, arguments: Mapping[str, Any]) -> set[str]:
    """The options that a module takes only for the sake of module_defaults, or not for this step."""
    return _unused(module, arguments) | _unused_for_removal(module, arguments)


def _unused_for_removal(module: str, arguments: Mapping[str, Any]) -> set[str]:
    """What a removal does not use, and what nothing else uses."""
    if module in ("secrets", "service"):
        return {"adopt", "store", "wait_timeout", "certificate_timeout"} if "removal" in arguments else set()
    if module == "site_info":
        return {"remove", "remove_timeout"} - {"removal": {"remove"}, "unexposed": {"remove_timeout"}}.get(
            arguments.get("check", ""), set()
        )
    removing = {"remove", "remove_store", "remove_skip_unreachable"}
    return set() if arguments.get("step") == "removal" else removing


def _unused(module: str, arguments: Mapping[str, Any]) -> set[str]:
    if module == "site_info" and arguments.get("check") != "preflight":
        return {"store", "adopt"}
    return {"store"} if module == "service" or arguments.get("step") == "preflight" else set()


def used_variables(role: str, entry: str) -> set[str]:
    """The public variables that a role's entry point uses: in its tasks, or as defaults of their modules' options."""
    found: set[str] = set()
    for text in task_files(role, entry):
        found |= set(re.findall(r"\bskupper_tls_\w+", text))
        for module, arguments in tasks_of(yaml.safe_load(text)):
            if arguments.get("state") != "absent":
                found |= {variable for name, variable in options.OPTION_VARIABLES.items() if name == module}
            own = set(options.spec(module)) - {*arguments, *unused(module, arguments)}
            found |= {variable for option, variable in options.NETWORK_VARIABLES.items() if option in own}
    return found


def identify(value: Any) -> str:
    """Name a test by role and entry point."""
    return value if isinstance(value, str) else ""


def role_specs() -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for role in ROLES:
        text = (REPO / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8")
        found += [(role, entry, spec) for entry, spec in yaml.safe_load(text)["argument_specs"].items()]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_has_arguments(role: str) -> None:
    entries = {path.stem for path in REPO.glob(f"roles/{role}/tasks/*.yml")}
    assert {entry for name, entry, _spec in role_specs() if name == role} == entries


@pytest.mark.parametrize(("role", "entry", "spec"), role_specs(), ids=identify)
def test_role_variables(role: str, entry: str, spec: dict[str, Any]) -> None:
    assert set(spec["options"]) == used_variables(role, entry)


@pytest.mark.parametrize("role", ROLES)
def test_role_variables_are_in_the_readme(role: str) -> None:
    readme = (REPO / f"roles/{role}/README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", readme, re.M)
    wanted = {name for found, _entry, spec in role_specs() if found == role for name in spec["options"]}
    assert sorted(listed) == sorted(wanted)


@pytest.mark.parametrize(("role", "entry", "spec"), role_specs(), ids=identify)
def test_role_arguments_are_those_of_the_modules(role: str, entry: str, spec: dict[str, Any]) -> None:
    """What a module accepts, the validation of a role must not refuse, and the other way round.

    But for the connection of a Secret, as that of the store: ansible-lint allows no aliases in a role's arguments.
    """
    source = options.source()["source"]["options"]
    source = {**source, "secret": {key: value for key, value in source["secret"].items() if key != "options"}}
    modules = {
        "skupper_tls_services": options.services(False)["services"],
        "skupper_tls_authority": {
            "type": "dict",
            "options": {
                name: options.spec("authority")[name]
                for name in ("name", "subject", "key_type", "validity_days", "networks", "request_path")
            }
            | {"source": {"type": "dict", "options": source}},
        },
        "skupper_site_services": options.overrides()["overrides"],
        "skupper_tls_network": options.network()["network"],
        "skupper_tls_adopt": options.spec("secrets")["adopt"],
        "skupper_tls_wait_timeout": options.spec("service")["wait_timeout"],
        "skupper_tls_remove": options.spec("report")["remove"],
        "skupper_tls_remove_store": options.spec("report")["remove_store"],
        "skupper_tls_remove_skip_unreachable": options.spec("report")["remove_skip_unreachable"],
        "skupper_tls_remove_timeout": options.spec("site_info")["remove_timeout"],
    }
    known = {name: argument for name, argument in spec["options"].items() if name in modules}
    assert list(differences({name: modules[name] for name in known}, known, "options")) == []


# -- what works where


def test_the_tests_that_the_readme_names_are_there() -> None:
    lines = (REPO / "README.md").read_text(encoding="utf-8").partition("## What works where")[2].splitlines()
    named = [found for line in lines for found in re.findall(r"\]\((tests/\S+\.py)\)(?: <sub>`(\w+)`)?", line)]
    assert len(named) > 30
    for path, function in named:
        text = (REPO / path).read_text(encoding="utf-8")
        assert f"def {function}(" in text if function else text, (path, function)
