#include "read_ahead.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "filetree/ordered_walk.hpp"
#include "governor.hpp"
#include "thread_clock.hpp"

namespace filetree::walk {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds poll_interval{50};
constexpr std::chrono::microseconds nap{50};
constexpr unsigned most_naps = 10;
constexpr milliseconds idle_reader_stays{200};
constexpr milliseconds close_patience{250};
// How often a reader's time is added up.
constexpr milliseconds account_interval{2};

// What a name explains of the time that a listing takes.
constexpr nanoseconds quick_name{2'000};
// Of slow listings, by an average over the last few.
constexpr double slow_share = 0.25;
constexpr double newest_weight = 0.125;

// Quick storage does not reward waking a reader for a single directory.
constexpr std::size_t worth_waking = 2;
// Of the descriptors that are free, for one walk; and how many must be for it to read ahead at all.
constexpr std::size_t descriptor_share = 4;
constexpr std::size_t least_descriptors = 32;
constexpr milliseconds scarcity_lasts{100};
// How long the consumer waits, in steps that double, for readers to give descriptors back.
constexpr milliseconds longest_scarcity_wait{128};

}  // namespace

class ReadAhead::State : public std::enable_shared_from_this<State> {
   public:
    State(std::shared_ptr<FileSystem> fs, const Options& options)
        : fs_(std::move(fs)),
          options_(options),
          governor_(options.cores, options.ceiling),
          limit_(readers_of(governor_.limit())),
          started_(Clock::now()),
          next_sample_(started_ + governor_.next_sample_after()) {}

    Claim claim(const NodePtr& parent, const std::string& path, const Waiting& waiting) {
        if (!parallel() || !parent) return {ReadingOrder::new_claim(path), false};
        std::unique_lock lock(mutex_);
        if (failure_) std::rethrow_exception(failure_);
        if (const NodePtr node = order_.claim(*parent, path)) {
            wait_until_read(lock, node, waiting);
            order_.pass_to_consumer(*node);
            summon();
            return {node, true};
        }
        order_.skip(*parent, path);
        return {ReadingOrder::new_claim(path), false};
    }

    void read(const NodePtr& node, bool follow, const Waiting& waiting) {
        node->follow = follow;
        if (parallel()) {
            std::unique_lock lock(mutex_);
            order_.forget_below(*node);
            if (is_slow() && let_reader_read(lock, node, waiting)) return;
        }
        const auto begun = Clock::now();
        node->listed = list_directory(*fs_, node->path, follow, options_.rules, consumer_);
        note_speed(Clock::now() - begun, node->listed);
        // Readers, of other walks too, may have the descriptors that a serial walk would find free.
        for (milliseconds wait{1}; parallel() && wait <= longest_scarcity_wait &&
                                   is_out_of_descriptors(node->listed.error);
             wait *= 2) {
            std::this_thread::sleep_for(wait);
            node->listed = list_directory(*fs_, node->path, follow, options_.rules, consumer_);
        }
    }

    void expect(const NodePtr& node, const Listing& names,
                const std::vector<std::uint32_t>& children) {
        if (!parallel() || children.empty() || !node->listed.dates_changes) return;
        const std::lock_guard lock(mutex_);
        order_.plan_first(*node, names, children);
        summon();
    }

    void reorder(const NodePtr& node, const std::vector<std::string>& names) {
        if (!parallel()) return;
        const std::lock_guard lock(mutex_);
        order_.reorder(*node, names);
        summon();
    }

    void release(const NodePtr& node) {
        if (!parallel()) return;
        const std::lock_guard lock(mutex_);
        order_.forget_below(*node);
        summon();
    }

    [[nodiscard]] unsigned threads_peak() const {
        const std::lock_guard lock(mutex_);
        return readers_peak_;
    }

    bool wait_idle(nanoseconds timeout) {
        std::unique_lock lock(mutex_);
        return idle_or_gone_.wait_for(lock, timeout,
                                      [this] { return readers_ == idle_ && !has_work(); });
    }

    void close() noexcept {
        stop_.store(true);  // at once: readers ask without the lock, too
        std::unique_lock lock(mutex_);
        work_.notify_all();
        idle_or_gone_.wait_for(lock, close_patience, [this] { return readers_ == 0; });
    }

   private:
    [[nodiscard]] bool parallel() const noexcept { return options_.cores > 1; }
    [[nodiscard]] bool is_slow() const noexcept { return slow_.load(std::memory_order_relaxed); }

    // --- the consumer ----------------------------------------------------------------------------

    // False: there is no thread that could.
    bool let_reader_read(std::unique_lock<std::mutex>& lock, const NodePtr& node,
                         const Waiting& waiting) {
        // However many readers hang in what is ahead, this one must be read.
        if (idle_ == 0 && !start_reader()) return false;
        node->phase = Node::Phase::reading;
        wanted_ = node;
        work_.notify_one();
        wait_until_read(lock, node, waiting);
        node->phase = Node::Phase::claimed;
        return true;
    }

    // While storage is quick, a consumer that would have to wait reads ahead itself.
    bool help(std::unique_lock<std::mutex>& lock) {
        if (is_slow() || stop_) return false;
        if (!helping_) {
            lock.unlock();
            const bool may_hang = options_.followlinks || fs_->has_mounts_below(options_.top);
            lock.lock();
            helping_ = !may_hang;
            limit_ = std::max(limit_, readers_of(governor_.limit()));
            return true;
        }
        const NodePtr node = *helping_ ? take_work() : nullptr;
        if (!node) return false;
        lock.unlock();
        const auto begun = Clock::now();
        Read read = read_ahead(*node, consumer_);
        note_speed(Clock::now() - begun, read.listed);
        lock.lock();
        complete(*node, std::move(read));
        return true;
    }

    // Nobody will come to the node should anything be thrown, be it below or by the caller.
    void wait_until_read(std::unique_lock<std::mutex>& lock, const NodePtr& node,
                         const Waiting& waiting) {
        try {
            wait_while_reading(lock, node, waiting);
        } catch (...) {
            // It may have been thrown unlocked, and readers have the node in their order.
            if (!lock.owns_lock()) lock.lock();
            if (wanted_ == node) wanted_ = nullptr;
            order_.forget(*node);
            throw;
        }
    }

    void wait_while_reading(std::unique_lock<std::mutex>& lock, const NodePtr& node,
                            const Waiting& waiting) {
        unsigned naps = 0;
        while (node->phase == Node::Phase::reading) {
            if (failure_) std::rethrow_exception(failure_);
            if (help(lock)) continue;
            if (!is_slow() && naps++ < most_naps) {
                // Readers will have got ahead by then: better than a wake-up for each directory.
                lock.unlock();
                std::this_thread::sleep_for(nap);
                lock.lock();
                continue;
            }
            node->awaited.store(true);
            if (read_.wait_for(lock, poll_interval) == std::cv_status::no_timeout) continue;
            lock.unlock();
            if (waiting) waiting();
            lock.lock();
        }
    }

    // --- readers ---------------------------------------------------------------------------------

    bool has_room() {
        const std::size_t bytes = order_.ahead_bytes() + reading_bytes_;
        const bool over = order_.ahead_directories() >= options_.window_directories ||
                          bytes >= options_.window_bytes;
        const bool under = order_.ahead_directories() <= options_.window_directories / 2 &&
                           bytes <= options_.window_bytes / 2;
        // Once full, wait until a good part is free: so each wake-up is worth its cost.
        full_ = over || (full_ && !under);
        return !full_;
    }

    bool has_work() {
        return wanted_ || (order_.untaken() >= (is_slow() ? 1 : worth_waking) && has_room());
    }

    // Sees to it that somebody does what there is to do.
    void summon() {
        if (stop_ || !has_work()) return;
        if (idle_ > 0) {
            work_.notify_one();
        } else if (readers_ < limit_) {
            start_reader();
        }
    }

    // Whether there are descriptors to spare; asked when the first reader is to start.
    bool has_descriptors() {
        const auto now = Clock::now();
        if (now < scarce_until_) return false;
        if (fs_->descriptor_budget() >= least_descriptors) return true;
        scarce_until_ = now + scarcity_lasts;
        return false;
    }

    bool start_reader() {
        if (readers_ == 0 && !has_descriptors()) return false;
        if (readers_peak_ == 0) consumer_clock_.attach();
        try {
            std::thread([self = shared_from_this()] { self->run(); }).detach();
        } catch (const std::exception&) {
            return false;  // no thread: the consumer reads by itself what nobody has read for it
        }
        readers_peak_ = std::max(readers_peak_, ++readers_);
        return true;
    }

    void run() noexcept {
        std::unique_lock lock(mutex_);
        try {
            read_while_there_is_work(lock);
        } catch (...) {
            if (!lock.owns_lock()) lock.lock();
            failure_ = std::current_exception();
            stop_.store(true);
            read_.notify_one();
        }
        --readers_;
        idle_or_gone_.notify_all();
    }

    void read_while_there_is_work(std::unique_lock<std::mutex>& lock) {
        CallContext context(stop_);
        ThreadClock clock;
        clock.attach();
        nanoseconds busy{0};
        std::uint64_t calls = 0;
        auto accounted = Clock::now();
        while (!stop_ && (readers_ <= limit_ || wanted_)) {
            const NodePtr node = take_work();
            if (!node) {
                if (!wait_for_work(lock)) return;
                continue;
            }
            summon();
            lock.unlock();
            const auto begun = Clock::now();
            Read read = read_ahead(*node, context);
            const auto ended = Clock::now();
            note_speed(ended - begun, read.listed);
            const bool account = ended - accounted >= account_interval;
            const nanoseconds busy_now = account ? clock.cpu_time() + clock.wait_time() : busy;
            lock.lock();
            if (stop_) return;
            complete(*node, std::move(read));
            if (!account) continue;
            accounted = ended;
            busy_ += busy_now - std::exchange(busy, busy_now);
            calls_ += context.beats() - std::exchange(calls, context.beats());
            if (ended >= next_sample_) govern(ended);
        }
    }

    // False: there has been nothing to do for a while.
    bool wait_for_work(std::unique_lock<std::mutex>& lock) {
        ++idle_;
        was_idle_ = true;
        idle_or_gone_.notify_all();
        const bool woken =
            work_.wait_for(lock, idle_reader_stays, [this] { return stop_.load() || has_work(); });
        --idle_;
        return woken;
    }

    NodePtr take_work() {
        if (wanted_) return std::exchange(wanted_, nullptr);
        return has_work() ? order_.take() : nullptr;
    }

    struct Read {
        ListedDirectory listed;
        std::vector<std::uint32_t> children;
    };

    Read read_ahead(const Node& node, CallContext& context) {
        Read read;
        std::size_t counted = 0;
        const auto go_on = [&](std::size_t footprint) {
            reading_bytes_ += footprint - std::exchange(counted, footprint);
            const bool fits = order_.ahead_bytes() + reading_bytes_ < 2 * options_.window_bytes;
            return !stop_ && (fits || node.awaited);
        };
        read.listed = list_directory(*fs_, node.path, node.follow, options_.rules, context, go_on);
        reading_bytes_ -= counted;
        if (!read.listed.dates_changes) return read;  // will be listed again when it is due

        // On slow storage, following symlinks now makes the answers be at hand when they are due.
        const Listing& names = read.listed.names;
        read.children =
            subdirectories(*fs_, node.path, names, options_.followlinks || is_slow(), context);
        if (!options_.followlinks) {
            std::erase_if(read.children,
                          [&](std::uint32_t i) { return names.type(i) != EntryType::directory; });
        }
        return read;
    }

    void complete(Node& node, Read&& read) {
        order_.complete(node, std::move(read.listed), read.children);
        const bool is_ready = node.phase == Node::Phase::ready;
        if (is_ready && node.awaited) read_.notify_one();
    }

    // --- how many readers ------------------------------------------------------------------------

    void note_speed(nanoseconds taken, const ListedDirectory& listed) noexcept {
        const auto names = static_cast<std::int64_t>(listed.names.size());
        const bool slow = taken > options_.quick_call + names * quick_name;
        const double sample = slow ? 1 : 0;
        const double average = slowness_.load(std::memory_order_relaxed);
        const double next = average < 0 ? sample : average + newest_weight * (sample - average);
        slowness_.store(next, std::memory_order_relaxed);
        slow_.store(next > slow_share, std::memory_order_relaxed);
    }

    // Of as many threads as there are cores, a consumer that helps is one.
    [[nodiscard]] unsigned readers_of(unsigned threads) const noexcept {
        const bool one_more = threads <= options_.cores && helping_.value_or(true);
        return one_more ? std::max(2U, threads) - 1 : threads;
    }

    void govern(Clock::time_point now) {
        const bool starved = std::exchange(was_idle_, idle_ > 0);
        const nanoseconds busy = busy_ + consumer_clock_.cpu_time();
        const unsigned wanted =
            readers_of(governor_.update({now - started_, busy, calls_, starved, full_}));
        if (wanted > limit_) {
            const std::size_t descriptors = fs_->descriptor_budget() / descriptor_share;
            limit_ = static_cast<unsigned>(std::clamp<std::size_t>(descriptors, limit_, wanted));
        } else {
            limit_ = wanted;
        }
        next_sample_ = now + governor_.next_sample_after();
        summon();
    }

    const std::shared_ptr<FileSystem> fs_;
    const Options options_;
    std::atomic<bool> stop_{false};
    CallContext consumer_{stop_};

    mutable std::mutex mutex_;
    std::condition_variable work_;          // for idle readers
    std::condition_variable read_;          // for the consumer
    std::condition_variable idle_or_gone_;  // readers

    ReadingOrder order_;
    NodePtr wanted_;  // what the consumer waits for and nobody has begun
    std::atomic<std::size_t> reading_bytes_{0};
    bool full_ = false;
    std::optional<bool> helping_;  // unknown until the consumer has to wait
    std::exception_ptr failure_;   // of a reader

    Governor governor_;
    unsigned limit_;
    unsigned readers_ = 0;
    unsigned readers_peak_ = 0;
    unsigned idle_ = 0;
    bool was_idle_ = false;  // since the last sample
    Clock::time_point scarce_until_{};
    const Clock::time_point started_;
    Clock::time_point next_sample_;
    ThreadClock consumer_clock_;
    nanoseconds busy_{0};  // of readers
    std::uint64_t calls_ = 0;
    std::atomic<double> slowness_{-1};  // none yet
    std::atomic<bool> slow_{false};
};

ReadAhead::ReadAhead(std::shared_ptr<FileSystem> fs, const Options& options)
    : state_(std::make_shared<State>(std::move(fs), options)) {}

ReadAhead::~ReadAhead() { state_->close(); }

ReadAhead::Claim ReadAhead::claim(const NodePtr& parent, const std::string& path,
                                  const Waiting& waiting) {
    return state_->claim(parent, path, waiting);
}

ListedDirectory& ReadAhead::listed(Node& node) noexcept { return node.listed; }

void ReadAhead::read(const NodePtr& node, bool follow, const Waiting& waiting) {
    state_->read(node, follow, waiting);
}

void ReadAhead::expect(const NodePtr& node, const Listing& names,
                       const std::vector<std::uint32_t>& children) {
    state_->expect(node, names, children);
}

void ReadAhead::reorder(const NodePtr& node, const std::vector<std::string>& names) {
    state_->reorder(node, names);
}

void ReadAhead::release(const NodePtr& node) { state_->release(node); }

unsigned ReadAhead::threads_peak() const { return state_->threads_peak(); }

bool ReadAhead::wait_idle(nanoseconds timeout) { return state_->wait_idle(timeout); }

}  // namespace filetree::walk
