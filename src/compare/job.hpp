#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>

namespace filetree {

// Work in pieces, which threads of a pool do side by side.
//
// Invariants: at most `limit` pieces are under way at once. release(), and before it conclude()
// when nothing has failed, is called exactly once, by whoever ends the last piece or cancels when
// there is none; nothing of the job runs after it. The first failure stops the job. A job that
// waits for something else than a thread has no piece meanwhile, and asks for one by wake().
class Job : public std::enable_shared_from_this<Job> {
   public:
    using Piece = std::function<void()>;

    Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    virtual ~Job() = default;

    // The pool's: a piece to do, and that it has been done. begin() is empty when there is none
    // now; `more` and end() are true when there are more, so that others may help.
    [[nodiscard]] Piece begin(bool& more);
    [[nodiscard]] bool end(std::exception_ptr failure);

    // The pool's, before anything else: what puts the job into its queue.
    void wake_by(std::function<void()> waker) { waker_ = std::move(waker); }
    // There is something to do again. Any thread.
    void wake() {
        if (waker_) waker_();
    }

    void cancel() noexcept;
    [[nodiscard]] bool wait(std::chrono::nanoseconds timeout);
    void on_finished(std::function<void()> callback);
    [[nodiscard]] std::exception_ptr failure() const;
    // No more of it will be begun, though what has begun may still be under way.
    [[nodiscard]] bool stopping() const noexcept { return stopping_.load(); }

   protected:
    // Both with mutex_ held. The next piece; empty when there is none now.
    [[nodiscard]] virtual Piece take() = 0;
    [[nodiscard]] virtual bool has_more() const = 0;
    // There will be a piece once wake() is called. With mutex_ held.
    [[nodiscard]] virtual bool is_waiting() const { return false; }
    // When all is done and nothing has failed; may throw what is then the failure.
    virtual void conclude() = 0;

    // The last that is called: what is open is to be closed, as the job may be kept for long.
    virtual void release() noexcept {}

    // No more pieces are wanted: the answer is known.
    void stop() noexcept { stopping_.store(true); }
    [[nodiscard]] const std::atomic<bool>& stop_flag() const noexcept { return stopping_; }

    // For what the job waits for, to be called from any thread: calls `mark` with mutex_ held, then
    // wake(); nothing once the job is gone.
    [[nodiscard]] std::function<void()> waker(std::function<void()> mark);

    mutable std::mutex mutex_;
    unsigned limit_ = std::numeric_limits<unsigned>::max();

   private:
    void finish(std::unique_lock<std::mutex>& lock);

    const pid_t process_ = ::getpid();

    std::atomic<bool> stopping_{false};
    unsigned active_ = 0;
    bool ended_ = false;                 // nothing will be begun any more
    std::atomic<bool> finished_{false};  // and concluded; set under mutex_
    std::exception_ptr failure_;
    std::condition_variable changed_;
    std::function<void()> callback_;
    std::function<void()> waker_;
};

}  // namespace filetree
