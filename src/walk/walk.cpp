#include "filetree/walk.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "../fs/platform.hpp"
#include "frontier.hpp"
#include "governor.hpp"
#include "worker.hpp"

namespace filetree {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using walk::Clock;
using walk::Engine;
using walk::Governor;
using walk::NodePtr;
using walk::Worker;

namespace {

constexpr unsigned largest_max_inflight = 4096;
// Started at once; the others follow when there is work for them.
constexpr unsigned first_workers = 4;
constexpr nanoseconds longest_watch_interval = std::chrono::seconds(1);
// How long a cancelled walk waits for system calls under way before it leaves them behind.
constexpr nanoseconds cancel_grace = std::chrono::seconds(1);
// Reading how long a thread waited for a core costs a few microseconds; beyond this many threads
// the cores are known not to be the limit.
constexpr std::size_t most_asked_for_wait_time = 32;
// Descriptors a working thread may hold beside those that are kept: its directory, and two more
// while it reopens a chain of ancestors.
constexpr std::size_t descriptors_per_worker = 3;
constexpr std::size_t least_kept = 2;
// How long what has been begun may take to finish while nothing else is; longer where all the
// workers can share it.
constexpr nanoseconds rest_patience = std::chrono::seconds(2);
constexpr nanoseconds rest_check_interval = milliseconds(10);

void check(const WalkOptions& options) {
    if (options.max_inflight > largest_max_inflight) {
        throw std::invalid_argument("max_inflight must be <= 4096");
    }
    if (options.stall_timeout <= nanoseconds(0)) {
        throw std::invalid_argument("stall_timeout must be positive");
    }
}

// Threads that a descriptor budget feeds, with half of it left for directories kept open.
unsigned ceiling_for(const WalkOptions& options, std::size_t budget) {
    const unsigned wanted = options.max_inflight != 0 ? options.max_inflight : default_max_inflight;
    const std::size_t fed = std::max<std::size_t>(1, budget / 2 / descriptors_per_worker);
    return static_cast<unsigned>(std::min<std::size_t>(wanted, fed));
}

}  // namespace

unsigned available_cores() {
    if (const char* slurm = std::getenv("SLURM_CPUS_ON_NODE")) {
        unsigned cores = 0;
        const char* end = slurm + std::strlen(slurm);
        const auto [parsed, error] = std::from_chars(slurm, end, cores);
        if (error == std::errc{} && parsed == end && cores > 0) return cores;
    }
    if (const unsigned cores = platform::allowed_cores(); cores > 0) return cores;
    return std::max(1U, std::thread::hardware_concurrency());
}

std::uint64_t WalkProgress::entries() const noexcept {
    return std::accumulate(kinds.begin(), kinds.end(), std::uint64_t{0});
}

// The supervisor of one walk: starts workers, measures them, and takes over for those that hang.
//
// Threads: one of its own, plus the workers, which are detached because a hung one cannot be
// joined; each holds a reference to the State, so it outlives all of them.
class Walk::State : public std::enable_shared_from_this<Walk::State> {
   public:
    State(std::shared_ptr<FileSystem> fs, std::string top, const WalkOptions& options,
          SinkFactory sinks, std::shared_ptr<const ConsumerGauge> gauge, unsigned cores,
          unsigned ceiling, std::size_t kept, WalkRests rests)
        : engine_(std::move(fs), std::move(top), options, std::move(sinks),
                  std::min(cores, ceiling), kept, std::move(rests.begin_at)),
          gauge_(std::move(gauge)),
          rests_(std::move(rests)),
          governor_(cores, ceiling) {
        engine_.on_started = [this] { notify(); };
    }

    void start() {
        {
            const std::lock_guard lock(mutex_);
            const unsigned first = std::min(governor_.limit(), first_workers);
            while (living_ < first && add_worker()) {
            }
            if (living_ == 0) throw std::system_error(EAGAIN, std::generic_category(), "thread");
        }
        try {
            supervisor_ = std::thread([this] { supervise(); });
        } catch (...) {
            engine_.stop();  // those that have begun must not go on unsupervised
            throw;
        }
    }

    // Several threads may, at once.
    void finish() {
        engine_.stop();
        notify();
        const std::lock_guard lock(join_mutex_);
        if (supervisor_.joinable()) supervisor_.join();
    }

    [[nodiscard]] bool in_own_process() const noexcept { return owner_ == ::getpid(); }

    std::optional<int> wait_started(nanoseconds timeout) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, timeout, [this] { return engine_.started >= 0 || finished_; });
        const int started = engine_.started;
        if (started >= 0) return started;
        if (finished_) return ECANCELED;
        return std::nullopt;
    }

    bool wait_finished(nanoseconds timeout) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, timeout, [this] { return finished_; });
    }

    void on_finished(std::function<void()> callback) {
        {
            const std::lock_guard lock(mutex_);
            if (!finished_) {
                on_finished_ = std::move(callback);
                return;
            }
        }
        callback();
    }

    WalkProgress progress() const {
        WalkProgress sum;
        const auto census = engine_.stack.census();
        sum.threads_peak = census.running_peak;
        sum.errors = engine_.errors.count();
        const std::lock_guard lock(mutex_);
        sum.threads = finished_ ? 0 : census.running;
        for (const auto& worker : workers_) {
            worker->count_into(sum);
            if (sum.path.empty()) worker->append_current_path(sum.path);
        }
        sum.directories = sum.kinds[static_cast<std::size_t>(EntryType::directory)];
        sum.elapsed = (finished_ ? finished_at_ : Clock::now()) - begun_;
        return sum;
    }

    Engine& engine() noexcept { return engine_; }
    [[nodiscard]] const Engine& engine() const noexcept { return engine_; }

    void notify() {
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
    }

   private:
    // With mutex_ held. False when the system gives no more threads: then fewer must do.
    bool add_worker() {
        const std::size_t workers = workers_.size();
        try {
            Worker& worker = *workers_.emplace_back(std::make_unique<Worker>(engine_));
            std::thread([self = shared_from_this(), &worker] {
                worker.run();
                if (!worker.given_up()) self->worker_ended();
            }).detach();
        } catch (const std::exception&) {
            workers_.resize(workers);
            most_workers_ = std::max(1U, living_);
            return false;
        }
        ++living_;
        return true;
    }

    void worker_ended() {
        std::function<void()> callback;
        {
            const std::lock_guard lock(mutex_);
            if (--living_ > 0) return;
            if (!engine_.stopping && engine_.stack.census().waiting > 0) {
                engine_.fail(std::make_exception_ptr(
                    std::system_error(EAGAIN, std::generic_category(), "thread")));
            }
            finished_ = true;
            finished_at_ = Clock::now();
            callback = std::move(on_finished_);
            changed_.notify_all();
        }
        if (callback) callback();
    }

    void supervise() {
        std::unique_lock lock(mutex_);
        auto watched_at = Clock::now();
        while (!finished_) {
            changed_.wait_for(lock, governor_.next_sample_after(), [this] { return finished_; });
            if (finished_) break;
            try {
                look_after(lock, watched_at);
            } catch (...) {  // the walk fails, and its workers are still to be watched
                engine_.fail(std::current_exception());
                if (!lock.owns_lock()) lock.lock();
            }
        }
    }

    void look_after(std::unique_lock<std::mutex>& lock, Clock::time_point& watched_at) {
        const auto now = Clock::now();
        if (!engine_.stopping) govern(now);
        if (rests_.due && !engine_.stopping && engine_.started == 0 && rests_.due()) {
            lock.unlock();
            rest();
            lock.lock();
            if (finished_) return;
        }
        if (const nanoseconds passed = now - watched_at; passed >= watch_interval()) {
            watched_at = now;
            // What is beyond, this thread was held up itself: stopped, or its machine was.
            watch(lock, std::min(passed, 2 * watch_interval()));
        }
    }

    // ---- Rests --------------------------------------------------------------------------------

    void rest() {
        std::vector<Worker*> workers;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& worker : workers_) workers.push_back(worker.get());
        }
        if (!engine_.stack.hold()) return;
        try {
            std::vector<NodePtr> begun;
            if (come_to_rest(workers, begun)) {
                for (Worker* worker : workers) worker->flush_sink();
                if (!rests_.at_rest({frontier(begun), progress(), engine_.errors.copy()})) {
                    engine_.stop();
                }
            }
        } catch (...) {
            engine_.fail(std::current_exception());
        }
        thaw(workers);
        engine_.stack.go_on();
        rested_ = true;
    }

    // False, or thrown: some may be, too. True: all workers are frozen, and the only ones that run
    // are in calls for `begun`.
    bool come_to_rest(const std::vector<Worker*>& workers, std::vector<NodePtr>& begun) {
        auto deadline = Clock::now() + rest_patience;
        while (!engine_.stopping) {
            const bool quiet = engine_.stack.wait_nobody_runs(rest_check_interval);
            begun.clear();
            for (Worker* worker : workers) {
                NodePtr node;
                if (worker->freeze(node)) begun.push_back(std::move(node));
            }
            if (engine_.stack.rests_but_for(static_cast<unsigned>(begun.size()))) return true;
            thaw(workers);
            if (engine_.stack.has_ranges()) deadline = Clock::now() + rest_patience;
            if (!quiet && Clock::now() > deadline) return false;
        }
        return false;
    }

    static void thaw(const std::vector<Worker*>& workers) {
        for (Worker* worker : workers) worker->thaw();
    }

    // Those that have been begun first: they would have been next.
    [[nodiscard]] std::string frontier(const std::vector<NodePtr>& begun) const {
        std::vector<NodePtr> left = engine_.stack.not_begun();
        left.insert(left.end(), begun.begin(), begun.end());
        // The top itself: it has been opened, and what it leads to has not been found yet.
        const bool at_top = std::any_of(left.begin(), left.end(),
                                        [](const NodePtr& node) { return !node->parent(); });
        if (at_top) return engine_.begin_at;
        return walk::encode_frontier(engine_.top, engine_.top_attributes.inode, left);
    }

    // With mutex_ held: asks the governor, and starts the workers that it wants.
    void govern(Clock::time_point now) {
        Governor::Sample sample;
        sample.wall = now - begun_;
        if (gauge_) {
            sample.cpu = nanoseconds(gauge_->cpu_nanoseconds.load(std::memory_order_relaxed));
            sample.backpressure = gauge_->waiting_sinks.load(std::memory_order_relaxed) > 0;
        }
        std::size_t asked = 0;
        for (const auto& worker : workers_) {
            sample.cpu += worker->clock().cpu_time();
            sample.calls += worker->calls();
            if (asked++ < most_asked_for_wait_time) sample.cpu += worker->clock().wait_time();
        }
        const auto census = engine_.stack.census();
        sample.starved = census.waiting == 0 || std::exchange(rested_, false);
        const unsigned limit = governor_.update(sample);
        engine_.stack.set_limit(limit);
        const unsigned wanted = std::min(limit, most_workers_);
        // Nothing waiting: those that there are suffice.
        while (census.waiting > 0 && living_ < wanted && add_worker()) {
        }
    }

    nanoseconds watch_interval() const {
        const nanoseconds timeout = engine_.stopping ? cancel_grace : engine_.options.stall_timeout;
        return std::min(longest_watch_interval, timeout / 8);
    }

    // Gives up the workers that hang, and starts others in their place.
    void watch(std::unique_lock<std::mutex>& lock, nanoseconds passed) {
        const nanoseconds timeout = engine_.stopping
                                        ? std::min(cancel_grace, engine_.options.stall_timeout)
                                        : engine_.options.stall_timeout;
        // Taking over may wait for a consumer, and workers never leave the list.
        std::vector<Worker*> workers;
        for (const auto& worker : workers_) workers.push_back(worker.get());
        lock.unlock();
        for (Worker* worker : workers) {
            if (!worker->give_up_if_stalled(passed, timeout)) continue;
            lock.lock();
            add_worker();
            lock.unlock();
            worker_ended();  // the one given up
        }
        lock.lock();
    }

    Engine engine_;
    const std::shared_ptr<const ConsumerGauge> gauge_;
    const WalkRests rests_;
    bool rested_ = false;  // since the last sample; the supervisor's
    const Clock::time_point begun_ = Clock::now();
    const pid_t owner_ = ::getpid();

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    // All guarded by mutex_.
    Governor governor_;
    std::vector<std::unique_ptr<Worker>> workers_;
    unsigned living_ = 0;  // workers that have neither ended nor been given up
    unsigned most_workers_ = largest_max_inflight;
    bool finished_ = false;
    Clock::time_point finished_at_{};
    std::function<void()> on_finished_;

    std::mutex join_mutex_;  // for finish()
    std::thread supervisor_;
};

Walk::Walk(std::shared_ptr<FileSystem> fs, std::string top, const WalkOptions& options,
           SinkFactory make_sink, std::shared_ptr<const ConsumerGauge> gauge, WalkRests rests) {
    check(options);
    const unsigned cores = options.max_threads != 0 ? options.max_threads : available_cores();
    const std::size_t budget = fs->descriptor_budget();
    const unsigned ceiling = ceiling_for(options, budget);
    const std::size_t working = ceiling * descriptors_per_worker + 1;  // and the top
    const std::size_t kept = budget > working + least_kept ? budget - working : least_kept;
    state_ = std::make_shared<State>(std::move(fs), std::move(top), options, std::move(make_sink),
                                     std::move(gauge), cores, ceiling, kept, std::move(rests));
    state_->start();
}

Walk::~Walk() {
    close();
    // Left as the fork left it, locks and all.
    if (!in_own_process()) new (std::nothrow) std::shared_ptr<State>(std::move(state_));
}

void Walk::close() noexcept {
    if (in_own_process()) state_->finish();
}

bool Walk::in_own_process() const noexcept { return state_->in_own_process(); }

std::optional<int> Walk::wait_started(nanoseconds timeout) { return state_->wait_started(timeout); }
bool Walk::wait_finished(nanoseconds timeout) { return state_->wait_finished(timeout); }
void Walk::on_finished(std::function<void()> callback) { state_->on_finished(std::move(callback)); }

void Walk::cancel() noexcept {
    state_->engine().stop();
    state_->notify();
}
bool Walk::cancelled() const noexcept { return state_->engine().stopping; }

const std::string& Walk::top() const noexcept { return state_->engine().top; }
WalkProgress Walk::progress() const { return state_->progress(); }
std::vector<EntryError> Walk::errors() const { return state_->engine().errors.copy(); }
std::exception_ptr Walk::failure() const {
    const std::lock_guard lock(state_->engine().failure_mutex);
    return state_->engine().failure;
}

}  // namespace filetree
