"""`make test`'s two processes: what shares a server must be in one of them."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="the tests run in one process")
def test_the_tests_are_in_groups(request: pytest.FixtureRequest) -> None:
    """pytest-xdist drops the groups without a word where its hook runs before ours, or where pytest is too new."""
    assert request.node.nodeid.endswith("@tests/test_groups.py")
