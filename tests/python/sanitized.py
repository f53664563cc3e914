"""Tests that cannot be run with extension modules built for a sanitizer, and why."""

from __future__ import annotations

import os

import pytest

SANITIZER = os.environ.get("FILETREE_SANITIZED")
"""The sanitizer of the modules under test; None when they are as they are shipped."""

CMAKE_PACKAGE = "test_cmake_package.py::"
REASONS = {
    CMAKE_PACKAGE + "test_another_project_finds_links_and_uses_the_installed_core": (
        "is about build/dev, not about these modules"
    ),
}


def skip_what_cannot_be(items: list[pytest.Item]) -> None:
    """Skip, of the tests collected, those of :data:`REASONS`."""
    if SANITIZER is None:
        return
    for item in items:
        name = f"{item.path.name}::{getattr(item, 'originalname', item.name)}"
        if name in REASONS:
            item.add_marker(pytest.mark.skip(reason=f"{SANITIZER} sanitizer: {REASONS[name]}"))
