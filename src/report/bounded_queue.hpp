#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "consumer_clock.hpp"

namespace filetree::report {

// Hands finished pieces from many workers to one consumer, holding at most `limit` bytes.
//
// A push into a full queue waits, unless the queue is empty: one piece larger than the limit still
// passes. Threads: any; one consumer at a time.
template <class T>
class BoundedQueue {
   public:
    BoundedQueue(std::size_t limit, std::shared_ptr<ConsumerGauge> gauge)
        : limit_(limit), gauge_(gauge), consumer_clock_(std::move(gauge)) {}

    // False when the queue is closed: the piece is dropped.
    bool push(T piece, std::size_t bytes) {
        std::unique_lock lock(mutex_);
        if (!has_room(bytes)) {
            gauge_->waiting_sinks.fetch_add(1, std::memory_order_relaxed);
            room_.wait(lock, [&] { return has_room(bytes); });
            gauge_->waiting_sinks.fetch_sub(1, std::memory_order_relaxed);
        }
        if (closed_) return false;
        pieces_.emplace_back(std::move(piece), bytes);
        bytes_ += bytes;
        lock.unlock();
        filled_.notify_one();
        return true;
    }

    // No more will be pushed.
    void finish() {
        const std::lock_guard lock(mutex_);
        finished_ = true;
        filled_.notify_all();
    }

    // Drops what is in the queue and all that comes.
    void close() {
        std::deque<Piece> dropped;  // destroyed after the lock is gone
        const std::lock_guard lock(mutex_);
        closed_ = finished_ = true;
        dropped.swap(pieces_);
        bytes_ = 0;
        room_.notify_all();
        filled_.notify_all();
    }

    enum class Pop { piece, end, timeout };
    Pop pop(T& out, std::chrono::nanoseconds timeout) {
        consumer_clock_.consumer_returned();
        const Pop result = wait_and_pop(out, timeout);
        consumer_clock_.consumer_left();
        return result;
    }

   private:
    using Piece = std::pair<T, std::size_t>;

    Pop wait_and_pop(T& out, std::chrono::nanoseconds timeout) {
        std::unique_lock lock(mutex_);
        filled_.wait_for(lock, timeout, [&] { return !pieces_.empty() || finished_; });
        if (pieces_.empty()) return finished_ ? Pop::end : Pop::timeout;
        out = std::move(pieces_.front().first);
        bytes_ -= pieces_.front().second;
        pieces_.pop_front();
        lock.unlock();
        room_.notify_all();
        return Pop::piece;
    }

    [[nodiscard]] bool has_room(std::size_t bytes) const {
        return closed_ || bytes_ == 0 || bytes_ + bytes <= limit_;
    }

    const std::size_t limit_;
    const std::shared_ptr<ConsumerGauge> gauge_;
    ConsumerClock consumer_clock_;

    std::mutex mutex_;
    std::condition_variable room_;
    std::condition_variable filled_;
    std::deque<Piece> pieces_;
    std::size_t bytes_ = 0;
    bool finished_ = false;
    bool closed_ = false;
};

}  // namespace filetree::report
