#include "repair_sink.hpp"

#include <cerrno>
#include <chrono>
#include <thread>

namespace filetree::repair {
namespace {

constexpr int patience_for_descriptors = 200;  // times 10 ms
constexpr int patience_for_the_unsteady = 5;

bool same_values(const Attributes& a, const Attributes& b) noexcept {
    return a.has_place_of(b) && a.uid == b.uid && a.gid == b.gid && a.mode == b.mode;
}

// Repeats a call that found no free descriptor.
template <class Call>
auto patiently(CallContext& context, Call call) -> decltype(call()) {
    for (int attempt = 0;; ++attempt) {
        auto result = call();
        const bool again = is_out_of_descriptors(result.error) &&
                           attempt < patience_for_descriptors && !context.stop_requested();
        if (!again) return result;
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
        if (!concerns(attributes(i), verdict)) continue;
        candidates_.push_back(i);
        takes_group = takes_group || verdict.gid != attributes(i).gid;
    }
    if (candidates_.empty()) return;

    const bool is_protected = plan_->places.hold(&parent);
    int error = is_protected ? 0 : confirm(parent);
    if (!is_protected && error == 0 && takes_group) {
        error = confirm_above(parent, plan_->rules.source(&parent));
    }
    std::erase_if(candidates_, [&](std::uint32_t i) {
        const Attributes& entry = attributes(i);
        const Verdict verdict = plan_->rules.judge(entry, &parent);
        if (is_protected || (error == 0 && plan_->rules.forbidden_by_links(entry))) {
            skip(parent, names.name(i), entry, verdict,
                 is_protected ? SkipReason::is_protected : SkipReason::hard_links);
        } else if (error != 0) {
            leave(parent, names.name(i), entry, verdict, error);
        } else {
            return false;
        }
        return true;
    });

    // One sync for all lines. What has changed by the time it is pinned gets another line; what has
    // several names gets its line when it is clear by which of them it is changed.
    if (plan_->journal) {
        for (const std::uint32_t i : candidates_) {
            const Verdict verdict = plan_->rules.judge(attributes(i), &parent);
            if (attributes(i).links < 2 && verdict.changes(attributes(i))) {
                note(path_of(parent, names.name(i)), attributes(i), verdict);
            }
        }
        write_journal();
    }
    for (const std::uint32_t i : candidates_) {
        if (tools_->context().stop_requested()) return;
        pin_and_treat(parent, names.c_str(i), attributes(i));
    }
}

void RepairSink::pin_and_treat(const WalkedDirectory& parent, const char* name,
                               const Attributes& listed) {
    CallContext& context = tools_->context();
    const auto pinned =
        patiently(context, [&] { return tools_->open_directory()->pin(name, context); });
    if (pinned.error == ENOENT) return;  // gone, as it might have been a moment earlier
    if (!pinned.ok()) {
        plan_->records->add_error(path_of(parent, name), Operation::open, pinned.error);
        return;
    }
    treat(parent, name, &parent, *pinned.value, listed, listed.links < 2);
}

// What has been seen before the journal was written may be out of date when it has been: so it is
// looked at again until what is seen is what has been written.
void RepairSink::treat(const WalkedDirectory& directory, std::string_view name,
                       const WalkedDirectory* above, Entry& entry, const Attributes& listed,
                       bool journaled) {
    CallContext& context = tools_->context();
    bool claimed = false;
    Attributes seen = listed;
    for (int attempt = 0;; ++attempt) {
        const StatResult found = entry.attributes(context);
        if (found.error != 0) {
            plan_->records->add_error(path_of(directory, name), Operation::stat, found.error);
            return;
        }
        const Attributes& now = found.attributes;
        const Verdict verdict = plan_->rules.judge(now, above);
        if (!concerns(now, verdict)) return;
        // Of an entry with a name, another may have taken its place; a directory is what was open.
        const bool is_other = name.empty() ? !now.has_place_of(listed)
                                           : now.is_directory() || now.mount_id != listed.mount_id;
        if (is_other) return skip(directory, name, now, verdict, SkipReason::replaced);
        if (plan_->rules.forbidden_by_links(now)) {
            return skip(directory, name, now, verdict, SkipReason::hard_links);
        }
        const bool takes_group = verdict.gid != now.gid;
        if (takes_group && (name.empty() || !same_values(now, listed))) {
            const int error = confirm_above(directory, plan_->rules.source(above));
            if (error != 0) return leave(directory, name, now, verdict, error);
        }
        if (!claimed && !plan_->claim(now)) return;
        claimed = true;
        const Result<std::optional<SkipReason>> harm = harm_in(entry, now, verdict);
        if (!harm.ok()) {
            plan_->records->add_error(path_of(directory, name), Operation::stat, harm.error);
            return;
        }
        if (harm.value) return skip(directory, name, now, verdict, *harm.value);

        const bool is_settled =
            plan_->dry_run || !plan_->journal || (journaled && same_values(now, seen));
        if (is_settled) {
            if (plan_->rules.withholds_write(now, verdict)) {
                skip(directory, name, now, verdict, SkipReason::setuid);
            }
            if (verdict.changes(now)) change(directory, name, entry, now, verdict);
            return;
        }
        if (attempt == patience_for_the_unsteady) {
            return skip(directory, name, now, verdict, SkipReason::unsteady);
        }
        note(path_of(directory, name), now, verdict);
        write_journal();
        journaled = true;
        seen = now;
    }
}

bool RepairSink::concerns(const Attributes& entry, const Verdict& verdict) const noexcept {
    const bool anything = verdict.changes(entry) || plan_->rules.withholds_write(entry, verdict);
    return anything && !plan_->is_journal(entry);
}

Result<std::optional<SkipReason>> RepairSink::harm_in(Entry& entry, const Attributes& now,
                                                      const Verdict& verdict) {
    using Harm = Result<std::optional<SkipReason>>;
    constexpr std::uint32_t group_bits = 0070;
    if (would_renew_setgid(now, verdict)) return {SkipReason::setgid, 0};
    const bool is_regular = now.type() == EntryType::regular;
    if (is_regular && verdict.gid != now.gid) {
        const auto has = entry.has_extended_attribute("security.capability", tools_->context());
        if (!has.ok()) return Harm::failure(has.error);
        if (has.value) return {SkipReason::capabilities, 0};
    }
    // Where there is an ACL, the bits of the group are its mask, for all whom it names.
    if (((verdict.mode ^ now.mode) & group_bits) != 0) {
        const auto has = entry.has_extended_attribute("system.posix_acl_access", tools_->context());
        if (!has.ok()) return Harm::failure(has.error);
        if (has.value) return {SkipReason::acl, 0};
    }
    return {std::nullopt, 0};
}

void RepairSink::change(const WalkedDirectory& directory, std::string_view name, Entry& entry,
                        const Attributes& now, const Verdict& verdict) {
    const std::string path = path_of(directory, name);
    if (plan_->dry_run) {
        plan_->records->add_change(record_of(path, now, verdict));
    } else {
        apply(entry, now, verdict, path, plan_->real_path(path), tools_->context(),
              *plan_->records);
    }
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
    if (Directory* const open = tools_->open_directory()) {
        return treat(directory, {}, directory.above(), *open, listed, false);
    }
    // That it could not be opened is an error of the walk's; that it could not be again is not.
    if (totals.state == DirectoryTotals::State::complete) {
        plan_->records->add_error(path_of(directory, {}), Operation::open, ESTALE);
    } else if (plan_->dry_run) {  // as root would find it
        plan_->records->add_change(record_of(path_of(directory, {}), listed, expected));
    }
}

int RepairSink::confirm(const WalkedDirectory& directory) {
    const StatResult found = tools_->open_directory()->attributes(tools_->context());
    if (found.error != 0) return found.error;
    return found.attributes.has_place_of(directory.attributes()) ? 0 : ESTALE;
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
        if (!found.attributes.has_place_of(at->attributes())) return ESTALE;
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
    line.path = plan_->real_path(path);
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
