#include "shortage.hpp"

#include <atomic>
#include <thread>

#include "filetree/error.hpp"

namespace filetree::compare {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds pause{2};
constexpr std::chrono::seconds patience{10};

std::atomic<std::uint64_t> steps{1};

}  // namespace

void Shortage::progressed() noexcept { steps.fetch_add(1, std::memory_order_relaxed); }

bool Shortage::is_worth_another_try(int error) {
    if (!is_out_of_descriptors(error)) return false;
    {
        const std::lock_guard lock(mutex_);
        const std::uint64_t now = steps.load(std::memory_order_relaxed);
        if (now != seen_) {
            seen_ = now;
            since_ = steady_clock::now();
        } else if (steady_clock::now() - since_ > patience) {
            return false;
        }
    }
    std::this_thread::sleep_for(pause);
    return true;
}

}  // namespace filetree::compare
