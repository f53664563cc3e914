"""Tests that cannot be run with extension modules built for a sanitizer, and why."""

from __future__ import annotations

import os

import pytest

SANITIZER = os.environ.get("FILETREE_SANITIZED")
"""The sanitizer of the modules under test; None when they are as they are shipped."""

NOT_THESE_MODULES = "is about another build, not about these modules"
NO_DESCRIPTOR = "looks at objects through a pipe, and takes them for others when none is to be had"
AFTER_A_FORK = "has an allocator whose lock another thread may have held at the time of the fork"
MEMORY = "keeps what has been freed for a while"

REASONS = {
    "test_checkpoint_resumed.py": {
        "test_putting_a_large_part_together_takes_the_memory_of_some_row_groups": MEMORY,
    },
    "test_cmake_package.py": {
        "test_another_project_finds_links_and_uses_the_installed_core": NOT_THESE_MODULES,
    },
    "test_komparu_descriptors.py": {
        "test_a_hundred_at_once_wait_for_each_other": NO_DESCRIPTOR,
        "test_when_nobody_gives_any_back_it_is_an_error": NO_DESCRIPTOR,
    },
    "test_komparu_lifetime.py": {
        "test_a_child_forked_with_work_under_way_ends_at_once": AFTER_A_FORK,
    },
    "test_komparu_trees_hostile.py": {
        "test_slow_storage_needs_few_descriptors": NO_DESCRIPTOR,
    },
    "test_spill.py": {
        "test_the_scan_ends_while_nobody_reads_and_then_every_row_comes": MEMORY,
    },
    "test_walk_lifetime.py": {
        "test_nothing_leaks": MEMORY,
    },
    "test_walk_processes.py": {
        "test_both_processes_go_on_after_a_fork": AFTER_A_FORK,
        "test_multiprocessing_and_grandchildren": AFTER_A_FORK,
    },
    "test_wheel.py": {
        "test_the_source_archive_has_what_is_under_version_control": NOT_THESE_MODULES,
        "test_the_wheel_needs_no_library_but_those_of_every_linux": NOT_THESE_MODULES,
        "test_its_packages_are_whole_and_load_only_what_they_use": NOT_THESE_MODULES,
        "test_its_commands_report_and_compare": NOT_THESE_MODULES,
        "test_it_compares_over_tls_whatever_the_host_tells_its_own_openssl": NOT_THESE_MODULES,
    },
}


def skip_what_cannot_be(items: list[pytest.Item]) -> None:
    """Skip, of the tests collected, those of :data:`REASONS`."""
    if SANITIZER is None:
        return
    for item in items:
        name = getattr(item, "originalname", item.name)
        reason = REASONS.get(item.path.name, {}).get(name)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=f"{SANITIZER} sanitizer: {reason}"))
