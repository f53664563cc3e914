#include "read_ahead.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>
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

// A listing that takes longer than its names explain has been waiting for storage.
constexpr nanoseconds quick_call{200'000};
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

class ReadAhead::Node {
   public:
    enum class Phase : std::uint8_t { reading, ready, claimed, forgotten };

    Node(std::string path_, Phase phase_) : path(std::move(path_)), phase(phase_) {}

    [[nodiscard]] std::size_t untaken() const noexcept { return plan.size() - next; }

    const std::string path;
    Phase phase;
    bool ahead_of_consumer = false;  // counted in State::ahead_directories_
    std::atomic<bool> awaited{false};
    bool follow = true;  // should it be a symlink
    ListedDirectory listed;
    std::size_t footprint = 0;  // counted in State::ahead_bytes_

    Listing children;
    std::vector<std::uint32_t> plan;  // of `children`, in the order of the walk
    std::size_t next = 0;             // of `plan`: the first that nobody has taken
    std::list<NodePtr> ahead;         // taken by readers, not claimed, in the order of the walk

    bool placed = false;
    std::list<Node*>::iterator place;  // in State::order_, when placed
};

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
        if (!parallel() || !parent) return {new_claim(path), false};
        std::unique_lock lock(mutex_);
        if (failure_) std::rethrow_exception(failure_);
        if (const NodePtr node = take_from(*parent, path)) {
            wait_until_read(lock, node, waiting);
            uncount(*node);
            node->phase = Node::Phase::claimed;
            summon();
            return {node, true};
        }
        skip_in_plan(*parent, path);
        return {new_claim(path), false};
    }

    void read(const NodePtr& node, bool follow, const Waiting& waiting) {
        node->follow = follow;
        if (parallel()) {
            std::unique_lock lock(mutex_);
            forget_below(*node);
            if (is_slow() && let_reader_read(lock, node, waiting)) return;
        }
        const auto begun = Clock::now();
        node->listed = list_directory(*fs_, node->path, follow, options_.rules, consumer_);
        note_speed(Clock::now() - begun, node->listed);
        // Readers, of other walks too, may have the descriptors that a serial walk would find free.
        for (milliseconds wait{1};
             parallel() && wait <= longest_scarcity_wait && is_scarcity(node->listed.error);
             wait *= 2) {
            std::this_thread::sleep_for(wait);
            node->listed = list_directory(*fs_, node->path, follow, options_.rules, consumer_);
        }
    }

    void expect(const NodePtr& node, const Listing& names,
                const std::vector<std::uint32_t>& children) {
        if (!parallel() || children.empty() || !node->listed.dates_changes) return;
        const std::lock_guard lock(mutex_);
        set_plan(*node, names, children);
        place_before(order_.begin(), *node);
        summon();
    }

    void reorder(const NodePtr& node, const std::vector<std::string>& names) {
        if (!parallel()) return;
        const std::lock_guard lock(mutex_);
        unplan(*node);
        std::unordered_map<std::string_view, std::uint32_t> known;
        for (std::uint32_t i = 0; i < node->children.size(); ++i) {
            known.emplace(node->children.name(i), i);
        }
        std::unordered_map<std::string_view, NodePtr> taken;
        for (const NodePtr& child : node->ahead) taken.emplace(child->path, child);
        node->ahead.clear();

        std::string path;
        for (const std::string& name : names) {
            join_path(path, node->path, name);
            if (const auto found = taken.find(path); found != taken.end()) {
                node->ahead.push_back(found->second);
                taken.erase(found);
            } else if (const auto index = known.find(name); index != known.end()) {
                node->plan.push_back(index->second);
            }
        }
        for (const auto& [_, child] : taken) forget(*child);
        untaken_ += node->untaken();
        bring_to_front(*node);
        summon();
    }

    void release(const NodePtr& node) {
        if (!parallel()) return;
        const std::lock_guard lock(mutex_);
        forget_below(*node);
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
        std::unique_lock lock(mutex_);
        stop_.store(true);
        work_.notify_all();
        idle_or_gone_.wait_for(lock, close_patience, [this] { return readers_ == 0; });
    }

   private:
    [[nodiscard]] bool parallel() const noexcept { return options_.cores > 1; }
    [[nodiscard]] bool is_slow() const noexcept { return slow_.load(std::memory_order_relaxed); }

    static NodePtr new_claim(const std::string& path) {
        return std::make_shared<Node>(path, Node::Phase::claimed);
    }

    // --- the tree of nodes and its order ---------------------------------------------------------

    // The child at `path`, if a reader has taken it. Those before it are forgotten.
    NodePtr take_from(Node& parent, const std::string& path) {
        auto& ahead = parent.ahead;
        const auto found = std::find_if(ahead.begin(), ahead.end(),
                                        [&](const NodePtr& child) { return child->path == path; });
        if (found == ahead.end()) return nullptr;
        NodePtr node = *found;
        for (auto passed = ahead.begin(); passed != found; ++passed) forget(**passed);
        ahead.erase(ahead.begin(), std::next(found));
        return node;
    }

    [[nodiscard]] std::string next_path(const Node& parent) const {
        std::string path;
        join_path(path, parent.path, parent.children.name(parent.plan[parent.next]));
        return path;
    }

    void skip_in_plan(Node& parent, const std::string& path) {
        if (parent.untaken() > 0 && next_path(parent) == path) advance(parent);
    }

    void advance(Node& parent) {
        ++parent.next;
        --untaken_;
        if (parent.untaken() == 0) unplace(parent);
    }

    void set_plan(Node& node, const Listing& names, const std::vector<std::uint32_t>& children) {
        node.children.clear();
        node.plan.clear();
        for (const std::uint32_t i : children) {
            node.plan.push_back(static_cast<std::uint32_t>(node.plan.size()));
            node.children.add(names.name(i), EntryType::directory);
        }
        node.next = 0;
        untaken_ += node.untaken();
    }

    void unplan(Node& node) {
        untaken_ -= node.untaken();
        node.plan.clear();
        node.next = 0;
        unplace(node);
    }

    void place_before(std::list<Node*>::iterator at, Node& node) {
        node.place = order_.insert(at, &node);
        node.placed = true;
    }

    void unplace(Node& node) {
        if (node.placed) order_.erase(node.place);
        node.placed = false;
    }

    // What is below a node comes before the node itself, which stands for its untaken children.
    void bring_to_front(Node& node) {
        const auto mark = order_.insert(order_.begin(), nullptr);
        for (const NodePtr& child : node.ahead) move_before(mark, *child);
        if (node.untaken() > 0) place_before(mark, node);
        order_.erase(mark);
    }

    // The depth of what is ahead is within the window, and so are these recursions.
    void move_before(std::list<Node*>::iterator at, Node& node) {
        for (const NodePtr& child : node.ahead) move_before(at, *child);
        if (node.placed) order_.splice(at, order_, node.place);
    }

    void forget(Node& node) {
        forget_below(node);
        uncount(node);
        node.phase = Node::Phase::forgotten;
    }

    void forget_below(Node& node) {
        unplan(node);
        for (const NodePtr& child : node.ahead) forget(*child);
        node.ahead.clear();
    }

    void count(Node& node) {
        node.ahead_of_consumer = true;
        ++ahead_directories_;
    }

    void uncount(Node& node) {
        if (!node.ahead_of_consumer) return;
        node.ahead_of_consumer = false;
        --ahead_directories_;
        ahead_bytes_ -= node.footprint;
    }

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

    void wait_until_read(std::unique_lock<std::mutex>& lock, const NodePtr& node,
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
            try {
                if (waiting) waiting();
            } catch (...) {
                lock.lock();
                if (wanted_ == node) wanted_ = nullptr;
                forget(*node);
                throw;
            }
            lock.lock();
        }
    }

    // --- readers ---------------------------------------------------------------------------------

    bool has_room() {
        const std::size_t bytes = ahead_bytes_ + reading_bytes_;
        const bool over =
            ahead_directories_ >= options_.window_directories || bytes >= options_.window_bytes;
        const bool under = ahead_directories_ <= options_.window_directories / 2 &&
                           bytes <= options_.window_bytes / 2;
        // Once full, wait until a good part is free: so each wake-up is worth its cost.
        full_ = over || (full_ && !under);
        return !full_;
    }

    bool has_work() {
        return wanted_ || (untaken_ >= (is_slow() ? 1 : worth_waking) && has_room());
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

    [[nodiscard]] static bool is_scarcity(int error) noexcept {
        return error == EMFILE || error == ENFILE;
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
        } catch (const std::system_error&) {
            return false;  // the consumer reads by itself what nobody has read for it
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
        if (!has_work()) return nullptr;
        // In front of the first with untaken children there are only those being read.
        const auto parent = std::find_if(order_.begin(), order_.end(),
                                         [](const Node* node) { return node->untaken() > 0; });
        auto node = std::make_shared<Node>(next_path(**parent), Node::Phase::reading);
        (*parent)->ahead.push_back(node);
        place_before(parent, *node);
        count(*node);
        advance(**parent);
        return node;
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
            const bool fits = ahead_bytes_ + reading_bytes_ < 2 * options_.window_bytes;
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
        if (node.phase == Node::Phase::forgotten) {
            unplace(node);
            return;
        }
        node.listed = std::move(read.listed);
        node.phase = Node::Phase::ready;
        if (node.ahead_of_consumer) {
            node.footprint = node.listed.names.footprint();
            ahead_bytes_ += node.footprint;
        }
        if (node.placed) {  // by a reader; where the consumer asked, it says what to expect
            if (read.children.empty()) {
                unplace(node);
            } else {
                set_plan(node, node.listed.names, read.children);
            }
        }
        if (node.awaited) read_.notify_one();
    }

    // --- how many readers ------------------------------------------------------------------------

    void note_speed(nanoseconds taken, const ListedDirectory& listed) noexcept {
        const auto names = static_cast<std::int64_t>(listed.names.size());
        const bool slow = taken > quick_call + names * quick_name;
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

    // Nodes placed: with untaken children, or being read; in the order of the walk.
    std::list<Node*> order_;
    NodePtr wanted_;  // what the consumer waits for and nobody has begun
    std::size_t untaken_ = 0;
    std::size_t ahead_directories_ = 0;
    std::atomic<std::size_t> ahead_bytes_{0};
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
