#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "content_hash.hpp"
#include "filetree/compare.hpp"
#include "filetree/walk.hpp"
#include "job.hpp"
#include "spin.hpp"

namespace filetree {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// While there is work, and no thread has come back for this long, another one is started.
constexpr milliseconds patience{20};
constexpr unsigned most_threads = 128;
// A thread beyond the cores' number ends when it has had nothing to do for this long.
constexpr milliseconds idle_time{500};
constexpr milliseconds farewell{1000};

// What the process has used so far.
class Usage {
   public:
    Usage() {
        rusage used{};
        ::getrusage(RUSAGE_SELF, &used);
        cpu_ = duration_of(used.ru_utime) + duration_of(used.ru_stime);
        waits_ = used.ru_nvcsw;
        preemptions_ = used.ru_nivcsw;
    }
    // Whether cores were idle since then as threads waited for something else than a core.
    [[nodiscard]] bool waited_since(const Usage& before, unsigned cores) const {
        return cpu_ - before.cpu_ < (at_ - before.at_) * cores / 2 &&
               waits_ - before.waits_ > preemptions_ - before.preemptions_;
    }

   private:
    static Clock::duration duration_of(const timeval& time) {
        return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    }

    Clock::time_point at_ = Clock::now();
    Clock::duration cpu_{};
    long waits_ = 0;
    long preemptions_ = 0;
};

}  // namespace

// What the threads share; each holds a reference, as one that hangs may outlive the pool.
//
// Jobs that have something to do stand in a queue; a thread takes the first, begins a piece of it
// and puts it back at the end: each job has its turn.
class Pool::State : public std::enable_shared_from_this<Pool::State> {
   public:
    explicit State(unsigned cores) : cores_(cores) {}

    void submit(std::shared_ptr<Job> job) {
        job->wake_by([pool = weak_from_this(), job = std::weak_ptr(job)] {
            const auto self = pool.lock();
            auto woken = job.lock();
            if (!self || !woken || ::getpid() != self->process_) return;
            const std::lock_guard lock(self->mutex_);
            if (self->jobs_.contains(woken)) self->enqueue(std::move(woken));
        });
        {
            const std::lock_guard lock(mutex_);
            if (!closed_) {
                jobs_.insert(job);
                enqueue(std::move(job));
                return;
            }
        }
        job->cancel();  // nobody would begin it, and whoever waits for it must not wait for ever
    }

    void close() {
        if (::getpid() != process_) return;  // a fork has no threads, and locks in any state
        std::unordered_set<std::shared_ptr<Job>> jobs;
        std::shared_ptr<HttpClient> http;
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
            jobs = jobs_;
            http = http_;
            queue_.clear();
            queued_.clear();
            queued_now_.store(0);
            work_.notify_all();
        }
        for (const auto& job : jobs) job->cancel();
        if (http) http->close();
        std::unique_lock lock(mutex_);
        gone_.wait_for(lock, farewell, [this] { return threads_ == 0; });
    }

    [[nodiscard]] unsigned threads() const {
        const std::lock_guard lock(mutex_);
        return threads_;
    }

    [[nodiscard]] std::shared_ptr<HttpClient> http() {
        const std::lock_guard lock(mutex_);
        if (!http_) http_ = std::make_shared<HttpClient>();
        if (closed_) http_->close();
        return http_;
    }

   private:
    // With the lock held.
    void enqueue(std::shared_ptr<Job> job) {
        if (closed_ || !queued_.insert(job.get()).second) return;
        queue_.push_back(std::move(job));
        queued_now_.store(queue_.size());
        summon();
    }

    // Sees to it that somebody comes for each job in the queue. With the lock held.
    void summon() {
        if (closed_ || queue_.size() <= looking_ + called_) return;
        if (idle_ > 0) {
            --idle_;
            ++called_;
            work_.notify_one();
        } else if (useful_threads() < cores_) {
            start_thread();
        } else if (!watching_) {
            start_watcher();
        }
    }

    void start_watcher() {
        watching_ = true;
        try {
            std::thread([self = shared_from_this()] { self->watch(); }).detach();
        } catch (const std::exception&) {
            watching_ = false;  // those that there are will come by in time
        }
    }

    void start_thread() {
        ++threads_;
        try {
            std::thread([self = shared_from_this()] { self->run(); }).detach();
        } catch (...) {
            --threads_;
            if (threads_ == 0) throw;  // with fewer than wanted it still goes on
        }
    }

    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            std::shared_ptr<Job> job;
            Job::Piece piece = next(lock, job);
            if (!piece) break;
            ++begun_;
            const auto at_work = at_work_.insert(at_work_.end(), job.get());
            lock.unlock();
            std::exception_ptr failure;
            try {
                piece();
            } catch (...) {
                failure = std::current_exception();
            }
            piece = nullptr;
            const bool more = job->end(std::move(failure));
            const bool over = !more && job->wait({});
            lock.lock();
            at_work_.erase(at_work);
            if (more) enqueue(job);
            if (over) jobs_.erase(job);
        }
        ++leaving_;
        lock.unlock();
        compare::forget_hashing_of_this_thread();
        lock.lock();
        --leaving_;
        --threads_;
        gone_.notify_all();
    }

    // The next piece of work; empty when this thread is to end.
    Job::Piece next(std::unique_lock<std::mutex>& lock, std::shared_ptr<Job>& job) {
        for (;;) {
            while (!queue_.empty()) {
                job = std::move(queue_.front());
                queue_.pop_front();
                queued_now_.store(queue_.size());
                queued_.erase(job.get());
                lock.unlock();
                bool more = false;
                Job::Piece piece = job->begin(more);
                const bool over = !piece && job->wait({});
                lock.lock();
                if (piece) {
                    if (more) enqueue(job);
                    summon();
                    return piece;
                }
                if (over) jobs_.erase(job);
                job.reset();  // it must not live, its files open, for as long as this thread idles
            }
            if (closed_) return {};
            if (looking_ < cores_) {
                ++looking_;
                lock.unlock();
                (void)comes_at_once([this] { return queued_now_.load() > 0; });
                lock.lock();
                --looking_;
                if (closed_ || !queue_.empty()) continue;
            }
            ++idle_;
            const auto wanted = [this] { return closed_ || called_ > 0; };
            if (useful_threads() > cores_) {
                work_.wait_for(lock, idle_time, wanted);
            } else {
                work_.wait(lock, wanted);
            }
            const bool called = called_ > 0;
            --(called ? called_ : idle_);  // whoever calls has taken one from idle_
            if (!called && useful_threads() > cores_) return {};
        }
    }

    // Those that stay, and do not hang in what nobody waits for any more. With the lock held.
    [[nodiscard]] unsigned useful_threads() const {
        const auto useless = std::count_if(at_work_.begin(), at_work_.end(),
                                           [](const Job* job) { return job->stopping(); });
        return threads_ - leaving_ - static_cast<unsigned>(useless);
    }

    // While there is more work than threads: starts more when those there are seem to wait.
    void watch() {
        std::unique_lock lock(mutex_);
        std::uint64_t seen = begun_;
        Usage before;
        while (!closed_ && !queue_.empty()) {
            lock.unlock();
            std::this_thread::sleep_for(patience);
            const Usage now;
            lock.lock();
            const unsigned useful = useful_threads();
            if (!queue_.empty() && idle_ == 0 && useful < most_threads) {
                unsigned wanted = begun_ == seen ? 1 : 0;
                if (now.waited_since(before, cores_)) wanted = std::max(1U, useful / 4);
                wanted = std::min(wanted, most_threads - useful);
                for (; wanted > 0; --wanted) start_thread();
            }
            seen = begun_;
            before = now;
        }
        watching_ = false;
    }

    const unsigned cores_;
    const pid_t process_ = ::getpid();
    mutable std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable gone_;
    std::deque<std::shared_ptr<Job>> queue_;
    std::unordered_set<const Job*> queued_;
    std::unordered_set<std::shared_ptr<Job>> jobs_;  // not yet over
    std::shared_ptr<HttpClient> http_;               // once it is asked for
    std::list<const Job*> at_work_;                  // of each thread that has a piece
    unsigned threads_ = 0;
    unsigned leaving_ = 0;                    // of them: will take no more work
    std::atomic<std::size_t> queued_now_{0};  // as many as in queue_; set under mutex_
    unsigned looking_ = 0;                    // without the lock, for what comes at once
    unsigned idle_ = 0;                       // asleep
    unsigned called_ = 0;                     // asleep, too, but called
    std::uint64_t begun_ = 0;                 // pieces
    bool watching_ = false;
    bool closed_ = false;
};

Pool::Pool(unsigned threads)
    : state_(std::make_shared<State>(threads != 0 ? threads : available_cores())) {}

Pool::~Pool() { close(); }

void Pool::close() { state_->close(); }

void Pool::submit(std::shared_ptr<Job> job) { state_->submit(std::move(job)); }

std::shared_ptr<HttpClient> Pool::http() { return state_->http(); }

unsigned Pool::threads() const { return state_->threads(); }

}  // namespace filetree
