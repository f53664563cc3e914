#pragma once

#include <chrono>
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
// waits and nobody runs; at most `limit` workers run. Waiting workers sleep, they never poll. While
// it is held, no directory is begun, and the walk is not over: only what has been begun goes on.
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

    // No directory is begun until go_on(); what has been begun is finished, and no worker is told
    // that the walk is over. False: some may have been already.
    [[nodiscard]] bool hold();
    void go_on();
    // Waits until nobody runs. False: not yet.
    [[nodiscard]] bool wait_nobody_runs(std::chrono::nanoseconds timeout);
    // While held: whether nothing that has been begun waits, and `running` workers run. Not once it
    // is stopped: workers may be leaving.
    [[nodiscard]] bool rests_but_for(unsigned running) const;
    // While held: whether there is work that several workers can share.
    [[nodiscard]] bool has_ranges() const;
    // The directories not yet begun, in the order in which they were found.
    [[nodiscard]] std::vector<NodePtr> not_begun() const;

    struct Census {
        std::size_t waiting = 0;  // pieces of work
        unsigned running = 0;
        unsigned running_peak = 0;
    };
    [[nodiscard]] Census census() const;

   private:
    // All with the lock held.
    [[nodiscard]] bool has_work() const noexcept {
        return !ranges_.empty() || !streams_.empty() || (!held_ && !directories_.empty());
    }
    [[nodiscard]] bool over() const noexcept {
        return stopped_ || (!held_ && !has_work() && running_ == 0);
    }
    void push(WorkItem item);
    void take(std::vector<WorkItem>& found);
    void pop(const Worker* worker, std::size_t claim, WorkItem& out);
    void cut_range(std::size_t index, std::size_t claim, WorkItem& out);
    // Wakes as many workers as there is work and room for.
    void wake(std::size_t claim);

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::condition_variable nobody_runs_;
    std::vector<WorkItem> directories_;
    std::vector<WorkItem> streams_;  // while held: directories of which part has been listed
    std::vector<WorkItem> ranges_;   // few: about one for each running worker
    unsigned limit_;
    unsigned running_ = 0;
    unsigned running_peak_ = 0;
    unsigned sleeping_ = 0;
    bool stopped_ = false;
    bool held_ = false;
};

}  // namespace filetree::walk
