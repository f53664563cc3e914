#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace filetree::compare {

// Which of several parts of a job have something to do. Each is done by one thread at a time: what
// wakes it meanwhile has it done once more.
//
// Threads: with the job's lock held.
class ReadyParts {
   public:
    explicit ReadyParts(std::size_t count) : states_(count, State::idle) {}

    [[nodiscard]] bool empty() const noexcept { return ready_.empty(); }
    void wake(std::size_t part) {
        if (states_[part] == State::idle) {
            states_[part] = State::ready;
            ready_.push_back(part);
        } else if (states_[part] == State::busy) {
            states_[part] = State::woken;
        }
    }
    // There must be one. It is the caller's until leave() or finish().
    [[nodiscard]] std::size_t take() {
        const std::size_t part = ready_.back();
        ready_.pop_back();
        states_[part] = State::busy;
        return part;
    }
    // Without waiting to be woken: the part is the caller's.
    void begin(std::size_t part) { states_[part] = State::busy; }
    // It is done for good: what still wakes it is of no interest.
    void finish(std::size_t part) { states_[part] = State::finished; }
    void leave(std::size_t part, bool more) {
        const bool again = std::exchange(states_[part], State::idle) == State::woken || more;
        if (again) wake(part);
    }

   private:
    enum class State : std::uint8_t { idle, ready, busy, woken, finished };

    std::vector<State> states_;
    std::vector<std::size_t> ready_;
};

}  // namespace filetree::compare
