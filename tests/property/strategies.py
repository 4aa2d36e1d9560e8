"""Stories by kind: each is a list of actions, so that hypothesis can leave out what does not matter."""

from __future__ import annotations

from hypothesis import strategies as st

from property import actions as a
from support.faults import Fault

VERSIONS = st.sampled_from(a.VERSIONS)
WAIT = st.sampled_from((1, 2, 5, 8, 13)).map(a.Wait)
WANT = st.one_of(VERSIONS, VERSIONS, VERSIONS, st.just(a.UNKNOWN)).map(a.Want)
EDIT = st.one_of(
    st.builds(a.Edit, st.just("image"), st.sampled_from(("server:1", "server:2"))),
    st.builds(a.Edit, st.just("steps"), st.integers(0, len(a.WEIGHTS) - 1)),
    st.builds(a.Edit, st.just("hold"), st.sampled_from((4, 6, 9))),
    st.builds(a.Edit, st.just("limit"), st.sampled_from((0.05, 0.2))),
    st.builds(a.Edit, st.just("replicas"), st.sampled_from((1, 2, 4, 10))),
    st.builds(a.Edit, st.just("paused"), st.booleans()),
    st.builds(a.Edit, st.just("on_revert"), st.sampled_from(("Direct", "Canary"))),
    st.builds(a.Edit, st.just("invalid"), st.booleans()),
    st.builds(a.Edit, st.just("policy"), st.sampled_from(("Delete", "Orphan"))),
)

ASK = st.builds(
    a.Ask,
    st.sampled_from(a.REQUESTS),
    override=st.booleans(),
    reason=st.sampled_from(("", "prices are wrong")),
    to=st.sampled_from(("", "", *a.VERSIONS)),
)
METRICS = st.one_of(
    st.builds(
        a.Metrics,
        VERSIONS,
        st.sampled_from(("error-rate", "latency")),
        st.sampled_from((0.0, 0.03, 0.3, 1.0)),
    ),
    st.builds(
        a.Provider, st.sampled_from(("fine", "fine", "no data", "error")), st.sampled_from((50, 50, 0, 5))
    ),
)
PODS = st.builds(a.Pods, VERSIONS, st.booleans())
USERS_HANDS = st.one_of(
    st.just(a.Strip()), st.just(a.LoseStatus()), st.builds(a.BreakRoute, delete=st.booleans())
)
TARGETS = ("any", "any", "status", "spec", "route", "apex", "deployment")
FAIL = st.builds(
    a.Fail,
    st.sampled_from(list(Fault)),
    st.sampled_from(TARGETS),
    skip=st.integers(0, 3),
    times=st.integers(1, 3),
)
CRASH = st.builds(
    a.Fail,
    st.sampled_from((Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOSE_ANSWER)),
    st.sampled_from(TARGETS),
    skip=st.integers(0, 2),
)
KILL = st.builds(a.Kill, stand_by=st.booleans())
OUTAGE = st.builds(a.Outage, st.sampled_from((1, 3, 8)), edited=st.booleans())
LAGS = st.sampled_from(((), (), ("all",), *((name,) for name in a.KINDS)))
LAG = st.builds(a.Lag, LAGS)
# An old word of the ModelDeployment beside a new route is what a second leader can do most harm with.
STALE = LAGS | st.sampled_from((("object",), ("object", "route"), ("object", "deployments")))
RIVAL = st.one_of(
    st.builds(a.Lag, STALE, stand_by=st.sampled_from((True,))),
    st.lists(st.integers(0, 1), max_size=12).map(tuple).map(a.Both),
)


def _story(*kinds: st.SearchStrategy[a.Action]) -> st.SearchStrategy[list[a.Action]]:
    """A rollout, and five chapters, so that most stories are long; each shrinks to nothing by itself."""
    begin = st.lists(st.sampled_from(a.VERSIONS[1:]).map(a.Want), max_size=1)
    among = (WAIT, WAIT, WAIT, *kinds)
    # `one_of` would open up the kinds and give most turns to those with most variants.
    chapter = st.lists(st.integers(0, len(among) - 1).flatmap(lambda kind: among[kind]), max_size=10)
    parts = st.tuples(begin, chapter, chapter, begin, chapter, chapter)
    return parts.map(lambda found: [action for part in found for action in part])


PEOPLE = _story(WANT, EDIT, ASK, METRICS, METRICS, PODS)
FAULTS = _story(WANT, FAIL, CRASH, KILL, OUTAGE, METRICS, ASK)
HANDS = _story(USERS_HANDS, OUTAGE, LAG, METRICS, ASK, EDIT)
LEADERS = _story(RIVAL, RIVAL, METRICS, ASK, KILL, WANT)
ANYTHING = _story(EDIT, ASK, METRICS, PODS, USERS_HANDS, FAIL, CRASH, KILL, OUTAGE, LAG, RIVAL, WANT)
