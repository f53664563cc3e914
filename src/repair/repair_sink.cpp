#include "repair_sink.hpp"

#include <cerrno>
#include <chrono>
#include <thread>

namespace filetree::repair {
namespace {

constexpr int patience_for_descriptors = 200;  // times 10 ms

bool same(const Attributes& a, const Attributes& b) noexcept {
    return a.inode == b.inode && a.device == b.device && a.mount_id == b.mount_id;
}

bool same_values(const Attributes& a, const Attributes& b) noexcept {
    return same(a, b) && a.uid == b.uid && a.gid == b.gid && a.mode == b.mode;
}

// Repeats a call that found no free descriptor.
template <class Call>
auto patiently(CallContext& context, Call call) -> decltype(call()) {
    for (int attempt = 0;; ++attempt) {
        auto result = call();
        const bool none_left = result.error == EMFILE || result.error == ENFILE;
        if (!none_left || attempt == patience_for_descriptors || context.stop_requested()) {
            return result;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

}  // namespace

void RepairSink::entries(const WalkedDirectory& parent, const Listing& names,
                         std::span<const std::uint32_t> selected, std::size_t first,
                         const StatResult* stats) {
    const auto attributes = [&](std::uint32_t i) -> const Attributes& {
        return stats[i - first].attributes;
    };
    candidates_.clear();
    bool takes_group = false;
    for (const std::uint32_t i : selected) {
        const Verdict verdict = plan_->rules.judge(attributes(i), &parent);
        if (!verdict.changes(attributes(i)) || plan_->is_journal(attributes(i))) continue;
        candidates_.push_back(i);
        takes_group = takes_group || verdict.gid != attributes(i).gid;
    }
    if (candidates_.empty()) return;

    const bool is_protected = plan_->places.hold(&parent);
    int error = 0;
    if (!is_protected && !plan_->dry_run) {
        error = confirm(parent);
        if (error == 0 && takes_group) error = confirm_above(parent, plan_->rules.source(&parent));
    }
    std::erase_if(candidates_, [&](std::uint32_t i) {
        const Attributes& entry = attributes(i);
        const Verdict verdict = plan_->rules.judge(entry, &parent);
        if (is_protected || (error == 0 && plan_->rules.forbidden_by_links(entry))) {
            skip(parent, names.name(i), entry, verdict,
                 is_protected ? SkipReason::is_protected : SkipReason::hard_links);
            return true;
        }
        if (error != 0) {
            leave(parent, names.name(i), entry, verdict, error);
            return true;
        }
        if (!plan_->claim(entry)) return true;
        if (plan_->dry_run) {
            plan_->records->add_change(record_of(path_of(parent, names.name(i)), entry, verdict));
        }
        return plan_->dry_run;
    });

    // One sync for all lines. What has changed by the time it is pinned gets another line.
    if (plan_->journal) {
        for (const std::uint32_t i : candidates_) {
            note(path_of(parent, names.name(i)), attributes(i),
                 plan_->rules.judge(attributes(i), &parent));
        }
        write_journal();
    }
    for (const std::uint32_t i : candidates_) {
        if (tools_->context().stop_requested()) return;
        change_entry(parent, names.c_str(i), attributes(i), plan_->journal.has_value());
    }
}

void RepairSink::change_entry(const WalkedDirectory& parent, const char* name,
                              const Attributes& listed, bool journaled) {
    CallContext& context = tools_->context();
    const auto pinned =
        patiently(context, [&] { return tools_->open_directory()->pin(name, context); });
    if (pinned.error == ENOENT) return;  // gone, as it might have been a moment earlier
    if (!pinned.ok()) {
        plan_->records->add_error(path_of(parent, name), Operation::open, pinned.error);
        return;
    }
    const StatResult found = pinned.value->attributes(context);
    if (found.error != 0) {
        plan_->records->add_error(path_of(parent, name), Operation::stat, found.error);
        return;
    }
    const Attributes& entry = found.attributes;
    const Verdict verdict = plan_->rules.judge(entry, &parent);
    if (entry.is_directory() || entry.mount_id != listed.mount_id) {
        skip(parent, name, entry, verdict, SkipReason::replaced);
        return;
    }
    if (!verdict.changes(entry) || plan_->is_journal(entry)) return;
    if (plan_->rules.forbidden_by_links(entry)) {
        skip(parent, name, entry, verdict, SkipReason::hard_links);
        return;
    }
    const bool takes_other_group = verdict.gid != entry.gid && !same_values(entry, listed);
    if (takes_other_group) {
        const int error = confirm_above(parent, plan_->rules.source(&parent));
        if (error != 0) return leave(parent, name, entry, verdict, error);
    }
    const bool claimed = listed.links > 1 && same(entry, listed);
    if (!claimed && !plan_->claim(entry)) return;
    if (journaled && !same_values(entry, listed)) {
        note(path_of(parent, name), entry, verdict);
        write_journal();
    }
    apply(*pinned.value, entry, verdict, path_of(parent, name), context, *plan_->records);
}

void RepairSink::directory(const WalkedDirectory& directory, const DirectoryTotals& totals) {
    const Attributes& listed = directory.attributes();
    const Verdict expected = plan_->rules.judge(listed, directory.above());
    if (directory.above() == nullptr && plan_->rules.unsuitable(listed)) {
        plan_->records->add_error(path_of(directory, {}), Operation::inherit, EINVAL);
    }
    if (!expected.changes(listed)) return;
    if (totals.state == DirectoryTotals::State::automount_point) {
        return skip(directory, {}, listed, expected, SkipReason::automount_point);
    }
    if (plan_->places.hold(&directory)) {
        return skip(directory, {}, listed, expected, SkipReason::is_protected);
    }
    if (plan_->dry_run) {
        plan_->records->add_change(record_of(path_of(directory, {}), listed, expected));
        return;
    }
    Directory* const open = tools_->open_directory();
    if (open == nullptr) {
        // That it could not be opened is an error of the walk's; that it could not be again is not.
        if (totals.state == DirectoryTotals::State::complete) {
            plan_->records->add_error(path_of(directory, {}), Operation::open, ESTALE);
        }
        return;
    }
    const StatResult found = open->attributes(tools_->context());
    if (found.error != 0) {
        plan_->records->add_error(path_of(directory, {}), Operation::stat, found.error);
        return;
    }
    const Attributes& entry = found.attributes;
    const Verdict verdict = plan_->rules.judge(entry, directory.above());
    if (!same(entry, listed)) return skip(directory, {}, entry, verdict, SkipReason::replaced);
    if (!verdict.changes(entry)) return;
    if (verdict.gid != entry.gid) {
        const int error = confirm_above(directory, plan_->rules.source(directory.above()));
        if (error != 0) return leave(directory, {}, entry, verdict, error);
    }
    if (plan_->journal) {
        note(path_of(directory, {}), entry, verdict);
        write_journal();
    }
    apply(*open, entry, verdict, path_of(directory, {}), tools_->context(), *plan_->records);
}

int RepairSink::confirm(const WalkedDirectory& directory) {
    const StatResult found = tools_->open_directory()->attributes(tools_->context());
    if (found.error != 0) return found.error;
    return same(found.attributes, directory.attributes()) ? 0 : ESTALE;
}

int RepairSink::confirm_above(const WalkedDirectory& directory, const WalkedDirectory* source) {
    CallContext& context = tools_->context();
    Directory* open = tools_->open_directory();
    std::shared_ptr<Directory> held;
    for (const WalkedDirectory* at = &directory; at != source;) {
        auto above = patiently(context, [&] { return open->open("..", context); });
        if (!above.ok()) return above.error == ENOENT ? ESTALE : above.error;
        held = std::move(above.value);
        open = held.get();
        at = at->above();
        const StatResult found = open->attributes(context);
        if (found.error != 0) return found.error;
        if (!same(found.attributes, at->attributes())) return ESTALE;
    }
    return 0;
}

void RepairSink::leave(const WalkedDirectory& directory, std::string_view name,
                       const Attributes& entry, const Verdict& verdict, int error) {
    if (error == ESTALE) {
        skip(directory, name, entry, verdict, SkipReason::replaced);
    } else {
        plan_->records->add_error(path_of(directory, name), Operation::open, error);
    }
}

void RepairSink::skip(const WalkedDirectory& directory, std::string_view name,
                      const Attributes& entry, const Verdict& verdict, SkipReason reason) {
    plan_->records->add_skipped(path_of(directory, name), entry, verdict, reason);
}

void RepairSink::note(const std::string& path, const Attributes& entry, const Verdict& verdict) {
    JournalLine line;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    line.time = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    line.path = plan_->real_top;
    std::string_view below = std::string_view(path).substr(plan_->top.size());
    while (below.starts_with('/')) below.remove_prefix(1);
    if (!below.empty()) line.path.append("/").append(below);
    line.device = entry.device;
    line.inode = entry.inode;
    line.size = entry.size;
    line.mtime = nanoseconds_of(entry.mtime);
    line.uid = entry.uid;
    line.old_gid = entry.gid;
    line.new_gid = verdict.gid;
    line.old_mode = entry.mode & permission_bits;
    line.new_mode = verdict.mode;
    append_line(line, lines_);
}

void RepairSink::write_journal() {
    if (!lines_.empty()) plan_->journal->append(lines_);
    lines_.clear();
}

std::string RepairSink::path_of(const WalkedDirectory& directory, std::string_view name) {
    if (name.empty()) return std::string(path_.of(directory));
    path_.enter(directory);
    return std::string(path_.of(name));
}

}  // namespace filetree::repair
