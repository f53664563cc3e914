#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "support/limits.hpp"

namespace filetree::testing {

// A number that threads change and others wait for.
class Awaited {
   public:
    void add(int n = 1) {
        const std::lock_guard lock(mutex_);
        value_ += n;
        changed_.notify_all();
    }
    // False: it took too long.
    [[nodiscard]] bool reaches(int value) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return value_ >= value; });
    }
    [[nodiscard]] int value() {
        const std::lock_guard lock(mutex_);
        return value_;
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int value_ = 0;
};

// Signals `gone` when the last copy is gone; held by a policy, it tells when no thread of a walk
// can call it any more.
inline std::shared_ptr<void> signals_when_gone(const std::shared_ptr<Awaited>& gone) {
    return {nullptr, [gone](void*) { gone->add(); }};
}

}  // namespace filetree::testing
