// What the supervisor does with a worker: looks at it, holds it, and takes its place when it hangs.

#include <algorithm>

#include "worker.hpp"

namespace filetree::walk {

using std::chrono::nanoseconds;

namespace {

// How much longer a call may take that keeps its thread on a core or waiting for one: most likely
// it has returned long since, and the machine is busy with others.
constexpr int patience_while_runnable = 4;

}  // namespace

bool Worker::give_up_if_stalled(nanoseconds passed, nanoseconds timeout) {
    Step step;
    WorkItem item;
    {
        const std::lock_guard lock(mutex_);
        if (!in_call() || given_up_ || context_.beats() != seen_beats_) {
            seen_beats_ = context_.beats();
            silent_ = nanoseconds(0);
            return false;
        }
        silent_ += clock_.runnable() ? passed / patience_while_runnable : passed;
        if (silent_ < timeout) return false;
        given_up_ = true;
        step = step_;
        item = std::move(current_);
    }
    try {
        take_over(item, step);
    } catch (...) {
        engine_.fail(std::current_exception());
    }
    return true;
}

void Worker::take_over(const WorkItem& item, Step step) {
    found_.clear();
    Node& node = *item.node;
    engine_.stalled_devices.add(node.attributes().device);
    if (!node.parent() && step != Step::stat) {
        if (engine_.set_started(ETIMEDOUT)) engine_.stop();
    }
    if (step == Step::stat) {
        take_over_stat(item);
    } else if (item.is_listing()) {
        fail_directory(node, step == Step::open ? Operation::open : Operation::read, ETIMEDOUT);
        if (step == Step::open) {
            node.unopened.store(true, std::memory_order_relaxed);
            release_parent(node);
        }
        finish_part(node);
    } else {  // reopening the directory of a range
        node.file_count.fetch_add(item.last - item.first, std::memory_order_relaxed);
        fail_directory(node, Operation::open, ETIMEDOUT);
        finish_part(node);
    }
    sink_->flush();
    sink_.reset();
    engine_.stack.end_turn_of_hung_worker(found_);
}

// The name that hangs is an error; the others go back, unless this directory hangs again and again.
void Worker::take_over_stat(const WorkItem& item) {
    Node& node = *item.node;
    const std::size_t hung = std::clamp(context_.at(), item.first, item.last - 1);
    const std::uint32_t stalls = node.stalls.fetch_add(1) + 1;
    if (stalls < stalls_to_give_up_a_directory) {
        add_error(node, item.names->name(hung), Operation::stat, ETIMEDOUT);
        node.file_count.fetch_add(1, std::memory_order_relaxed);
        for (const auto& [first, last] : {std::pair{item.first, hung}, {hung + 1, item.last}}) {
            if (first == last) continue;
            node.parts.fetch_add(1, std::memory_order_relaxed);
            found_.push_back(
                {.node = item.node, .names = item.names, .first = first, .last = last});
        }
    } else {
        if (!node.unreadable.exchange(true)) add_error(node, {}, Operation::stat, ETIMEDOUT);
        node.file_count.fetch_add(item.last - item.first, std::memory_order_relaxed);
    }
    finish_part(node);
}

bool Worker::freeze(NodePtr& begun) {
    const std::lock_guard lock(mutex_);
    frozen_ = true;
    if (given_up_ || !in_call() || !current_.node->as_good_as_not_begun()) return false;
    begun = current_.node;
    return true;
}

void Worker::thaw() {
    const std::lock_guard lock(mutex_);
    frozen_ = false;
    thawed_.notify_all();
}

void Worker::flush_sink() {
    EntrySink* sink = nullptr;
    {
        const std::lock_guard lock(mutex_);
        sink = sink_.get();
    }
    if (sink != nullptr) sink->flush();
}

bool Worker::given_up() const {
    const std::lock_guard lock(mutex_);
    return given_up_;
}

void Worker::count_into(WalkProgress& sum) const {
    for (std::size_t i = 0; i < kinds_.size(); ++i) sum.kinds[i] += kinds_[i].get();
    sum.bytes += bytes_.get();
    sum.vanished += vanished_.get();
    sum.automount_points += automount_points_.get();
}

void Worker::append_current_path(std::string& out) const {
    const std::lock_guard lock(mutex_);
    if (step_ != Step::idle && current_.node) current_.node->append_path(out);
}

}  // namespace filetree::walk
