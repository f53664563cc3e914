#include "work_stack.hpp"

#include <algorithm>

namespace filetree::walk {

bool WorkStack::next(const Worker* worker, bool was_running, std::vector<WorkItem>& found,
                     std::size_t claim, WorkItem& out) {
    out = {};  // may free a chain of nodes: not under the lock
    std::unique_lock lock(mutex_);
    if (was_running) --running_;
    take(found);
    while (!over() && (empty() || running_ >= limit_)) {
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
    (item.is_listing() ? directories_ : ranges_).push_back(std::move(item));
    wake(1);
}

void WorkStack::set_limit(unsigned limit) {
    const std::lock_guard lock(mutex_);
    limit_ = limit;
    wake(1);
}

void WorkStack::stop() {
    std::vector<WorkItem> dropped_directories;  // freed after the lock is gone
    std::vector<WorkItem> dropped_ranges;
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped_directories.swap(directories_);
    dropped_ranges.swap(ranges_);
    changed_.notify_all();
}

WorkStack::Census WorkStack::census() const {
    const std::lock_guard lock(mutex_);
    return {directories_.size() + ranges_.size(), running_, running_peak_};
}

void WorkStack::take(std::vector<WorkItem>& found) {
    for (WorkItem& item : found) {
        if (stopped_) break;
        (item.is_listing() ? directories_ : ranges_).push_back(std::move(item));
    }
    found.clear();
}

void WorkStack::pop(const Worker* worker, std::size_t claim, WorkItem& out) {
    for (std::size_t i = ranges_.size(); i-- > 0;) {
        if (ranges_[i].owner == worker) return cut_range(i, claim, out);
    }
    if (!directories_.empty()) {
        out = std::move(directories_.back());
        directories_.pop_back();
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
    if (sleeping_ == 0 || empty() || running_ >= limit_) return;
    std::size_t shares = directories_.size();
    for (const WorkItem& range : ranges_) shares += (range.last - range.first + claim - 1) / claim;
    const std::size_t places = limit_ - running_;
    std::size_t woken = std::min({shares, places, std::size_t{sleeping_}});
    for (; woken > 0; --woken) changed_.notify_one();
}

}  // namespace filetree::walk
