# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 files as openssl and keytool write them, old and new, and everything that can be wrong with one."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys, pkcs12
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

ROOT = factory.root("root", key=factory.key())
MIDDLE = factory.make("middle", ROOT, ca=True, key=factory.key(number=1))
LEAF = factory.make("payments", MIDDLE, key=factory.key(number=2), names=["payments"])
STRANGER = factory.make("ledger", ROOT, key=factory.key(number=3), names=["ledger"])
OLD = factory.make("p521", ROOT, key=ec.generate_private_key(ec.SECP521R1()))
PHRASE = "the words"

# keytool -genkeypair -alias first|second -keyalg EC -dname CN=... -storetype PKCS12: two keys, which openssl cannot
# write. Each certificate is self-signed.
TWO_KEYS = b64decode(
    """
    MIIGoQIBAzCCBksGCSqGSIb3DQEHAaCCBjwEggY4MIIGNDCCAjsGCSqGSIb3DQEHAaCCAiwEggIoMIICJDCCAQ0GCyqGSIb3DQEM
    CgECoIG9MIG6MGYGCSqGSIb3DQEFDTBZMDgGCSqGSIb3DQEFDDArBBRQudSNXuwbVx6dz0mNAvC+ZNJ0ZAICJxACASAwDAYIKoZI
    hvcNAgkFADAdBglghkgBZQMEASoEEOtkNzmACZEyChk2XK+afQcEUBSzBLMlGJES8BHLmHxvB44/VMHPJIddlBB5QDr19e9OoqKY
    8eQJ1kNuEdBU7TfucqPjuI3PGTRaNrfdrTvi6JWjt5mOMXvLwMBskgKMU+dtMT4wGQYJKoZIhvcNAQkUMQweCgBmAGkAcgBzAHQw
    IQYJKoZIhvcNAQkVMRQEElRpbWUgMTc5NTUyMDQ4NTI3NTCCAQ8GCyqGSIb3DQEMCgECoIG9MIG6MGYGCSqGSIb3DQEFDTBZMDgG
    CSqGSIb3DQEFDDArBBSVeGEdPT9uqhyN2MXyPgtwxzD2QAICJxACASAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEAqm8Jrt
    Co8cgWYCAFdddyoEULpTh910yjHBrjYLJqJkyB3rUt/ppW1dTxCADb2qeYrkPFZQNnNZSvJ+XQVmVXOOqXnYpOqsSBv2nCzNBHc+
    R2y8Zexa32O3ydV2oyrtXv5iMUAwGwYJKoZIhvcNAQkUMQ4eDABzAGUAYwBvAG4AZDAhBgkqhkiG9w0BCRUxFAQSVGltZSAxNzk1
    NTIwNDg3NTI1MIID8QYJKoZIhvcNAQcGoIID4jCCA94CAQAwggPXBgkqhkiG9w0BBwEwZgYJKoZIhvcNAQUNMFkwOAYJKoZIhvcN
    AQUMMCsEFLkmKFw8f5pA8HB5ZO8qEbgt7Et/AgInEAIBIDAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQA+FGfRG/igrJfVOL
    qAGZ0oCCA2BA4CF12wsdD2ejo1ABY/mHbJtNXNv/Rt3sM5xqs0fOx+GRLRLUvWAbzJ4wu9m5yqOBNYUAGHi0/4J3EVd23jnJQ+W/
    ibj9vrICD6tbuzKza42Ygkzlb0SckJcznHkBDTBzIpKkQa1HgTM+bxdYNEvOuz/dJMmHkGAUjpuzgBwgx9tfrc9Eb8mEnIlygJWJ
    1gwyeveD20C6wN9S4xMRXYDiTSFnWOzp4Rto/yz+79zuDZYPlDbwtaxoYegMaoQo1qK0O/owXEiFCX+3b8qUugpWT7uzev8PXcYt
    VH+Svd1EEgVO9usZF5yZ+2AxLCViMz7rzonU0SjEVAQWmev4+1zRXxcZ/P7CZ2XG1004PYC/cVpwUs7gzDN8dfnC5PyPxqBv+nWi
    xmhEg4peI9LPVMtXCip7ZPDX7Ymv2DA/Gng8VZbI+4qBct9Fi2X5PXsLWivkCmpj/FJD2YKkmftClSgrthZ/Y5M/AEb7yK1h3DH2
    vD+0q3zvAvOSBQzq3yRRlrNK46HIcQQM4RZ8Wz+LrgVuzOA4o0YIOGOD7h3IQIetEcTi5AV2CTSCDERRic50UzN+OQneYJ4Au84c
    Q0RXl/ElnS393rECE3Azr8kgnbCZpT9uGXZ2w65ezRziq4m7XAVae3bTY+j0rNn4pcGais2g6twscfrp5ONaRvvGaGhCdaKrh0HK
    +bLYGAahJTuqGaDubeJzLZYQzHWFNNv0FcXZKqlzUjZ+4ixK4z6RgYg679Eicyvi1A+uO4nAlYVmi175nW36fFm3ZcEg8N+G5KG2
    bBZDWU5GIybx4KEBmk+iiZ7je73HGnzB/luHrT5GJGMEVoHlOy0+KC51Gm4faJkFskZuCs0vU3oCiMyRMbwFA/DUWlKUm+ZJRELT
    ze51YzMfxu+iNAgn2uvj7WM4vwfovEiFefgpH235V1VFynWpnPrGzhE/Eq16NYIlvuUcFgUbVL2SVebnAS0T5W04YUQWCsKHoMS6
    Y1T66MckjdpWj84iyQkrnBniivbtRymaMow62xO0kEViFPGErbD2Qcu08+0MZTkwXOkfqnxQoUDTo+s6gnLzWUjEtLLw3zjaleT2
    I9FizdphMrTihRhb6c4o6rNnUw9Lm7qdTxoKFF5K1AC5Lc2yB548od9AqnbN3Y8wTTAxMA0GCWCGSAFlAwQCAQUABCA9Hean+R1Y
    mHpp95CJRIpSems/f58hk8uKINfggYT+PAQUUt6cVlHocGPftQt+C8vIHr1iBUUCAicQ
    """
)


def export(folder: Path, *options: str, party: Any = LEAF, above: Any = (MIDDLE, ROOT), words: str = PHRASE) -> bytes:
    """Return what openssl pkcs12 -export writes."""
    (folder / "crt").write_bytes(factory.pem_of(party.certificate))
    (folder / "key").write_bytes(keys.key_to_pem(party.key))
    (folder / "above").write_bytes(factory.pem_of(*(one.certificate for one in above)))
    files: list[str | Path] = ["-inkey", folder / "key"] if "-nokeys" not in options else []
    files += ["-certfile", folder / "above"] if above else []
    return factory.openssl(
        "pkcs12", "-export", "-in", folder / "crt", *files, "-passout", f"pass:{words}", "-name", "Payments", *options
    )


def load(data: bytes, phrase: str | None = PHRASE, name: str = "") -> Any:
    return pkcs12.load_pkcs12(data, "tls.x", phrase.encode() if phrase is not None else None, name)


def refusal(*arguments: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load(*arguments)
    error = caught.value
    assert error.field == "tls.x"
    assert error.remedy
    assert error.__context__ is None, "a context could hold a byte of the key"
    assert PHRASE not in str(error)
    return error


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-legacy",),
        ("-legacy", "-certpbe", "PBE-SHA1-3DES"),
        ("-nomac",),
        ("-keypbe", "NONE", "-certpbe", "NONE"),
        ("-macalg", "sha1"),
        ("-CSP", "Microsoft Enhanced RSA and AES Cryptographic Provider"),
    ],
    ids=" ".join,
)
def test_read(tmp_path: Path, options: tuple[str, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificates, key = load(export(tmp_path, *options))
    assert certificates[0] == LEAF.certificate
    assert set(certificates[1:]) == {MIDDLE.certificate, ROOT.certificate}
    assert key is not None
    assert keys.matches(key, LEAF.certificate)


@pytest.mark.parametrize("phrase", [None, ""])
def test_an_empty_passphrase_is_none(tmp_path: Path, phrase: str | None) -> None:
    assert load(export(tmp_path, words=""), phrase)[1] is not None
    assert "is protected by a passphrase" in refusal(export(tmp_path), phrase).message


def test_without_key(tmp_path: Path) -> None:
    certificates, key = load(export(tmp_path, "-nokeys", above=()))
    assert (certificates, key) == ([LEAF.certificate], None)


@pytest.mark.parametrize("name", ["", "payments", "PAYMENTS"])
def test_by_name(tmp_path: Path, name: str) -> None:
    assert load(export(tmp_path), PHRASE, name)[0][0] == LEAF.certificate


def test_several_entries(tmp_path: Path) -> None:
    """The certificates of other entries are left out once it is clear which one is meant."""
    data = export(tmp_path, "-caname", "Ledger", above=(STRANGER, MIDDLE, ROOT))
    error = refusal(data)
    assert "several entries" in error.message
    assert "Payments" in error.found
    assert "friendly_name to Payments" in error.remedy
    certificates, dummy = load(data, PHRASE, "payments")
    assert set(certificates) == {LEAF.certificate, MIDDLE.certificate, ROOT.certificate}


def test_several_keys() -> None:
    """The library reads the first one only. It is taken by its name, and the other one is never taken for it."""
    certificates, key = load(TWO_KEYS, "two-keys", "first")
    assert [one.subject.rfc4514_string() for one in certificates] == ["CN=first"]
    assert key is not None
    assert keys.matches(key, certificates[0])
    assert "several entries" in refusal(TWO_KEYS, "two-keys").message
    error = refusal(TWO_KEYS, "two-keys", "second")
    assert "the key of second cannot be read" in error.message
    assert "the first key is that of first" in error.found
    assert "keytool -importkeystore" in error.remedy
    assert "no entry of the friendly name third" in refusal(TWO_KEYS, "two-keys", "third").message


REFUSED = [
    (export, "wrong", "does not open", "pkcs12_passphrase"),
    (export, None, "is protected by a passphrase", "pkcs12_passphrase"),
    (lambda folder: export(folder)[:-20], PHRASE, "is damaged", "Copy it anew"),
    (lambda _: b" \n", PHRASE, "is empty", "Export it anew"),
    (lambda _: factory.pem_of(LEAF.certificate), PHRASE, "is not PKCS#12", "certificate_path"),
    (lambda _: keys.key_to_pem(LEAF.key), PHRASE, "is not PKCS#12", "key_path"),
    (lambda _: factory.der_of(LEAF.certificate), PHRASE, "is not PKCS#12", "certificate_path"),
    (lambda _: b"\xfe\xed\xfe\xed\0\0\0\2", PHRASE, "is not PKCS#12", "keytool -importkeystore"),
    (lambda _: b"something", PHRASE, "is not PKCS#12", "openssl pkcs12 -export"),
    (lambda folder: export(folder, party=OLD), PHRASE, "of a kind that is not supported", "ECDSA P-256"),
]


@pytest.mark.parametrize(("make", "phrase", "message", "remedy"), REFUSED)
def test_refused(tmp_path: Path, make: Any, phrase: str | None, message: str, remedy: str) -> None:
    error = refusal(make(tmp_path), phrase)
    assert message in error.message
    assert remedy in error.remedy


def test_pkcs7_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crt").write_bytes(factory.pem_of(LEAF.certificate))
    data = factory.openssl("crl2pkcs7", "-nocrl", "-certfile", tmp_path / "crt", "-outform", "DER")
    assert "openssl pkcs7" in refusal(data).remedy


def test_rc2_without_the_legacy_provider(tmp_path: Path) -> None:
    """The library then says the same as for a wrong passphrase; the remedy names both."""
    (tmp_path / "old.p12").write_bytes(export(tmp_path, "-legacy"))
    code = (
        "import sys\n"
        f"from {pkcs12.__name__} import load_pkcs12\n"
        f"from {InputError.__module__} import InputError\n"
        "try:\n    load_pkcs12(open(sys.argv[1], 'rb').read(), 'x', sys.argv[2].encode())\n"
        "except InputError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "old.p12"), PHRASE],
        env={**os.environ, "CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "the OpenSSL of this Python has no RC2" in done.stdout
