"""What the core has found, as the types of the package."""

from __future__ import annotations

import os

from komparu import _core
from komparu._types import DiffReason, DirResult


def are_equal(differences: _core.Differences) -> bool:
    """Return whether nothing was found to differ, and everything could be read."""
    diff, only_left, only_right, errors, _ = differences
    return not (diff or only_left or only_right or errors)


def dir_result(differences: _core.Differences) -> DirResult:
    """Convert what a comparison of trees or archives has found."""
    diff, only_left, only_right, errors, skipped = differences
    return DirResult(
        equal=are_equal(differences),
        diff={os.fsdecode(name): DiffReason(reason) for name, reason in diff},
        only_left=set(map(os.fsdecode, only_left)),
        only_right=set(map(os.fsdecode, only_right)),
        errors={os.fsdecode(name) for name, _ in errors},
        skipped=set(map(os.fsdecode, skipped)),
    )
