#pragma once

#include <pthread.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <utility>

#include "filetree/walk.hpp"

namespace filetree::report {

// Measures the CPU time that a consumer spends between taking one piece and coming back for the
// next, and adds it to a gauge. Used by one thread at a time; a consumer that changes threads
// loses one measurement.
class ConsumerClock {
   public:
    explicit ConsumerClock(std::shared_ptr<ConsumerGauge> gauge) : gauge_(std::move(gauge)) {}

    void consumer_left() noexcept {
        thread_ = ::pthread_self();
        left_at_ = now();
    }
    void consumer_returned() noexcept {
        if (left_at_ == 0 || ::pthread_equal(thread_, ::pthread_self()) == 0) return;
        gauge_->cpu_nanoseconds.fetch_add(now() - left_at_, std::memory_order_relaxed);
    }

   private:
    static std::uint64_t now() noexcept {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
               static_cast<std::uint64_t>(time.tv_nsec);
    }

    std::shared_ptr<ConsumerGauge> gauge_;
    pthread_t thread_{};
    std::uint64_t left_at_ = 0;
};

}  // namespace filetree::report
