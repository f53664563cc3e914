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
    // After an open has failed. False when it failed for another reason, or nobody has opened
    // anything for ten seconds; else true, after a short wait.
    [[nodiscard]] bool is_worth_another_try(int error);
    // After one that has not, of whatever comparison.
    static void opened() noexcept;

   private:
    std::mutex mutex_;
    std::uint64_t seen_ = 0;  // opens of the process, at `since_`
    std::chrono::steady_clock::time_point since_;
};

}  // namespace filetree::compare
