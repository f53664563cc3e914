#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "filetree/report.hpp"
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

    // The errors of the walk and those noted here, in an order to which later calls only append.
    std::vector<EntryError> all_errors(const std::vector<EntryError>& of_walk) {
        const std::lock_guard lock(mutex);
        // Somebody else may have brought a later copy before.
        if (of_walk.size() > from_walk) {
            all.insert(all.end(), of_walk.begin() + static_cast<std::ptrdiff_t>(from_walk),
                       of_walk.end());
            from_walk = of_walk.size();
        }
        all.insert(all.end(), errors.begin() + static_cast<std::ptrdiff_t>(from_here),
                   errors.end());
        from_here = errors.size();
        return all;
    }

    // PWAL: records handed to the queue.
    std::atomic<std::uint64_t> records{0};

    std::mutex mutex;
    std::vector<EntryError> errors;
    std::vector<EntryError> all;
    std::size_t from_walk = 0;  // how many are in `all`
    std::size_t from_here = 0;
    std::vector<std::string> bad_paths;
    std::uint64_t bad_paths_seen = 0;
};

}  // namespace filetree
