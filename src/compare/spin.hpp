#pragma once

#include <chrono>
#include <thread>

#include "filetree/walk.hpp"

namespace filetree {

// Looks for something for a moment before its caller goes to sleep: what comes within microseconds,
// as the end of a comparison of small files does, costs less so than being woken. Not where there
// is no other core that it could come from.
template <class Condition>
bool comes_at_once(const Condition& condition) {
    using std::chrono::steady_clock;
    constexpr std::chrono::microseconds moment{50};
    static const bool alone = available_cores() < 2;
    if (alone) return false;
    const auto end = steady_clock::now() + moment;
    do {
        if (condition()) return true;
        std::this_thread::yield();
    } while (steady_clock::now() < end);
    return false;
}

}  // namespace filetree
