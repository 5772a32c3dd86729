# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors that the collection raises.

Every error names, as far as it is known, the site, the field of the user's input, what was found there
and the remedy. Only the edge (:mod:`run` and the action plugin) turns one into a failed task. No message
may hold a byte of a key: what is *found* is a name, a fingerprint, a date or a kind, never content.
"""

from __future__ import annotations

from collections.abc import Iterable


class SkupperTlsError(Exception):
    """A problem that the user can act on.

    Args:
        message: what is wrong, in one sentence without a closing full stop.
        site: the inventory host name of the site, empty where no site is concerned.
        field: the option or variable to look at, in dotted form (``tls.server_secret``).
        found: what stands there now.
        remedy: what to do about it, an imperative sentence without a closing full stop.
    """

    def __init__(self, message: str, *, site: str = "", field: str = "", found: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.site = site
        self.field = field
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        where = ", ".join(part for part in (f"site {self.site}" if self.site else "", self.field) if part)
        text = f"{where}: {self.message}" if where else self.message
        if self.found:
            text += f" (found: {self.found})"
        return f"{text}. {self.remedy}." if self.remedy else f"{text}."

    def at(self, site: str) -> SkupperTlsError:
        """Return this error with its site filled in, for code that learns the site only further out."""
        if not self.site:
            self.site = site
        return self

    def as_dict(self) -> dict[str, str]:
        """Return the parts as a dictionary of strings, for a module's result."""
        return {
            "message": self.message,
            "site": self.site,
            "field": self.field,
            "found": self.found,
            "remedy": self.remedy,
        }


class InputError(SkupperTlsError):
    """An option, a variable, a certificate or a key of the user's is not acceptable."""


class StoreError(SkupperTlsError):
    """The store cannot be read or written, or what it holds does not fit."""


class StoreConflict(StoreError):
    """Another run changed the record between our read and our write: read again."""


class SiteError(SkupperTlsError):
    """A site cannot be read or written, or is not in the state that the step needs."""


class NotReached(SiteError):
    """The site did not answer, or not as an API server, or a host with the Python that is needed, does."""


class NotPermitted(SiteError):
    """The API server forbids the verb (403)."""


class SiteConflict(SiteError):
    """An object of the site changed between our read and our write: read again."""


class ForeignObject(SiteError):
    """An object stands under our name and this collection did not write it (invariant 3)."""


class Problems(SkupperTlsError):
    """Several errors found together, so that the user sees all of them in one run."""

    def __init__(self, errors: Iterable[SkupperTlsError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(str(error).rstrip(".") for error in self.errors))

    def at(self, site: str) -> SkupperTlsError:
        for error in self.errors:
            error.at(site)
        super().__init__("; ".join(str(error).rstrip(".") for error in self.errors))
        return self


def flatten(error: SkupperTlsError) -> list[SkupperTlsError]:
    """Return the single errors of an error, however they are nested."""
    if not isinstance(error, Problems):
        return [error]
    return [single for inner in error.errors for single in flatten(inner)]


def raise_all(errors: Iterable[SkupperTlsError]) -> None:
    """Raise nothing, the one error, or all of them together."""
    found = [single for error in errors for single in flatten(error)]
    if len(found) == 1:
        raise found[0]
    if found:
        raise Problems(found)
