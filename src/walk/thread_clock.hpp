#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace filetree::walk {

// What one thread has cost so far, read from others. attach() on the thread itself; the rest from
// any thread, also after it has ended (0 then).
class ThreadClock {
   public:
    ThreadClock() = default;
    ThreadClock(const ThreadClock&) = delete;
    ThreadClock& operator=(const ThreadClock&) = delete;
    ~ThreadClock() { detach(); }

    void attach() noexcept;

    // Time on a core.
    [[nodiscard]] std::chrono::nanoseconds cpu_time() const noexcept;
    // Time it waited for a core while it could have run: other processes had them all. 0 where the
    // kernel does not tell (Linux: /proc/PID/task/TID/schedstat).
    [[nodiscard]] std::chrono::nanoseconds wait_time() const;
    // Whether it is on a core or waiting for one now; false where the system does not tell (Linux:
    // /proc/PID/task/TID/stat).
    [[nodiscard]] bool runnable() const;

   private:
    // Gives back what attach() has taken of the system.
    void detach() noexcept;

    std::atomic<bool> attached_{false};
    std::int64_t clock_ = 0;             // as the system names it
    [[maybe_unused]] pid_t thread_ = 0;  // for wait_time()
};

}  // namespace filetree::walk
