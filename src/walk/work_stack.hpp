#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "node.hpp"

namespace filetree::walk {

class Worker;

// A piece of work: list a directory (or go on listing it), or stat a range of its names.
struct WorkItem {
    NodePtr node;
    std::shared_ptr<Directory> stream = nullptr;     // a listing half-read; null: not yet opened
    std::shared_ptr<const Listing> names = nullptr;  // null: list
    std::size_t first = 0;
    std::size_t last = 0;
    const Worker* owner = nullptr;  // of a range: who listed it, and goes on with it first

    [[nodiscard]] bool is_listing() const noexcept { return !names; }
};

// All work not yet begun, and the place where workers wait for it.
//
// Directories are handed out last in first out, so that the frontier stays as small as the tree is
// deep. A worker first finishes the ranges of the directory that it listed itself; then it takes
// another directory; only when there is none does it help others with theirs, because some file
// systems serve one directory's names one at a time.
//
// Invariants: a worker between two calls of next() is "running"; the walk is over when nothing
// waits and nobody runs; at most `limit` workers run. Waiting workers sleep, they never poll.
//
// Threads: every call is safe from any thread; one lock is taken for each piece of work, none for
// an entry.
class WorkStack {
   public:
    explicit WorkStack(unsigned limit) : limit_(limit) {}

    // Ends the caller's turn, if it has one, adds the work it found, and waits for more. A range
    // longer than `claim` names is handed out in pieces of that size. False: the walk is over, or
    // stopped.
    [[nodiscard]] bool next(const Worker* worker, bool was_running, std::vector<WorkItem>& found,
                            std::size_t claim, WorkItem& out);
    // Ends the turn of a worker that hangs, in its place, and adds the work it leaves.
    void end_turn_of_hung_worker(std::vector<WorkItem>& found);
    // Adds work from outside a worker.
    void add(WorkItem item);

    void set_limit(unsigned limit);
    // No more work is handed out.
    void stop();

    struct Census {
        std::size_t waiting = 0;  // pieces of work
        unsigned running = 0;
        unsigned running_peak = 0;
    };
    [[nodiscard]] Census census() const;

   private:
    // All with the lock held.
    [[nodiscard]] bool empty() const noexcept { return directories_.empty() && ranges_.empty(); }
    [[nodiscard]] bool over() const noexcept { return stopped_ || (empty() && running_ == 0); }
    void take(std::vector<WorkItem>& found);
    void pop(const Worker* worker, std::size_t claim, WorkItem& out);
    void cut_range(std::size_t index, std::size_t claim, WorkItem& out);
    // Wakes as many workers as there is work and room for.
    void wake(std::size_t claim);

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<WorkItem> directories_;
    std::vector<WorkItem> ranges_;  // few: about one for each running worker
    unsigned limit_;
    unsigned running_ = 0;
    unsigned running_peak_ = 0;
    unsigned sleeping_ = 0;
    bool stopped_ = false;
};

}  // namespace filetree::walk
