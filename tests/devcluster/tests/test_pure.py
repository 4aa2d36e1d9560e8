"""The small pure parts: layers, names, addresses, cache keys, times, certificates, logs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from devcluster import builds
from devcluster.agent.addresses import Pool
from devcluster.agent.logs import tail_offset
from devcluster.certificates import Authority
from devcluster.failure import DevclusterError
from devcluster.instance import Instance, with_implied
from devcluster.processes import parse_stat
from devcluster.progress import elapsed

if TYPE_CHECKING:
    from pathlib import Path


def test_layers_bring_what_they_stand_on() -> None:
    """Each layer implies its foundations, in starting order."""
    assert with_implied(("mesh",)) == ("api", "kube", "mesh")
    assert with_implied(("metrics", "api")) == ("api", "kube", "metrics")
    with pytest.raises(DevclusterError, match="unknown layer 'mash'; the layers are api, kube"):
        with_implied(("mash",))


@pytest.mark.parametrize("name", ["", "-a", "a_b", "Up", "a" * 31, "a/../b"])
def test_unusable_instance_names_are_refused(name: str) -> None:
    """A name that cannot be part of a namespace's name and a path is refused at once."""
    with pytest.raises(DevclusterError, match="is not usable"):
        Instance(name)


def test_freed_addresses_are_used_last() -> None:
    """An address that was just freed comes back only when the fresh ones are used up."""
    pool = Pool("10.0.0.0/29")
    first = pool.take()
    pool.give_back(first)
    rest = [pool.take() for _ in range(5)]
    assert first not in rest
    assert pool.take() == first
    with pytest.raises(RuntimeError, match="in use"):
        pool.take()


def test_wanted_address_is_given_once() -> None:
    """The second pod that wants the same address gets another one."""
    pool = Pool("10.0.0.0/29")
    assert pool.take("10.9.9.9") == "10.9.9.9"
    assert pool.take("10.9.9.9") == "10.0.0.1"
    pool.give_back("10.9.9.9")
    assert pool.take("10.9.9.9") == "10.9.9.9"


def test_cache_key_changes_with_the_flags_alone() -> None:
    """Another stamp means another build; the same pins and flags mean the same one."""
    family = builds.FAMILIES["kube"]
    assert family.key() == replace(family).key()
    assert family.key() != replace(family, stamp="-X a=b").key()


def test_build_without_go_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing Go is named with where to get it, before anything else is tried."""
    monkeypatch.setenv("MODELRAMP_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(DevclusterError, match=r"Go is needed .* https://go\.dev/dl/"):
        builds.build(("api",), quiet=True)


def test_elapsed_reads_well() -> None:
    """Tenths below ten seconds, minutes above sixty."""
    assert [elapsed(s) for s in (0.44, 12.2, 72, 59.7)] == ["0.4s", "12s", "1m12s", "1m00s"]


def test_process_names_may_hold_parentheses() -> None:
    """The start time is found even behind a name made to confuse."""
    fields = ["S", *[str(n) for n in range(4, 53)]]
    assert parse_stat(f"7 (a) b (c)) {' '.join(fields)}") == ("S", 22)


def test_serving_certificate_holds_names_and_addresses() -> None:
    """Clients can verify the server by address as well as by name."""
    pair = Authority.create().serving("server", ["127.0.0.1", "kubernetes.default.svc"])
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["kubernetes.default.svc"]


def test_log_tail(tmp_path: Path) -> None:
    """The last lines are found with and without an end of line at the end."""
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    assert path.read_bytes()[tail_offset(path, 2) :] == b"two\nthree\n"
    assert tail_offset(path, 9) == 0
    path.write_bytes(b"one\ntwo")
    assert path.read_bytes()[tail_offset(path, 1) :] == b"two"


def test_one_command_at_a_time(run_base: Path) -> None:
    """While a command holds the instance a second one is refused, and nothing stays behind."""
    instance = Instance("a")
    with instance.locked(), pytest.raises(DevclusterError, match="another command works on instance a"):
        Instance("a").locked().__enter__()
    assert not run_base.exists()


def test_broken_record_is_named(run_base: Path) -> None:
    """An unreadable record is an error that names the file, not a traceback."""
    instance = Instance("a")
    instance.create()
    (run_base / "a" / "state.json").write_text("{")
    with pytest.raises(DevclusterError, match=r"state\.json cannot be read"):
        instance.load()
