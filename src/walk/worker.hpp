#pragma once

#include <array>
#include <condition_variable>
#include <vector>

#include "engine.hpp"
#include "thread_clock.hpp"

namespace filetree::walk {

// One thread's share of a walk.
//
// Work is done in two steps. First the file-system calls, whose results stay with the worker; then
// the commit, which publishes them: new work, rows, counts. A worker that hangs does so in the
// first step, so the supervisor can take its work away as if it had never begun.
//
// Threads: run() on the worker's own thread; the rest from the supervisor and from progress().
// `mutex_` guards the step the worker is in and what it is working on; it is taken a few times for
// each piece of work and is almost never contended.
class Worker final : private SinkTools {
   public:
    explicit Worker(Engine& engine) : engine_(engine), context_(engine.stopping) {}

    // Works until the walk is over or the worker has been given up.
    void run();

    // Called every so often, with what has passed since: when the current call has been silent for
    // `timeout`, gives the worker up: reports the entry that hangs, hands over what the worker had
    // finished, and puts the rest of its work back. True when the worker is given up by this call.
    // A thread on a core, or waiting for one, is silent at a fraction of that pace.
    [[nodiscard]] bool give_up_if_stalled(std::chrono::nanoseconds passed,
                                          std::chrono::nanoseconds timeout);
    [[nodiscard]] bool given_up() const;

    // Holds the worker at its next step, so that others may look at it and flush its sink. True
    // when it is in a call for a directory of which nothing has been handed over; that is `begun`
    // then.
    [[nodiscard]] bool freeze(NodePtr& begun);
    void thaw();
    // Of a frozen worker that is not in the midst of a commit.
    void flush_sink();

    [[nodiscard]] std::uint64_t calls() const noexcept { return context_.beats(); }
    [[nodiscard]] const ThreadClock& clock() const noexcept { return clock_; }
    // Adds this worker's counts to `sum`.
    void count_into(WalkProgress& sum) const;
    // The directory being worked on; nothing is appended while there is none.
    void append_current_path(std::string& out) const;

   private:
    [[nodiscard]] Directory* open_directory() const noexcept override { return open_.get(); }
    [[nodiscard]] CallContext& context() noexcept override { return context_; }

    enum class Step { idle, open, read, stat, commit };
    enum class Outcome { done, abandoned };
    using Handle = std::shared_ptr<Directory>;
    static constexpr std::uint32_t stalls_to_give_up_a_directory = 2;

    // Single writer, any reader: no read-modify-write needed.
    struct Count {
        std::atomic<std::uint64_t> value{0};
        void add(std::uint64_t n) noexcept {
            value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
        }
        [[nodiscard]] std::uint64_t get() const noexcept {
            return value.load(std::memory_order_relaxed);
        }
    };

    // Each waits while the worker is frozen, and returns false when it has been given up meanwhile.
    [[nodiscard]] bool begin(const WorkItem& item, Step step);
    [[nodiscard]] bool enter(Step step);
    [[nodiscard]] bool enter_stat(std::shared_ptr<const Listing> names, std::size_t first,
                                  std::size_t last);

    [[nodiscard]] Outcome stopped() const;
    void set_sink(std::unique_ptr<EntrySink> sink);
    void let_go();

    [[nodiscard]] Outcome list(WorkItem& item);
    [[nodiscard]] Outcome list_open(const NodePtr& node, Handle directory);
    [[nodiscard]] Outcome go_on_with_frontier(const NodePtr& top, Handle directory);
    [[nodiscard]] Outcome stat_range(WorkItem& item);

    // File-system step.
    struct Read {
        bool more;
        int error;
    };
    [[nodiscard]] Result<Handle> open(Node& node);
    [[nodiscard]] int verify(const Node& node, Directory& opened);
    [[nodiscard]] Read read_part(Directory& directory, Listing& names);
    [[nodiscard]] bool stat_names(Directory& directory, const Listing& names, std::size_t first,
                                  std::size_t last);
    [[nodiscard]] bool stat_range_of(Directory& directory, const Listing& names, std::size_t first,
                                     std::size_t last, StatMask mask, StatResult* out);
    [[nodiscard]] bool stat_unknown_types(Directory& directory, const Listing& names,
                                          std::size_t first, std::size_t last);
    template <class Call>
    auto patiently(Call call) -> decltype(call());

    // Commit step.
    void commit_entries(const NodePtr& node, const Listing& names, std::size_t first,
                        std::size_t last);
    void commit_child(const NodePtr& node, std::string_view name, const Attributes& attributes);
    void commit_failed_entry(const Node& node, std::string_view name, int error);
    void fail_directory(Node& node, Operation operation, int error);
    void finish_part(Node& node);
    void release_hold(Node& node);
    void release_parent(Node& node);
    [[nodiscard]] Outcome skip_opening(const NodePtr& node, Operation operation, int error);
    // A call on the node's device has returned: the device is alive.
    void note_success(const Node& node);
    [[nodiscard]] bool not_worth_trying(const Node& node) const;

    [[nodiscard]] bool in_call() const noexcept {
        return step_ == Step::open || step_ == Step::read || step_ == Step::stat;
    }
    [[nodiscard]] std::size_t claim_size() const noexcept;
    void add_error(const Node& node, std::string_view name, Operation operation, int error);

    // The supervisor's, after it has given the worker up.
    void take_over(const WorkItem& item, Step step);
    void take_over_stat(const WorkItem& item);

    Engine& engine_;
    CallContext context_;

    std::unique_lock<std::mutex> lock_thawed();

    mutable std::mutex mutex_;
    std::condition_variable thawed_;
    Step step_ = Step::idle;
    bool given_up_ = false;
    bool frozen_ = false;
    WorkItem current_;

    // The worker's own, until it is given up; then the supervisor's.
    std::unique_ptr<EntrySink> sink_;
    Handle open_;  // what open_directory() answers; only set in a commit step
    std::vector<WorkItem> found_;
    std::shared_ptr<Listing> names_;
    std::vector<StatResult> stats_;
    std::vector<std::uint32_t> selected_;

    // The supervisor's.
    std::uint64_t seen_beats_ = ~std::uint64_t{0};  // never seen
    std::chrono::nanoseconds silent_{0};

    ThreadClock clock_;
    std::array<Count, 16> kinds_;
    Count bytes_;
    Count vanished_;
    Count automount_points_;
};

}  // namespace filetree::walk
