#pragma once

#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <vector>

#include "handle_cache.hpp"
#include "selection.hpp"
#include "work_stack.hpp"

namespace filetree::walk {

using Clock = std::chrono::steady_clock;

// Devices on which calls hang and none returns. Once several have hung in a row, directories there
// are not tried any more: each try would cost a thread for stall_timeout. Any call that returns
// clears the device, so that a few bad directories never cost the good ones.
class StalledDevices {
   public:
    void add(std::uint64_t device);
    void clear(std::uint64_t device);
    [[nodiscard]] bool given_up(std::uint64_t device) const;
    [[nodiscard]] bool any() const noexcept { return any_.load(std::memory_order_relaxed); }

   private:
    std::atomic<bool> any_{false};
    mutable std::mutex mutex_;
    std::map<std::uint64_t, unsigned> stalls_;
};

// Failures met so far. Rare, so one lock is enough.
class ErrorList {
   public:
    void add(EntryError error);
    [[nodiscard]] std::vector<EntryError> copy() const;
    [[nodiscard]] std::uint64_t count() const noexcept {
        return count_.load(std::memory_order_relaxed);
    }

   private:
    std::atomic<std::uint64_t> count_{0};
    mutable std::mutex mutex_;
    std::vector<EntryError> errors_;
};

// What all workers of one walk share. Outlives the walk as long as a hung worker needs it.
struct Engine {
    Engine(std::shared_ptr<FileSystem> fs, std::string top, WalkOptions options, SinkFactory sinks,
           unsigned cores, std::size_t kept_directories, std::string begin_at);

    // Ends the walk because a worker threw.
    void fail(std::exception_ptr exception) noexcept;
    void stop() noexcept;

    const std::shared_ptr<FileSystem> fs;
    const std::string top;
    const WalkOptions options;
    const SinkFactory make_sink;
    const Selection selection;

    // The directories to begin with, once the top is open, in place of the top's own entries.
    const std::string begin_at;

    HandleCache handles;
    WorkStack stack;
    ErrorList errors;
    StalledDevices stalled_devices;
    std::atomic<bool> stopping{false};

    // Set before any other directory is found, by the worker that opens the top.
    Attributes top_attributes;
    // -1 until the top is open, then 0 or the errno that ended the walk.
    std::atomic<int> started{-1};
    // Sets `started` if it is not yet set, and tells on_started.
    bool set_started(int error);
    std::function<void()> on_started;

    // What one stat costs just now, in nanoseconds; ranges are cut so that each takes a moment.
    std::atomic<std::uint64_t> stat_cost{100'000};

    mutable std::mutex failure_mutex;
    std::exception_ptr failure;
};

}  // namespace filetree::walk
