"""Properties of decisions: for any grants, resources and purposes."""

from hypothesis import given
from hypothesis import strategies as st

from tokenkit.access.actions import ACTIONS, matching_actions
from tokenkit.access.decisions import Rights
from tokenkit.access.grants import Grant
from tokenkit.access.resources import Resource, ResourcePattern

WIDTH = {"deny": 0, "masked": 1, "allow": 2}
NAMES = st.sampled_from(["a", "ab", "abc", "b", "ba"])
NAME_PATTERNS = st.sampled_from(["*", "a", "a*", "*b", "ab", "*a*", "b*"])
PURPOSES = st.none() | st.sets(st.sampled_from(["audit", "refund"]))
STATED = st.none() | st.sampled_from(["audit", "refund", "other"])


@st.composite
def patterns(draw):
    kind = draw(st.sampled_from(["*", "policy", "column", "key", "domain"]))
    if kind == "*":
        return "*"
    if kind == "column":
        return f"column:{draw(NAME_PATTERNS)}/{draw(NAME_PATTERNS)}"
    return f"{kind}:{draw(NAME_PATTERNS)}"


@st.composite
def grants(draw, effects=("allow", "masked", "deny")):
    effect = draw(st.sampled_from(effects))
    action = (
        "detokenize" if effect == "masked" else draw(st.sampled_from([*ACTIONS, "*", "keys.*"]))
    )
    purposes = None if effect == "deny" else draw(PURPOSES)
    return Grant.build(effect, action, draw(patterns()), purposes=purposes)


RESOURCES = st.builds(
    Resource,
    policy=st.none() | NAMES,
    column=st.none() | NAMES,
    key=st.none() | NAMES,
    domain=st.none() | NAMES,
)
ACTION = st.sampled_from(ACTIONS)
LISTS = st.lists(grants(), max_size=6)


def width(held, action, resource, purpose):
    return WIDTH[Rights(held).decide(action, resource, purpose).outcome]


@given(LISTS, grants(effects=("deny",)), ACTION, RESOURCES, STATED)
def test_a_denial_never_widens(held, denial, action, resource, purpose):
    """Whatever is there, one more denial gives nobody more."""
    assert width([*held, denial], action, resource, purpose) <= width(
        held, action, resource, purpose
    )


@given(LISTS, grants(effects=("allow", "masked")), ACTION, RESOURCES, STATED)
def test_a_permission_never_narrows(held, permission, action, resource, purpose):
    """One more permission takes nothing away."""
    assert width([*held, permission], action, resource, purpose) >= width(
        held, action, resource, purpose
    )


@given(LISTS, ACTION, RESOURCES, STATED, st.randoms())
def test_order_does_not_matter(held, action, resource, purpose, random):
    """The answer is that of the set of grants, and so is that of a remembering one."""
    shuffled = random.sample(held, len(held))
    rights = Rights(held)
    first = rights.decide(action, resource, purpose)
    assert first == Rights(shuffled).decide(action, resource, purpose)
    assert first == rights.decide(action, resource, purpose)


@given(LISTS, ACTION, RESOURCES, STATED)
def test_decisions_agree_with_reading_every_grant(held, action, resource, purpose):
    """The compiled rules say what the sentences of the documentation say."""
    matching = [
        grant
        for grant in held
        if action in matching_actions(grant.action, denied=grant.effect == "deny")
        and grant.resource.matches(resource)
    ]

    def holds(effect):
        return any(
            grant.effect == effect
            and (
                grant.purposes is None
                or (purpose is not None and (not grant.purposes or purpose in grant.purposes))
            )
            for grant in matching
        )

    denied = any(grant.effect == "deny" for grant in matching)
    expected = (
        "deny" if denied else "allow" if holds("allow") else "masked" if holds("masked") else "deny"
    )
    decision = Rights(held).decide(action, resource, purpose)
    assert decision.outcome == expected
    assert (decision.reason == "denied") is denied


@given(ACTION, RESOURCES, STATED)
def test_nothing_is_allowed_without_a_grant(action, resource, purpose):
    """Deny is the default."""
    assert Rights([]).decide(action, resource, purpose).reason == "not_granted"


@given(NAME_PATTERNS, NAMES)
def test_a_wildcard_covers_what_its_parts_cover(pattern, name):
    """A pattern's match is that of its pieces in order, with anything between them."""
    *heads, tail = pattern.split("*")
    covers = ResourcePattern.parse(f"key:{pattern}").matches(Resource(key=name))
    if not heads:
        assert covers is (name == tail)
    else:
        rest, fits = name, name.startswith(heads[0])
        for piece in heads:
            at = rest.find(piece)
            fits = fits and at >= 0
            rest = rest[at + len(piece) :] if at >= 0 else ""
        assert covers is (fits and rest.endswith(tail))


@given(patterns(), RESOURCES)
def test_wider_patterns_match_what_narrower_ones_do(pattern, resource):
    """What a pattern matches, everything of its kind and `*` match too."""
    parsed = ResourcePattern.parse(pattern)
    if parsed.matches(resource):
        assert ResourcePattern.parse("*").matches(resource)
        if parsed.kind not in {"*", "column"}:
            assert ResourcePattern.parse(f"{parsed.kind}:*").matches(resource)
        if parsed.kind == "column":
            assert ResourcePattern.parse("column:*/*").matches(resource)
