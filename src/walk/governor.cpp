#include "governor.hpp"

#include <algorithm>
#include <utility>

namespace filetree::walk {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds shortest_window{5};
constexpr milliseconds longest_window{250};
constexpr milliseconds steady_window{25};
constexpr milliseconds first_hold{100};
constexpr milliseconds longest_hold{3200};

constexpr double busy = 0.85;       // of the budget: more threads could not run
constexpr double saturated = 0.95;  // of the budget: fewer threads would do
constexpr double nearly_idle = 0.25;
constexpr double worthwhile = 1.10;  // the gain in rate that justifies a growth
constexpr double harmful = 0.92;     // the loss in rate that undoes a retreat

double seconds(Governor::Nanoseconds t) { return std::chrono::duration<double>(t).count(); }

}  // namespace

Governor::Governor(unsigned cores, unsigned ceiling)
    : cores_(std::max(1U, std::min(cores, ceiling))),
      ceiling_(std::max(1U, ceiling)),
      limit_(cores_),
      hold_for_(first_hold),
      next_sample_after_(shortest_window) {}

bool Governor::long_enough(const Sample& now) const noexcept {
    const Nanoseconds span = now.wall - last_.wall;
    // A rate from a handful of calls is noise: wait for a few from every thread.
    return span >= longest_window ||
           (span >= shortest_window && now.calls - last_.calls >= std::uint64_t{4} * limit_);
}

unsigned Governor::update(const Sample& now) {
    if (now.starved || now.backpressure) {  // the window says nothing about threads
        last_ = now;
        trial_ = Trial::none;
        return limit_;
    }
    if (!long_enough(now)) return limit_;
    const double span = seconds(now.wall - last_.wall);
    const Window window{seconds(now.cpu - last_.cpu) / span,
                        static_cast<double>(now.calls - last_.calls) / span};
    last_ = now;

    judge(window);
    decide(window, now.wall);
    next_sample_after_ = trial_ != Trial::none ? shortest_window : steady_window;
    return limit_;
}

void Governor::decide(const Window& window, Nanoseconds now) {
    if (now < hold_until_) return;
    if (window.busy_cores < busy * cores_) {
        grow(window);
    } else if (window.busy_cores >= saturated * cores_) {
        retreat(window);
    }
}

void Governor::judge(const Window& window) {
    const Trial trial = std::exchange(trial_, Trial::none);
    const bool failed = (trial == Trial::growth && window.rate < worthwhile * rate_before_) ||
                        (trial == Trial::retreat && window.rate < harmful * rate_before_);
    if (failed) {
        limit_ = limit_before_;
        hold_until_ = last_.wall + hold_for_;
        hold_for_ = std::min<Nanoseconds>(2 * hold_for_, longest_hold);
    } else if (trial == Trial::growth) {
        hold_for_ = first_hold;
    }
}

void Governor::grow(const Window& window) {
    if (limit_ >= ceiling_) return;
    const unsigned factor = window.busy_cores < nearly_idle * cores_ ? 4 : 2;
    trial_ = Trial::growth;
    limit_before_ = limit_;
    rate_before_ = window.rate;
    limit_ = std::min(ceiling_, limit_ * factor);
}

void Governor::retreat(const Window& window) {
    if (limit_ <= cores_) return;
    trial_ = Trial::retreat;
    limit_before_ = limit_;
    rate_before_ = window.rate;
    limit_ = std::max(cores_, limit_ - std::max(1U, limit_ / 4));
}

}  // namespace filetree::walk
