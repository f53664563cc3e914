#pragma once

#include <atomic>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

#include "filetree/checkpoint.hpp"
#include "spill.hpp"

namespace filetree {

// What sinks note beside their rows. Outlives the report as long as a hung worker needs it.
struct Report::Shared {
    explicit Shared(const std::string& spill_directory = {})
        : spill(spill_directory.empty() ? nullptr
                                        : std::make_shared<report::Spill>(spill_directory)) {}

    const std::shared_ptr<report::Spill> spill;  // null: what finds no room waits
    std::shared_ptr<ConsumerGauge> gauge = std::make_shared<ConsumerGauge>();
    std::atomic<std::uint64_t> clamped_times{0};
    // More than this many are in nobody's interest; the count goes on.
    static constexpr std::size_t most_bad_paths = 100'000;

    void note_bad_path(std::string path) {
        const std::lock_guard lock(mutex);
        ++bad_paths_seen;
        if (bad_paths.size() < most_bad_paths) bad_paths.push_back(std::move(path));
    }

    // An entry that could be looked at, but not be written.
    void note_error(EntryError error) {
        const std::lock_guard lock(mutex);
        errors.push_back(std::move(error));
    }

    // The errors after those that `since` counts, and the counts by now.
    Mark mark(Rest rest, const ErrorCounts& since) {
        const std::lock_guard lock(mutex);
        Mark mark;
        mark.frontier = std::move(rest.frontier);
        mark.progress = std::move(rest.progress);
        if (spill) mark.progress.spilled = spill->written();
        mark.errors.assign(rest.errors.begin() + since.of_walk, rest.errors.end());
        mark.errors.insert(mark.errors.end(), errors.begin() + since.of_rows, errors.end());
        mark.errors_so_far = {std::ssize(rest.errors), std::ssize(errors)};
        mark.clamped_times = clamped_times.load(std::memory_order_relaxed);
        mark.records = records.load(std::memory_order_relaxed);
        return mark;
    }

    // PWAL: records handed to the queue.
    std::atomic<std::uint64_t> records{0};

    std::mutex mutex;
    std::vector<EntryError> errors;
    std::vector<std::string> bad_paths;
    std::uint64_t bad_paths_seen = 0;
};

}  // namespace filetree
