#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>

namespace filetree::walk {

// What one thread has cost so far, read from others. attach() on the thread itself; the rest from
// any thread, also after it has ended (0 then).
class ThreadClock {
   public:
    void attach() noexcept;

    // Time on a core.
    [[nodiscard]] std::chrono::nanoseconds cpu_time() const noexcept;
    // Time it waited for a core while it could have run: other processes had them all. 0 where the
    // kernel does not tell (Linux: /proc/PID/task/TID/schedstat).
    [[nodiscard]] std::chrono::nanoseconds wait_time() const;

   private:
    std::atomic<bool> attached_{false};
    clockid_t clock_{};
    pid_t thread_ = 0;
};

}  // namespace filetree::walk
