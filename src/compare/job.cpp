#include "job.hpp"

#include <unistd.h>

#include <utility>

#include "filetree/compare.hpp"
#include "spin.hpp"

namespace filetree {

Job::Piece Job::begin(bool& more) {
    const std::lock_guard lock(mutex_);
    // Whoever had more to do may have put it back into the queue after others had ended it.
    if (ended_ || stopping() || active_ >= limit_) return {};
    Piece piece = take();
    if (piece) ++active_;
    more = active_ < limit_ && has_more();
    return piece;
}

bool Job::end(std::exception_ptr failure) {
    std::unique_lock lock(mutex_);
    --active_;
    if (failure && !failure_) {
        failure_ = std::move(failure);
        stop();
    }
    const bool more = !stopping() && has_more();
    if (active_ == 0 && !more && (stopping() || !is_waiting())) finish(lock);
    return more;
}

void Job::cancel() noexcept {
    if (::getpid() != process_) return;  // nobody does it in a fork; the lock may be in any state
    std::unique_lock lock(mutex_);
    if (ended_) return;
    if (!failure_) {
        failure_ = std::make_exception_ptr(CompareError::cancelled());
    }
    stop();
    if (active_ > 0) return;
    finish(lock);
    lock.unlock();
    try {
        wake();      // the pool forgets it
    } catch (...) {  // it is short of threads, and keeps it until it has one
    }
}

std::function<void()> Job::waker(std::function<void()> mark) {
    return [weak = weak_from_this(), mark = std::move(mark)] {
        const auto self = weak.lock();
        if (!self) return;
        {
            const std::lock_guard lock(self->mutex_);
            mark();
        }
        self->wake();
    };
}

void Job::finish(std::unique_lock<std::mutex>& lock) {
    ended_ = true;
    std::exception_ptr failure = failure_;
    lock.unlock();
    if (!failure) {
        try {
            conclude();
        } catch (...) {
            failure = std::current_exception();
        }
    }
    release();
    lock.lock();
    failure_ = std::move(failure);
    finished_ = true;
    changed_.notify_all();
    const std::function<void()> callback = std::exchange(callback_, nullptr);
    lock.unlock();
    if (callback) callback();
    lock.lock();
}

bool Job::wait(std::chrono::nanoseconds timeout) {
    if (timeout.count() > 0) (void)comes_at_once([this] { return finished_.load(); });
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [this] { return finished_.load(); });
}

void Job::on_finished(std::function<void()> callback) {
    {
        const std::lock_guard lock(mutex_);
        if (!finished_) {
            callback_ = std::move(callback);
            return;
        }
    }
    callback();
}

std::exception_ptr Job::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

}  // namespace filetree
