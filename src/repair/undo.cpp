#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <utility>

#include "journal.hpp"
#include "protected.hpp"
#include "records.hpp"

namespace filetree {
namespace {

using repair::JournalLine;
using repair::ProtectedDirectories;
using repair::set_id_bits;
using repair::Verdict;

// Directories opened one below the other from the root, none through a symlink. Those that the next
// path shares with the last one stay open, as far as there are descriptors for them.
class PathDescent {
   public:
    PathDescent(std::shared_ptr<FileSystem> fs, const ProtectedDirectories& places)
        : fs_(std::move(fs)),
          places_(places),
          most_open_(std::max<std::size_t>(fs_->descriptor_budget() / 2, 1)) {}

    struct Found {
        std::unique_ptr<Entry> entry;
        Attributes attributes;
        bool is_protected = false;
    };

    [[nodiscard]] Result<Found> find(std::string_view path, CallContext& context) {
        std::vector<std::string> names = components(path);
        if (names.empty()) return Result<Found>::failure(EINVAL);
        const std::string last = std::move(names.back());
        names.pop_back();
        if (const int error = descend(names, context)) return Result<Found>::failure(error);
        auto pinned = open_.back().directory->pin(last.c_str(), context);
        if (!pinned.ok()) return Result<Found>::failure(pinned.error);
        const StatResult found = pinned.value->attributes(context);
        if (found.error != 0) return Result<Found>::failure(found.error);
        const bool is_protected =
            open_.back().is_protected || !places_.being(found.attributes).empty();
        return {{std::move(pinned.value), found.attributes, is_protected}, 0};
    }

   private:
    struct Level {
        std::string name;
        std::shared_ptr<Directory> directory;  // null where it has been closed
        bool is_protected;
    };

    static std::vector<std::string> components(std::string_view path) {
        std::vector<std::string> names;
        while (!path.empty()) {
            const std::size_t end = std::min(path.find('/'), path.size());
            if (end > 0) names.emplace_back(path.substr(0, end));
            path.remove_prefix(std::min(end + 1, path.size()));
        }
        return names;
    }

    int descend(const std::vector<std::string>& names, CallContext& context) {
        if (open_.empty()) {
            auto root = fs_->open("/", context);
            if (!root.ok()) return root.error;
            open_.push_back({{}, std::move(root.value), false});
        }
        std::size_t shared = 0;
        while (shared < names.size() && shared + 1 < open_.size() &&
               open_[shared + 1].name == names[shared]) {
            ++shared;
        }
        while (!open_[shared].directory) --shared;
        open_.resize(shared + 1);
        for (std::size_t i = shared; i < names.size(); ++i) {
            auto opened = open_.back().directory->open(names[i].c_str(), context);
            if (!opened.ok()) return opened.error;
            const StatResult found = opened.value->attributes(context);
            if (found.error != 0) return found.error;
            const bool is_protected =
                open_.back().is_protected || !places_.being(found.attributes).empty();
            if (i >= most_open_) open_.back().directory.reset();
            open_.push_back({names[i], std::move(opened.value), is_protected});
        }
        return 0;
    }

    const std::shared_ptr<FileSystem> fs_;
    const ProtectedDirectories& places_;
    const std::size_t most_open_;
    std::vector<Level> open_;  // the root's stays open
};

bool means_missing(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

bool group_changed(const JournalLine& line) { return line.old_gid != line.new_gid; }

// Whether `mode` is what was meant, or what a change of group made of it.
bool is_left_of(std::uint32_t mode, std::uint32_t meant, bool may_be_cleared) {
    if (mode == meant) return true;
    return may_be_cleared && (mode | set_id_bits) == (meant | set_id_bits) && (mode & ~meant) == 0;
}

// Whether the values are what the change left, or what was there when it was cut short.
bool is_as_left(const Attributes& now, const JournalLine& line) {
    const std::uint32_t mode = now.mode & repair::permission_bits;
    const bool may_be_cleared = group_changed(line) && !now.is_directory();
    return now.uid == line.uid && (now.gid == line.new_gid || now.gid == line.old_gid) &&
           (is_left_of(mode, line.new_mode, may_be_cleared) ||
            is_left_of(mode, line.old_mode, may_be_cleared));
}

bool is_as_before(const Attributes& now, const JournalLine& line) {
    return now.uid == line.uid && now.gid == line.old_gid &&
           (now.mode & repair::permission_bits) == line.old_mode;
}

// Content that the group may have written must not become setuid, nor content of the owner's setgid
// for a group that is not the owner's: an owner can set the time of a file back.
bool may_have_been_written(const Attributes& now, const JournalLine& line, std::uint32_t gained) {
    const bool is_trusted = now.uid == 0 || now.uid == line.old_gid;
    if ((gained & repair::setgid_bit) != 0 && !is_trusted) return true;
    return now.size != line.size || repair::nanoseconds_of(now.mtime) != line.mtime;
}

std::optional<SkipReason> reason_to_skip(const Attributes& now, bool is_protected,
                                         const JournalLine& line) {
    if (is_protected) return SkipReason::is_protected;
    if (now.inode != line.inode) return SkipReason::replaced;
    if (!is_as_left(now, line)) return SkipReason::changed_since;
    const std::uint32_t gained = line.old_mode & ~now.mode & set_id_bits;
    if (gained != 0 && !now.is_directory() && may_have_been_written(now, line, gained)) {
        return SkipReason::written_since;
    }
    return std::nullopt;
}

// The state that the journal says was left.
Attributes left_by(const JournalLine& line) {
    Attributes entry;
    entry.uid = line.uid;
    entry.gid = line.new_gid;
    entry.mode = line.new_mode;
    return entry;
}

}  // namespace

struct Undo::State {
    State(std::shared_ptr<FileSystem> fs, const std::string& journal_, bool dry_run_,
          std::shared_ptr<Records> records_)
        : journal(journal_),
          dry_run(dry_run_),
          records(std::move(records_)),
          context(never),
          places(*fs, context),
          descent(std::move(fs), places),
          reader(journal_, !dry_run_) {}

    void undo(JournalLine line) {
        auto found = descent.find(line.path, context);
        const Verdict verdict{line.old_gid, line.old_mode};
        if (!found.ok()) {
            if (means_missing(found.error)) {
                records->add_skipped(std::move(line.path), left_by(line), verdict,
                                     SkipReason::missing);
            } else {
                records->add_error(std::move(line.path), Operation::undo, found.error);
            }
            return;
        }
        Attributes& now = found.value.attributes;
        if (dry_run) take_what_would_be(now);
        const std::pair key{now.device, now.inode};
        if (now.inode == line.inode && is_as_before(now, line)) {
            restored[key] = verdict;
        } else if (const auto reason = reason_to_skip(now, found.value.is_protected, line)) {
            // What a later line has put back is older than this one: that was undone before.
            if (reason == SkipReason::changed_since && restored.contains(key)) return;
            records->add_skipped(std::move(line.path), now, verdict, *reason);
        } else {
            restored[key] = verdict;
            if (dry_run) {
                records->add_change(repair::record_of(std::move(line.path), now, verdict));
            } else {
                repair::apply(*found.value.entry, now, verdict, line.path, line.path, context,
                              *records);
            }
        }
    }

    // In a dry run nothing has been changed by lines that would have been undone before this one.
    void take_what_would_be(Attributes& now) const {
        const auto seen = restored.find({now.device, now.inode});
        if (seen == restored.end()) return;
        now.gid = seen->second.gid;
        now.mode = (now.mode & ~repair::permission_bits) | seen->second.mode;
    }

    const std::string journal;
    const bool dry_run;
    const std::shared_ptr<Records> records;
    const std::atomic<bool> never{false};
    CallContext context;
    ProtectedDirectories places;
    PathDescent descent;
    repair::JournalReader reader;
    // By device and inode: what lines so far have put back, or would have.
    std::map<std::pair<std::uint64_t, std::uint64_t>, Verdict> restored;
};

Undo::Undo(std::shared_ptr<FileSystem> fs, const std::string& journal, bool dry_run) {
    repair::require_pinning(journal);
    if (!dry_run && ::geteuid() != 0) {
        throw SystemError(EPERM, journal, "only root can make changes");
    }
    state_ = std::make_unique<State>(std::move(fs), journal, dry_run, records_);
}

Undo::~Undo() = default;

bool Undo::advance(std::chrono::nanoseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    do {
        const std::optional<std::string> text = state_->reader.previous();
        if (!text) {
            state_->reader.close();
            return true;
        }
        if (text->empty()) continue;
        if (auto line = repair::parse_line(*text)) {
            state_->undo(std::move(*line));
        } else {
            const std::string place = " (byte " + std::to_string(state_->reader.offset()) + ")";
            records_->add_error(state_->journal + place, Operation::undo, EINVAL);
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

std::vector<EntryError> Undo::errors() const {
    const std::lock_guard lock(records_->mutex);
    return records_->errors;
}

}  // namespace filetree
