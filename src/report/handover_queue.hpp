#pragma once

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "byte_buffer.hpp"
#include "consumer_clock.hpp"
#include "filetree/error.hpp"
#include "filetree/report.hpp"
#include "spill.hpp"

namespace filetree::report {

// Hands finished pieces from many workers to one consumer, first in, first out.
//
// Pieces wait in memory, up to `limit` bytes. Without a Spill, a push that finds no room waits;
// with one, the pushing thread puts its piece aside on disk, and only waits when the disk fails.
// Up to a quarter of the limit is then for pieces on their way to the disk. One piece larger than
// its share still passes where nothing else is.
//
// A Codec turns pieces into bytes and back; it may be used by several threads at once:
//     std::string_view dump(const T&, ByteBuffer& scratch) const;  // of the piece, or of scratch
//     bool restore(ByteBuffer& bytes, T& out) const;  // false: these are no piece's bytes
//     void discard(T) const;                          // a piece that has been put aside
//
// Threads: any; one consumer at a time.
template <class T, class Codec>
class HandoverQueue {
   public:
    HandoverQueue(std::size_t limit, std::shared_ptr<ConsumerGauge> gauge,
                  std::shared_ptr<Spill> spill = nullptr, Codec codec = {})
        : limit_(limit),
          kept_limit_(spill ? limit - limit / 4 : limit),
          gauge_(gauge),
          spill_(std::move(spill)),
          codec_(std::move(codec)),
          consumer_clock_(std::move(gauge)) {}

    // False when the queue is closed: the piece is dropped.
    bool push(T piece, std::size_t bytes) {
        std::unique_lock lock(mutex_);
        while (!closed_) {
            if (has_room(bytes)) {
                entries_.push_back(
                    {.kind = Kind::piece, .piece = std::move(piece), .bytes = bytes});
                kept_ += bytes;
                lock.unlock();
                filled_.notify_one();
                return true;
            }
            if (!may_put_aside(bytes)) {
                wait_for_room(lock, bytes);
            } else if (std::optional<Spill::Place> place = put_aside(lock, piece, bytes)) {
                if (closed_) break;
                entries_.push_back({.kind = Kind::put_aside, .place = std::move(*place)});
                lock.unlock();
                filled_.notify_one();
                codec_.discard(std::move(piece));
                return true;
            }
        }
        return false;
    }

    // Comes out behind every piece whose push has returned. Never waits; takes no room.
    void push_mark(const std::shared_ptr<const Mark>& mark) {
        {
            const std::lock_guard lock(mutex_);
            if (closed_) return;
            entries_.push_back({.kind = Kind::mark, .mark = mark});
        }
        filled_.notify_one();
    }

    // No more will be pushed.
    void finish() {
        const std::lock_guard lock(mutex_);
        finished_ = true;
        filled_.notify_all();
    }

    // Drops what is in the queue and all that comes.
    void close() {
        std::deque<Entry> dropped;  // destroyed after the lock is gone
        const std::lock_guard lock(mutex_);
        closed_ = finished_ = true;
        dropped.swap(entries_);
        kept_ = 0;
        room_.notify_all();
        filled_.notify_all();
    }

    enum class Pop { piece, mark, end, timeout };
    // Sets `out` or `mark`, as the result says. Throws SystemError, with the spill's directory,
    // when a piece cannot be read back: from then on always, and the queue is closed.
    Pop pop(T& out, std::shared_ptr<const Mark>& mark, std::chrono::nanoseconds timeout) {
        consumer_clock_.consumer_returned();
        const Pop result = wait_and_pop(out, mark, timeout);
        consumer_clock_.consumer_left();
        return result;
    }

   private:
    // What of it counts depends on `kind`.
    struct Entry {
        enum class Kind { piece, put_aside, mark };
        Kind kind;
        T piece{};
        std::size_t bytes = 0;
        Spill::Place place{};
        std::shared_ptr<const Mark> mark{};
    };
    using Kind = typename Entry::Kind;

    [[nodiscard]] bool has_room(std::size_t bytes) const {
        if (kept_ == 0 && moving_ == 0) return true;
        return kept_ + bytes <= kept_limit_ && kept_ + moving_ + bytes <= limit_;
    }

    [[nodiscard]] bool may_put_aside(std::size_t bytes) const {
        if (!spill_ || !spill_->ready()) return false;
        return moving_ == 0 || kept_ + moving_ + bytes <= limit_;
    }

    void wait_for_room(std::unique_lock<std::mutex>& lock, std::size_t bytes) {
        const auto room = [&] { return closed_ || has_room(bytes) || may_put_aside(bytes); };
        const auto failing = [&] { return spill_ && !spill_->ready(); };
        gauge_->waiting_sinks.fetch_add(1, std::memory_order_relaxed);
        if (failing()) {
            room_.wait_until(lock, spill_->retry_at(), room);
        } else {
            room_.wait(lock, [&] { return room() || failing(); });
        }
        gauge_->waiting_sinks.fetch_sub(1, std::memory_order_relaxed);
    }

    // Writes without the lock. Nothing when the disk fails.
    std::optional<Spill::Place> put_aside(std::unique_lock<std::mutex>& lock, const T& piece,
                                          std::size_t bytes) {
        const Moving moving(*this, lock, bytes);
        ByteBuffer scratch;
        Result<Spill::Place> place = spill_->write(codec_.dump(piece, scratch));
        if (!place.ok()) return std::nullopt;
        return std::move(place.value);
    }

    // A piece on its way to the disk; the lock is not held meanwhile.
    class Moving {
       public:
        Moving(HandoverQueue& queue, std::unique_lock<std::mutex>& lock, std::size_t bytes)
            : queue_(queue), lock_(lock), bytes_(bytes) {
            queue_.moving_ += bytes_;
            lock_.unlock();
        }
        Moving(const Moving&) = delete;
        Moving& operator=(const Moving&) = delete;
        ~Moving() {
            lock_.lock();
            queue_.moving_ -= bytes_;
            queue_.room_.notify_all();
        }

       private:
        HandoverQueue& queue_;
        std::unique_lock<std::mutex>& lock_;
        const std::size_t bytes_;
    };

    Pop wait_and_pop(T& out, std::shared_ptr<const Mark>& mark, std::chrono::nanoseconds timeout) {
        if (unreadable_ != 0) throw SystemError(unreadable_, spill_->directory());
        std::unique_lock lock(mutex_);
        filled_.wait_for(lock, timeout, [&] { return !entries_.empty() || finished_; });
        if (entries_.empty()) return finished_ ? Pop::end : Pop::timeout;
        Entry entry = std::move(entries_.front());
        entries_.pop_front();
        kept_ -= entry.bytes;
        lock.unlock();
        switch (entry.kind) {
            case Kind::mark:
                mark = std::move(entry.mark);
                return Pop::mark;
            case Kind::piece:
                out = std::move(entry.piece);
                break;
            case Kind::put_aside: {
                read_back(entry.place, out);
                entry.place = {};
                // That may have freed a file. Nobody who is just about to wait must miss it.
                const std::lock_guard relock(mutex_);
                break;
            }
        }
        room_.notify_all();
        return Pop::piece;
    }

    void read_back(const Spill::Place& place, T& out) {
        unreadable_ = Spill::read(place, read_);
        if (unreadable_ == 0) unreadable_ = restore(out);
        if (unreadable_ == 0) return;
        close();  // workers must not wait for a consumer that cannot go on
        throw SystemError(unreadable_, spill_->directory());
    }

    [[nodiscard]] int restore(T& out) {
        try {
            return codec_.restore(read_, out) ? 0 : EIO;
        } catch (const std::bad_alloc&) {
            return ENOMEM;
        }
    }

    const std::size_t limit_;
    const std::size_t kept_limit_;
    const std::shared_ptr<ConsumerGauge> gauge_;
    const std::shared_ptr<Spill> spill_;
    const Codec codec_;

    // The consumer's.
    ConsumerClock consumer_clock_;
    ByteBuffer read_;
    int unreadable_ = 0;  // an errno

    std::mutex mutex_;
    std::condition_variable room_;
    std::condition_variable filled_;
    std::deque<Entry> entries_;
    std::size_t kept_ = 0;    // bytes of pieces in memory
    std::size_t moving_ = 0;  // bytes of pieces on their way to the disk
    bool finished_ = false;
    bool closed_ = false;
};

}  // namespace filetree::report
