#include "filetree/ordered_walk.hpp"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "filetree/walk.hpp"
#include "listed_directory.hpp"
#include "read_ahead.hpp"

namespace filetree {
namespace {

using walk::ListedDirectory;
using walk::ReadAhead;

// A directory between being listed and the end of what is below it.
struct Frame {
    std::string path;
    ReadAhead::NodePtr node;
    std::size_t next = 0;  // child

    Listing names;                        // bottom-up: what will be handed over
    std::vector<std::uint32_t> children;  // of the listing: what is entered of it
    // With early link checks: index and path of the children to enter.
    std::vector<std::pair<std::size_t, std::string>> checked;
};

ReadAhead::Options read_ahead_options(const OrderedWalkOptions& options, const std::string& top) {
    ReadAhead::Options out;
    out.top = top;
    out.cores = options.max_threads != 0 ? options.max_threads : available_cores();
    out.ceiling = options.max_inflight != 0 ? options.max_inflight : default_max_inflight;
    out.window_bytes = options.window_bytes;
    out.window_directories = options.window_directories;
    out.followlinks = options.followlinks;
    out.rules = {options.ignore_snapshots, options.settling_time};
    return out;
}

}  // namespace

void join_path(std::string& out, std::string_view parent, std::string_view name) {
    out.clear();
    if (!name.starts_with('/')) {
        out.append(parent);
        if (!parent.empty() && !parent.ends_with('/')) out.push_back('/');
    }
    out.append(name);
}

std::optional<std::vector<std::string>> WalkCaller::edited(const Listing& /*names*/) {
    return std::nullopt;
}

class OrderedWalk::State {
   public:
    State(std::shared_ptr<FileSystem> fs, std::string top, const OrderedWalkOptions& options,
          WalkCaller& caller)
        : fs_(std::move(fs)),
          options_(options),
          caller_(caller),
          path_(std::move(top)),
          read_ahead_(std::make_unique<ReadAhead>(fs_, read_ahead_options(options, path_))) {}

    ~State() { leave_readers_to_parent(); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Step next() {
        if (phase_ == Phase::ended) return Step::end;
        const Phase phase = std::exchange(phase_, Phase::ended);  // should anything be thrown
        leave_readers_to_parent();
        Step step = Step::end;
        if (options_.topdown) {
            step = phase == Phase::fresh ? first() : next_topdown();
        } else {
            caller_.unlocked([&] { step = phase == Phase::fresh ? first() : next_bottom_up(); });
        }
        if (step != Step::end) phase_ = Phase::under_way;
        return step;
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] const Listing& names() const noexcept { return names_; }
    [[nodiscard]] std::size_t depth() const noexcept { return depth_; }
    [[nodiscard]] std::size_t child_index() const noexcept { return child_index_; }

    [[nodiscard]] Counts counts() {
        leave_readers_to_parent();
        Counts counts = counts_;
        counts.threads_peak = read_ahead_->threads_peak();
        return counts;
    }
    bool wait_idle(std::chrono::nanoseconds timeout) {
        leave_readers_to_parent();
        return read_ahead_->wait_idle(timeout);
    }

   private:
    enum class Phase : std::uint8_t { fresh, under_way, ended };
    enum class Entered : std::uint8_t { listed, failed, symlink };

    Step first() {
        Entered entered = Entered::failed;
        if (options_.topdown) {
            caller_.unlocked([&] { entered = enter(path_, nullptr, false); });
        } else {
            entered = enter(path_, nullptr, false);
        }
        if (entered == Entered::failed) return Step::failure;
        if (!options_.topdown) return next_bottom_up();
        return Step::directory;
    }

    Step next_topdown() {
        if (handed_over_) resume(frames_.back());
        handed_over_ = false;
        while (!frames_.empty()) {
            if (!next_child(frames_.back())) {
                leave();
                continue;
            }
            if (path_.empty()) {
                caller_.refuse(frames_.size() - 1, child_index_);
                continue;
            }
            const bool check = !options_.followlinks && !options_.early_link_checks;
            Entered entered = Entered::failed;
            caller_.unlocked([&] { entered = enter(path_, frames_.back().node, check); });
            if (entered == Entered::listed) return Step::directory;
            if (entered == Entered::failed) return Step::failure;
        }
        return Step::end;
    }

    Step next_bottom_up() {
        while (!frames_.empty()) {
            Frame& frame = frames_.back();
            if (frame.next == frame.children.size()) {
                names_ = std::move(frame.names);
                path_ = std::move(frame.path);
                leave();
                depth_ = frames_.size();
                return Step::directory;
            }
            join_path(path_, frame.path, frame.names.name(frame.children[frame.next++]));
            if (enter(path_, frame.node, false) == Entered::failed) return Step::failure;
        }
        return Step::end;
    }

    // The caller is done with the directory handed over last.
    void resume(Frame& frame) {
        const auto edited = caller_.edited(names_);
        if (edited) read_ahead_->reorder(frame.node, *edited);
        if (!options_.early_link_checks) return;
        std::string path;
        for (std::size_t i = 0; caller_.child(depth_, i, frame.path, path); ++i) {
            frame.checked.emplace_back(i, path);
        }
        if (options_.followlinks || frame.checked.empty()) return;
        caller_.unlocked([&] {
            if (!edited && is_unchanged(frame)) {
                drop_listed_links(frame);
            } else {
                std::erase_if(frame.checked,
                              [&](const auto& child) { return is_link(child.second); });
            }
        });
    }

    // One question in place of one for each child.
    [[nodiscard]] bool is_unchanged(const Frame& frame) {
        return frame.node &&
               walk::is_current(ReadAhead::listed(*frame.node),
                                fs_->attributes(frame.path, true, StatMask::change, context_));
    }

    // Keeps of the children of the directory handed over last those that are no symlinks.
    void drop_listed_links(Frame& frame) const {
        std::vector<std::pair<std::size_t, std::string>> kept;
        std::size_t position = 0;
        auto entered = frame.children.begin();
        for (std::uint32_t i = 0; i < names_.size(); ++i) {
            if (names_.type(i) != EntryType::directory) continue;
            if (position == frame.checked.size()) break;  // the caller goes on editing
            if (entered != frame.children.end() && *entered == i) {
                kept.push_back(std::move(frame.checked[position]));
                ++entered;
            }
            ++position;
        }
        frame.checked = std::move(kept);
    }

    // Sets path_ and child_index_.
    bool next_child(Frame& frame) {
        if (!options_.early_link_checks) {
            child_index_ = frame.next++;
            return caller_.child(frames_.size() - 1, child_index_, frame.path, path_);
        }
        if (frame.next == frame.checked.size()) return false;
        child_index_ = frame.checked[frame.next].first;
        path_ = std::move(frame.checked[frame.next++].second);
        return true;
    }

    void leave() {
        read_ahead_->release(frames_.back().node);
        frames_.pop_back();
    }

    [[nodiscard]] bool is_link(const std::string& path) {
        const StatResult result = fs_->attributes(path, false, StatMask::type, context_);
        return is_link(result);
    }
    [[nodiscard]] static bool is_link(const StatResult& result) noexcept {
        return result.error == 0 && result.attributes.type() == EntryType::symlink;
    }

    // What os.walk does when it comes to `path`: passes over a symlink when it is to `check_link`,
    // else lists it.
    Entered enter(const std::string& path, const ReadAhead::NodePtr& parent, bool check_link) {
        depth_ = frames_.size();
        const ReadAhead::Waiting waiting = [this] { caller_.waiting(); };
        auto [node, listed] = read_ahead_->claim(parent, path, waiting);
        claimed_ = node;
        ListedDirectory& directory = ReadAhead::listed(*node);
        bool current = false;
        bool link = false;
        if (listed) {
            const StatResult now = fs_->attributes(path, !check_link, StatMask::change, context_);
            current = walk::is_current(directory, now);
            link = is_link(now);
        }
        if (!current && !link) {
            read_ahead_->read(node, !check_link, waiting);
            const bool may_be_link = directory.error == ENOTDIR || directory.error == ELOOP;
            link = check_link && may_be_link && is_link(path);
        }
        if (link || directory.error != 0) {
            error_ = directory.error;
            read_ahead_->release(node);
            return link ? Entered::symlink : Entered::failed;
        }
        ++(current ? counts_.reused : listed ? counts_.reread : counts_.direct);
        names_ = std::move(directory.names);
        auto children = walk::resolve_links(*fs_, path, options_.followlinks,
                                            options_.ignore_snapshots, names_, context_);
        handed_over_ = options_.topdown;
        frames_.push_back({path, std::move(node), 0, {}, {}, {}});
        if (!current) read_ahead_->expect(frames_.back().node, names_, children);
        if (!options_.topdown) frames_.back().names = std::move(names_);
        if (!options_.topdown || options_.early_link_checks) {
            frames_.back().children = std::move(children);
        }
        return Entered::listed;
    }

    // In a forked process there are no readers, and what they shared may be in any state: it is
    // not even freed.
    void leave_readers_to_parent() {
        if (::getpid() == process_) return;
        process_ = ::getpid();
        (void)read_ahead_.release();  // NOLINT(bugprone-unused-return-value)
        ReadAhead::Options serial = read_ahead_options(options_, path_);
        serial.cores = 1;
        read_ahead_ = std::make_unique<ReadAhead>(fs_, serial);
        auto* const kept = new std::vector<ReadAhead::NodePtr>{std::move(claimed_)};
        for (Frame& frame : frames_) kept->push_back(std::move(frame.node));
    }

    const std::shared_ptr<FileSystem> fs_;
    const OrderedWalkOptions options_;
    WalkCaller& caller_;
    pid_t process_ = ::getpid();
    std::atomic<bool> never_{false};
    CallContext context_{never_};

    Phase phase_ = Phase::fresh;
    bool handed_over_ = false;  // top-down: the caller may be editing the last directory's names
    std::string path_;
    int error_ = 0;
    Listing names_;
    std::size_t depth_ = 0;
    std::size_t child_index_ = 0;
    Counts counts_;

    std::vector<Frame> frames_;
    ReadAhead::NodePtr claimed_;  // last; readers know it, so it stays should anything be thrown
    // Stopped before the nodes of the frames go.
    std::unique_ptr<ReadAhead> read_ahead_;
};

OrderedWalk::OrderedWalk(std::shared_ptr<FileSystem> fs, std::string top,
                         const OrderedWalkOptions& options, WalkCaller& caller)
    : state_(std::make_unique<State>(std::move(fs), std::move(top), options, caller)) {}

OrderedWalk::~OrderedWalk() = default;

OrderedWalk::Step OrderedWalk::next() { return state_->next(); }
const std::string& OrderedWalk::path() const noexcept { return state_->path(); }
int OrderedWalk::error() const noexcept { return state_->error(); }
const Listing& OrderedWalk::names() const noexcept { return state_->names(); }
std::size_t OrderedWalk::depth() const noexcept { return state_->depth(); }
std::size_t OrderedWalk::child_index() const noexcept { return state_->child_index(); }
OrderedWalk::Counts OrderedWalk::counts() const { return state_->counts(); }
bool OrderedWalk::wait_idle(std::chrono::nanoseconds timeout) { return state_->wait_idle(timeout); }

}  // namespace filetree
