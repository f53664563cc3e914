#include "worker.hpp"

#include <algorithm>
#include <cerrno>
#include <thread>

#include "frontier.hpp"

namespace filetree::walk {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Names one worker stats at a time, at most; what it claims is sized to take about a claim_time.
constexpr std::size_t largest_claim = 1024;
constexpr nanoseconds claim_time = milliseconds(2);
// A listing goes on to others after this many names, or after listing_time.
constexpr std::size_t listing_part = 1024;
constexpr nanoseconds listing_time = milliseconds(2);

constexpr int most_interruptions = 100;
constexpr milliseconds longest_backoff{100};
constexpr milliseconds descriptor_patience{2000};

bool means_vanished(int error) noexcept { return error == ENOENT; }
// It was a directory when it was listed.
bool means_directory_vanished(int error) noexcept {
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

}  // namespace

void Worker::run() {
    clock_.attach();
    try {
        set_sink(engine_.make_sink());
        WorkItem item;
        bool running = false;
        while (engine_.stack.next(this, running, found_, claim_size(), item)) {
            running = true;
            const Outcome outcome = item.is_listing() ? list(item) : stat_range(item);
            if (outcome == Outcome::abandoned) {
                note_success(*item.node);  // the call did return after all
                return;
            }
        }
        let_go();
        sink_->flush();
    } catch (...) {
        engine_.fail(std::current_exception());
        let_go();  // not before: the directory's handle may be kept, and stays until the stop
    }
}

void Worker::set_sink(std::unique_ptr<EntrySink> sink) {
    sink->lend(*this);
    const auto lock = lock_thawed();
    sink_ = std::move(sink);
}

// Lets go of the last work: the worker lives as long as the walk, a directory must not.
void Worker::let_go() {
    WorkItem last;  // destroyed after the lock is gone
    const auto lock = lock_thawed();
    open_.reset();
    last = std::move(current_);
    step_ = Step::idle;
}

// ---- Steps ------------------------------------------------------------------------------------

std::unique_lock<std::mutex> Worker::lock_thawed() {
    std::unique_lock lock(mutex_);
    thawed_.wait(lock, [this] { return !frozen_; });
    return lock;
}

bool Worker::begin(const WorkItem& item, Step step) {
    const auto lock = lock_thawed();
    current_ = item;
    step_ = step;
    return !given_up_;
}

bool Worker::enter(Step step) {
    const auto lock = lock_thawed();
    if (given_up_) return false;
    step_ = step;
    return true;
}

bool Worker::enter_stat(std::shared_ptr<const Listing> names, std::size_t first, std::size_t last) {
    context_.at(first);
    const auto lock = lock_thawed();
    if (given_up_) return false;
    current_.names = std::move(names);
    current_.first = first;
    current_.last = last;
    step_ = Step::stat;
    return true;
}

// The calls were cut short because the walk stops: nothing is committed.
Worker::Outcome Worker::stopped() const { return given_up() ? Outcome::abandoned : Outcome::done; }

// ---- Work -------------------------------------------------------------------------------------

Worker::Outcome Worker::list(WorkItem& item) {
    const NodePtr& node = item.node;
    if (item.stream) {
        if (!begin(item, Step::read)) return Outcome::abandoned;
        return list_open(node, std::move(item.stream));
    }
    if (!begin(item, Step::open)) return Outcome::abandoned;
    if (not_worth_trying(*node)) return skip_opening(node, Operation::open, ETIMEDOUT);
    if (node->attributes().automount_point) {
        return skip_opening(node, Operation::open, 0);
    }
    auto opened = open(*node);
    if (!opened.ok()) return skip_opening(node, Operation::open, opened.error);
    if (const int error = verify(*node, *opened.value)) {
        return skip_opening(node, Operation::open, error);
    }
    if (!enter(Step::read)) return Outcome::abandoned;
    release_parent(*node);
    return list_open(node, std::move(opened.value));
}

Worker::Outcome Worker::list_open(const NodePtr& node, Handle directory) {
    if (!node->parent() && node->attributes().inode == 0) {
        const StatResult top = directory->attributes(context_);
        if (!enter(Step::read)) return Outcome::abandoned;
        if (top.error != 0) return skip_opening(node, Operation::stat, top.error);
        node->set_attributes(top.attributes);
        engine_.top_attributes = top.attributes;
        engine_.set_started(0);
        if (!engine_.begin_at.empty()) return go_on_with_frontier(node, std::move(directory));
    }
    // Devices have other numbers after a restart, and a directory may have been replaced meanwhile.
    StatResult now;
    if (node->from_earlier_walk) now = directory->attributes(context_);
    if (!names_) names_ = std::make_shared<Listing>();
    Listing& names = *names_;
    names.clear();
    const Read read = read_part(*directory, names);

    // A short listing is finished at once; a long one is left for others to share.
    const bool at_once = !read.more && names.size() <= claim_size();
    if (at_once && !names.empty()) {
        if (!enter_stat(names_, 0, names.size())) return Outcome::abandoned;
        if (!stat_names(*directory, names, 0, names.size())) return stopped();
    }
    if (!enter(Step::commit)) return Outcome::abandoned;
    open_ = directory;
    note_success(*node);
    if (node->from_earlier_walk && now.error == 0) node->set_attributes(now.attributes);
    node->from_earlier_walk = false;

    if (means_vanished(read.error) && node->parent()) {
        // Removed while it was open. Its row stays if some of its names have been seen.
        vanished_.add(1);
        node->vanished.store(names.empty() && node->file_count.load() == 0);
    } else if (read.error != 0) {
        fail_directory(*node, Operation::read, read.error);
    }
    if (read.more) {
        node->parts.fetch_add(1, std::memory_order_relaxed);
        found_.push_back({.node = node, .stream = directory});
    }
    if (at_once) {
        commit_entries(node, names, 0, names.size());
    } else if (!names.empty()) {
        node->parts.fetch_add(1, std::memory_order_relaxed);
        const std::size_t count = names.size();
        found_.push_back({.node = node, .names = std::move(names_), .last = count, .owner = this});
    }
    // Children, ranges and the rest of the listing will want it open.
    if (node->parts.load(std::memory_order_relaxed) > 1 ||
        node->holds.load(std::memory_order_relaxed) > 1) {
        engine_.handles.keep(*node, std::move(directory), read.more);
    }
    finish_part(*node);
    open_.reset();
    return Outcome::done;
}

// The top itself has been finished by an earlier walk.
Worker::Outcome Worker::go_on_with_frontier(const NodePtr& top, Handle directory) {
    if (!enter(Step::commit)) return Outcome::abandoned;
    for (NodePtr& node : decode_frontier(engine_.begin_at, top)) {
        found_.push_back({.node = std::move(node)});
    }
    if (top->holds.load() > 1) engine_.handles.keep(*top, std::move(directory), false);
    release_hold(*top);
    return Outcome::done;
}

Worker::Outcome Worker::stat_range(WorkItem& item) {
    Node& node = *item.node;
    if (!begin(item, Step::open)) return Outcome::abandoned;
    Result<Handle> directory = Result<Handle>::failure(ETIMEDOUT);
    const bool tried = !not_worth_trying(node);
    if (tried) directory = patiently([&] { return engine_.handles.acquire(node, context_); });
    if (!directory.ok()) {
        if (!enter(Step::commit)) return Outcome::abandoned;
        node.file_count.fetch_add(item.last - item.first, std::memory_order_relaxed);
        if (tried && means_directory_vanished(directory.error)) {
            vanished_.add(item.last - item.first);
        } else if (tried) {
            fail_directory(node, Operation::open, directory.error);
        } else if (!node.unreadable.exchange(true)) {
            add_error(node, {}, Operation::stat, ETIMEDOUT);
        }
        finish_part(node);
        return Outcome::done;
    }
    if (!enter_stat(item.names, item.first, item.last)) return Outcome::abandoned;
    if (!stat_names(*directory.value, *item.names, item.first, item.last)) return stopped();
    if (!enter(Step::commit)) return Outcome::abandoned;
    open_ = std::move(directory.value);
    note_success(node);
    commit_entries(item.node, *item.names, item.first, item.last);
    finish_part(node);
    open_.reset();
    return Outcome::done;
}

// ---- File-system step -------------------------------------------------------------------------

// Repeats a call that was interrupted, and one that found no free descriptor: others will be
// closed as the walk goes on.
template <class Call>
auto Worker::patiently(Call call) -> decltype(call()) {
    milliseconds waited{0};
    milliseconds backoff{1};
    for (int interruptions = 0;;) {
        auto result = call();
        if (context_.stop_requested()) return result;
        if (result.error == EINTR && ++interruptions < most_interruptions) continue;
        if (!is_out_of_descriptors(result.error) || waited >= descriptor_patience) return result;
        engine_.handles.shed();
        std::this_thread::sleep_for(backoff);
        context_.beat();
        waited += backoff;
        backoff = std::min(2 * backoff, longest_backoff);
    }
}

Result<Worker::Handle> Worker::open(Node& node) {
    return patiently([&]() -> Result<Handle> {
        if (!node.parent()) return engine_.fs->open(engine_.top, context_);
        auto parent = engine_.handles.acquire(*node.parent(), context_);
        if (!parent.ok()) return parent;
        return parent.value->open(node.c_name(), context_);
    });
}

// 0, or why it is not the directory that was found.
int Worker::verify(const Node& node, Directory& opened) {
    if (!engine_.options.verify_directories || !node.parent()) return 0;
    const StatResult now = opened.attributes(context_);
    if (now.error != 0) return now.error;
    return now.attributes.has_place_of(node.attributes()) ? 0 : ESTALE;
}

Worker::Read Worker::read_part(Directory& directory, Listing& names) {
    const auto begun = Clock::now();
    for (;;) {
        const auto read = patiently([&] { return directory.read(names, context_); });
        if (!read.ok() || !read.value) return {false, read.error};
        const bool enough = names.size() >= listing_part || Clock::now() - begun >= listing_time ||
                            context_.stop_requested();
        if (enough && engine_.handles.has_room_for_stream()) return {true, 0};
    }
}

bool Worker::stat_names(Directory& directory, const Listing& names, std::size_t first,
                        std::size_t last) {
    if (stats_.size() < last - first) stats_.resize(std::max(last - first, largest_claim));
    const auto begun = Clock::now();
    const bool all = engine_.options.attributes ? stat_range_of(directory, names, first, last,
                                                                StatMask::all, stats_.data())
                                                : stat_unknown_types(directory, names, first, last);
    const auto spent = static_cast<std::uint64_t>((Clock::now() - begun).count());
    const std::uint64_t each = spent / std::max<std::size_t>(1, last - first);
    // A moving average; a lost update of another worker does no harm.
    const std::uint64_t before = engine_.stat_cost.load(std::memory_order_relaxed);
    engine_.stat_cost.store((3 * before + each) / 4, std::memory_order_relaxed);
    return all;
}

// As Directory::stat, but interrupted calls are made again. False when the walk stops.
bool Worker::stat_range_of(Directory& directory, const Listing& names, std::size_t first,
                           std::size_t last, StatMask mask, StatResult* out) {
    if (directory.stat(names, first, last, mask, out, context_) < last - first) return false;
    for (std::size_t i = first; i < last; ++i, ++out) {
        for (int again = 0; out->error == EINTR && again < most_interruptions; ++again) {
            if (directory.stat(names, i, i + 1, mask, out, context_) == 0) return false;
        }
    }
    return true;
}

bool Worker::stat_unknown_types(Directory& directory, const Listing& names, std::size_t first,
                                std::size_t last) {
    for (std::size_t i = first; i < last; ++i) {
        StatResult& result = stats_[i - first];
        const EntryType type = names.type(i);
        const bool told = type != EntryType::unknown &&
                          !(type == EntryType::directory && engine_.selection.needs_mounts());
        if (told) {
            result = {};
            result.attributes.mode = static_cast<std::uint32_t>(type) << 12U;
            result.attributes.mount_id = engine_.top_attributes.mount_id;
        } else if (!stat_range_of(directory, names, i, i + 1, StatMask::type, &result)) {
            return false;
        }
    }
    return true;
}

std::size_t Worker::claim_size() const noexcept {
    const std::uint64_t cost =
        std::max<std::uint64_t>(1, engine_.stat_cost.load(std::memory_order_relaxed));
    const auto fitting = static_cast<std::uint64_t>(claim_time.count()) / cost;
    return std::clamp<std::size_t>(fitting, 1, largest_claim);
}

// ---- Commit step ------------------------------------------------------------------------------

void Worker::commit_entries(const NodePtr& node, const Listing& names, std::size_t first,
                            std::size_t last) {
    selected_.clear();
    std::uint64_t size_sum = 0;
    std::uint64_t bytes = 0;
    const ExcludedNames* excluded = node->excluded();
    for (std::size_t i = first; i < last; ++i) {
        const auto& [attributes, error] = stats_[i - first];
        if (error != 0) {
            commit_failed_entry(*node, names.name(i), error);
            continue;
        }
        if (!engine_.selection.on_allowed_mount(attributes, engine_.top_attributes)) continue;
        size_sum += attributes.size;
        if (attributes.is_directory()) {
            commit_child(node, names.name(i), attributes);
            continue;
        }
        if (excluded != nullptr && excluded->excludes(names.name(i))) continue;
        selected_.push_back(static_cast<std::uint32_t>(i));
        kinds_[static_cast<std::size_t>(attributes.type())].add(1);
        bytes += attributes.size;
    }
    bytes_.add(bytes);
    node->file_count.fetch_add(last - first, std::memory_order_relaxed);
    node->size_sum.fetch_add(size_sum, std::memory_order_relaxed);
    if (!selected_.empty()) sink_->entries(*node, names, selected_, first, stats_.data());
}

void Worker::commit_child(const NodePtr& node, std::string_view name,
                          const Attributes& attributes) {
    const ExcludedNames* excluded = node->excluded();
    if (!engine_.selection.enters(excluded, name, node->depth() + 1)) return;
    node->holds.fetch_add(1, std::memory_order_relaxed);
    const ExcludedNames* below = excluded != nullptr ? excluded->below(name) : nullptr;
    found_.push_back({.node = NodePtr(new Node(node, std::string(name), attributes, below))});
}

void Worker::commit_failed_entry(const Node& node, std::string_view name, int error) {
    if (means_vanished(error)) {
        vanished_.add(1);
    } else {
        add_error(node, name, Operation::stat, error);
    }
}

// A directory that will not be listed. The errno 0 is for one left alone on purpose.
Worker::Outcome Worker::skip_opening(const NodePtr& node, Operation operation, int error) {
    if (!enter(Step::commit)) return Outcome::abandoned;
    node->unopened.store(true, std::memory_order_relaxed);
    if (!node->parent()) {
        // Without its top there is no walk.
        engine_.set_started(error);
        engine_.stop();
        return Outcome::done;
    }
    if (means_directory_vanished(error)) {
        vanished_.add(1);
        node->vanished.store(true);
    } else if (error != 0) {
        fail_directory(*node, operation, error);
    } else {
        automount_points_.add(1);
    }
    release_parent(*node);
    finish_part(*node);
    return Outcome::done;
}

void Worker::fail_directory(Node& node, Operation operation, int error) {
    node.unreadable.store(true, std::memory_order_relaxed);
    add_error(node, {}, operation, error);
}

void Worker::finish_part(Node& node) {
    if (node.parts.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (!node.vanished.load(std::memory_order_relaxed)) {
        using State = DirectoryTotals::State;
        DirectoryTotals totals;
        totals.file_count = node.file_count.load(std::memory_order_relaxed);
        totals.size_sum = node.size_sum.load(std::memory_order_relaxed);
        totals.opened = !node.unopened.load(std::memory_order_relaxed);
        totals.state = node.unreadable.load(std::memory_order_relaxed) ? State::unreadable
                       : totals.opened                                 ? State::complete
                                                                       : State::automount_point;
        kinds_[static_cast<std::size_t>(EntryType::directory)].add(1);
        bytes_.add(node.attributes().size);
        sink_->directory(node, totals);
    }
    release_hold(node);
}

void Worker::release_hold(Node& node) {
    if (node.holds.fetch_sub(1, std::memory_order_acq_rel) == 1) engine_.handles.release(node);
}

void Worker::release_parent(Node& node) {
    if (node.parent()) release_hold(*node.parent());
}

void Worker::add_error(const Node& node, std::string_view name, Operation operation, int error) {
    std::string path;
    node.append_path(path);
    if (!name.empty()) path.append("/").append(name);
    engine_.errors.add({std::move(path), operation, error});
}

void Worker::note_success(const Node& node) {
    if (engine_.stalled_devices.any()) engine_.stalled_devices.clear(node.attributes().device);
}

bool Worker::not_worth_trying(const Node& node) const {
    if (!engine_.stalled_devices.any()) return false;
    if (engine_.stalled_devices.given_up(node.attributes().device)) return true;
    for (const Node* at = &node; at != nullptr; at = at->parent().get()) {
        if (at->stalls.load() >= stalls_to_give_up_a_directory) return true;
    }
    return false;
}

}  // namespace filetree::walk
