#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace filetree::compare {

// What one comparison does when the process has no descriptor left for it: it tries again later, as
// others give theirs back. Each comparison should hold as few as it can meanwhile.
//
// Threads: any.
class Shortage {
   public:
    // After an open has failed. False when it failed for another reason, or no comparison has got
    // on for ten seconds; else true, after a short wait.
    [[nodiscard]] bool is_worth_another_try(int error);
    // Whatever comparison has got on: it has read something, or been to another directory.
    static void progressed() noexcept;

   private:
    std::mutex mutex_;
    std::uint64_t seen_ = 0;  // steps of all comparisons, at `since_`
    std::chrono::steady_clock::time_point since_;
};

}  // namespace filetree::compare
