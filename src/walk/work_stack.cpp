#include "work_stack.hpp"

#include <algorithm>
#include <iterator>

namespace filetree::walk {

bool WorkStack::next(const Worker* worker, bool was_running, std::vector<WorkItem>& found,
                     std::size_t claim, WorkItem& out) {
    out = {};  // may free a chain of nodes: not under the lock
    std::unique_lock lock(mutex_);
    if (was_running) --running_;
    take(found);
    if (running_ == 0) nobody_runs_.notify_one();
    while (!over() && (!has_work() || running_ >= limit_)) {
        ++sleeping_;
        changed_.wait(lock);
        --sleeping_;
    }
    if (over()) {
        changed_.notify_all();
        return false;
    }
    pop(worker, claim, out);
    running_peak_ = std::max(running_peak_, ++running_);
    wake(claim);
    return true;
}

void WorkStack::end_turn_of_hung_worker(std::vector<WorkItem>& found) {
    const std::lock_guard lock(mutex_);
    --running_;
    take(found);
    changed_.notify_all();
}

void WorkStack::add(WorkItem item) {
    const std::lock_guard lock(mutex_);
    push(std::move(item));
    wake(1);
}

void WorkStack::set_limit(unsigned limit) {
    const std::lock_guard lock(mutex_);
    limit_ = limit;
    wake(1);
}

void WorkStack::stop() {
    std::vector<WorkItem> dropped_directories;  // freed after the lock is gone
    std::vector<WorkItem> dropped_streams;
    std::vector<WorkItem> dropped_ranges;
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped_directories.swap(directories_);
    dropped_streams.swap(streams_);
    dropped_ranges.swap(ranges_);
    changed_.notify_all();
    nobody_runs_.notify_one();
}

bool WorkStack::hold() {
    const std::lock_guard lock(mutex_);
    if (over()) return false;
    held_ = true;
    const auto streams = std::stable_partition(directories_.begin(), directories_.end(),
                                               [](const WorkItem& item) { return !item.stream; });
    std::move(streams, directories_.end(), std::back_inserter(streams_));
    directories_.erase(streams, directories_.end());
    return true;
}

void WorkStack::go_on() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    std::move(streams_.begin(), streams_.end(), std::back_inserter(directories_));
    streams_.clear();
    if (over()) changed_.notify_all();
    wake(1);
}

bool WorkStack::wait_nobody_runs(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(mutex_);
    return nobody_runs_.wait_for(lock, timeout, [this] { return running_ == 0 || stopped_; });
}

bool WorkStack::rests_but_for(unsigned running) const {
    const std::lock_guard lock(mutex_);
    return !stopped_ && ranges_.empty() && streams_.empty() && running_ == running;
}

bool WorkStack::has_ranges() const {
    const std::lock_guard lock(mutex_);
    return !ranges_.empty();
}

std::vector<NodePtr> WorkStack::not_begun() const {
    const std::lock_guard lock(mutex_);
    std::vector<NodePtr> nodes;
    nodes.reserve(directories_.size());
    for (const WorkItem& item : directories_) nodes.push_back(item.node);
    return nodes;
}

WorkStack::Census WorkStack::census() const {
    const std::lock_guard lock(mutex_);
    return {directories_.size() + streams_.size() + ranges_.size(), running_, running_peak_};
}

void WorkStack::push(WorkItem item) {
    auto& place = !item.is_listing() ? ranges_ : held_ && item.stream ? streams_ : directories_;
    place.push_back(std::move(item));
}

void WorkStack::take(std::vector<WorkItem>& found) {
    for (WorkItem& item : found) {
        if (stopped_) break;
        push(std::move(item));
    }
    found.clear();
}

void WorkStack::pop(const Worker* worker, std::size_t claim, WorkItem& out) {
    for (std::size_t i = ranges_.size(); i-- > 0;) {
        if (ranges_[i].owner == worker) return cut_range(i, claim, out);
    }
    auto& listings = held_ ? streams_ : directories_;
    if (!listings.empty()) {
        out = std::move(listings.back());
        listings.pop_back();
        return;
    }
    cut_range(ranges_.size() - 1, claim, out);
}

void WorkStack::cut_range(std::size_t index, std::size_t claim, WorkItem& out) {
    WorkItem& range = ranges_[index];
    if (range.last - range.first > claim) {
        out = range;
        out.last = range.first += claim;
        out.node->parts.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    out = std::move(range);
    range = std::move(ranges_.back());
    ranges_.pop_back();
}

void WorkStack::wake(std::size_t claim) {
    if (sleeping_ == 0 || !has_work() || running_ >= limit_) return;
    std::size_t shares = held_ ? streams_.size() : directories_.size();
    for (const WorkItem& range : ranges_) shares += (range.last - range.first + claim - 1) / claim;
    const std::size_t places = limit_ - running_;
    std::size_t woken = std::min({shares, places, std::size_t{sleeping_}});
    for (; woken > 0; --woken) changed_.notify_one();
}

}  // namespace filetree::walk
