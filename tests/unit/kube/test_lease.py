"""What is written into a Lease, and how its time is counted."""

from __future__ import annotations

from datetime import UTC, datetime

from modelramp.kube.lease import claimed, released, saw

NOW = datetime(2026, 11, 21, 8, 0, 5, 123456, tzinfo=UTC)


def test_taking_over_counts_and_renewing_does_not() -> None:
    """Transitions are changes of the holder; a new Lease has none, a renewal keeps acquireTime."""
    first = claimed(None, identity="a", lease=15, now=NOW.replace(second=0))
    assert (first["leaseTransitions"], first["acquireTime"]) == (0, "2026-11-21T08:00:00.123456Z")
    again = claimed(first, identity="a", lease=15, now=NOW)
    assert (again["leaseTransitions"], again["acquireTime"]) == (0, first["acquireTime"])
    assert again["renewTime"] == "2026-11-21T08:00:05.123456Z"
    other = claimed(released(again, now=NOW), identity="b", lease=15, now=NOW)
    assert (other["leaseTransitions"], other["acquireTime"]) == (1, other["renewTime"])


def test_parts_of_a_second_are_rounded_up() -> None:
    """The API has whole seconds: others must not wait less than the holder counts on."""
    assert claimed(None, identity="a", lease=1.2, now=NOW)["leaseDurationSeconds"] == 2


def test_fields_of_others_are_kept() -> None:
    """What a later Kubernetes or another tool put into the spec is still there after a renewal."""
    assert claimed({"strategy": "OldestEmulationVersion"}, identity="a", lease=15, now=NOW)["strategy"]


def test_time_runs_from_the_first_look_at_a_state() -> None:
    """Seen again unchanged it is not prolonged; its own renewTime, of another's clock, does not count."""
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "1999-01-01T00:00:00Z"}
    seen = saw(None, spec, at=100, lease=99)
    assert (seen.until, saw(seen, dict(spec), at=110, lease=99)) == (115, seen)
    assert saw(seen, {**spec, "renewTime": "1999-01-01T00:00:01Z"}, at=110, lease=99).until == 125


def test_a_lease_that_names_no_duration_lasts_as_long_as_ours() -> None:
    """As `kubectl` may make it: neither for ever nor free at once."""
    assert saw(None, {"holderIdentity": "a"}, at=100, lease=15).until == 115
