// What the thread sanitizer takes for races, and is none.

extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)

const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
    // glibc guards the time zone by a lock of its own, which the sanitizer does not see;
    // libarchive's readers of zip ask for it.
    return "race:tzset_internal\n";
}
