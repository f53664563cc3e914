#pragma once

#include <chrono>
#include <cstdint>

namespace filetree::walk {

// Finds how many threads a file system rewards, by trying.
//
// A thread blocked in the kernel uses no core, so while the cores within the budget are not busy
// and work is waiting, the governor adds threads, and keeps them if the rate of completed calls
// rises. Where it does not, it goes back and waits longer before it tries again. Where the cores
// are busy, surplus threads only cost switches, and it retreats towards the core count.
//
// A pure state machine: it is given samples and answers with a limit, so that tests can drive it
// with any clock and any machine. Used by one thread.
class Governor {
   public:
    using Nanoseconds = std::chrono::nanoseconds;

    // One moment of a running walk; all figures but the flags only ever grow.
    struct Sample {
        Nanoseconds wall{0};
        // Time on a core, or waiting for one that others occupy, of the workers and of whoever
        // consumes what they make.
        Nanoseconds cpu{0};
        std::uint64_t calls = 0;    // completed
        bool starved = false;       // no work was waiting
        bool backpressure = false;  // the consumer was the limit
    };

    Governor(unsigned cores, unsigned ceiling);

    // The number of threads to use from now on.
    unsigned update(const Sample& now);
    [[nodiscard]] unsigned limit() const noexcept { return limit_; }
    // When the next sample is wanted.
    [[nodiscard]] Nanoseconds next_sample_after() const noexcept { return next_sample_after_; }

   private:
    struct Window {
        double busy_cores = 0;
        double rate = 0;
    };

    [[nodiscard]] bool long_enough(const Sample& now) const noexcept;
    void judge(const Window& window);
    void decide(const Window& window, Nanoseconds now);
    void grow(const Window& window);
    void retreat(const Window& window);

    const unsigned cores_;
    const unsigned ceiling_;
    unsigned limit_;
    Sample last_;

    // The change under trial: what there was before it.
    enum class Trial { none, growth, retreat } trial_ = Trial::none;
    unsigned limit_before_ = 0;
    double rate_before_ = 0;

    Nanoseconds hold_until_{0};
    Nanoseconds hold_for_;
    Nanoseconds next_sample_after_;
};

}  // namespace filetree::walk
