#include "records.hpp"

#include <utility>

namespace filetree {

RepairRecords::RepairRecords() : records_(std::make_shared<Records>()) {}
RepairRecords::~RepairRecords() = default;

RepairCounts RepairRecords::counts() const {
    RepairCounts counts;
    {
        const std::lock_guard lock(records_->mutex);
        counts = records_->counts;
    }
    counts.changes = records_->changes.size();
    counts.skipped = records_->skipped.size();
    counts.unlogged = records_->audit.lost();
    return counts;
}

std::vector<ChangeRecord> RepairRecords::changes(std::size_t first, std::size_t count) const {
    return records_->changes.read(first, count);
}

std::vector<ChangeRecord> RepairRecords::skipped(std::size_t first, std::size_t count) const {
    return records_->skipped.read(first, count);
}

void RepairRecords::Records::add_change(const ChangeRecord& record) {
    changes.add(record);
    const std::lock_guard lock(mutex);
    for (std::size_t kind = 0; kind < change_kinds; ++kind) {
        counts.kinds[kind] += (record.kinds >> kind) & 1U;
    }
}

void RepairRecords::Records::add_skipped(std::string path, const Attributes& entry,
                                         const repair::Verdict& verdict, SkipReason reason) {
    ChangeRecord record = repair::record_of(std::move(path), entry, verdict);
    record.reason = reason;
    skipped.add(record);
}

void RepairRecords::Records::add_error(std::string path, Operation operation, int error) {
    const std::lock_guard lock(mutex);
    errors.push_back({std::move(path), operation, error});
}

namespace repair {

ChangeRecord record_of(std::string path, const Attributes& before, const Verdict& verdict) {
    ChangeRecord record;
    record.path = std::move(path);
    record.kinds = kinds_of_change(before, verdict.gid, verdict.mode);
    record.uid = before.uid;
    record.old_gid = before.gid;
    record.new_gid = verdict.gid;
    record.old_mode = before.mode & permission_bits;
    record.new_mode = verdict.mode;
    return record;
}

void apply(Entry& entry, const Attributes& before, const Verdict& verdict, std::string path,
           const std::string& log_path, CallContext& context, RepairRecords::Records& records) {
    Verdict done{before.gid, before.mode & permission_bits};
    int error = 0;
    Operation failed{};
    const auto set_mode = [&](std::uint32_t mode) {
        if (error != 0 || done.mode == mode) return;
        failed = Operation::chmod;
        error = entry.set_mode(mode, context);
        if (error == 0) done.mode = mode;
    };
    if (verdict.gid != before.gid) {
        // The new group must not have, even for a moment, what it is not to have in the end. And
        // the kernel clears most of the set-id bits, but not all, and only with the change: whoever
        // is killed in between must not leave a bit behind that the next run takes for a good one.
        const std::uint32_t clear = before.is_directory() ? 0 : set_id_bits;
        set_mode(done.mode & verdict.mode & ~clear);
        if (error == 0) {
            failed = Operation::chown;
            error = entry.set_group(verdict.gid, context);
            if (error == 0) done.gid = verdict.gid;
        }
        if (error == 0) {
            // Its owner may have changed the mode meanwhile; then the bits that the kernel leaves
            // with the new group must go, too.
            const StatResult now = entry.attributes(context);
            failed = Operation::stat;
            error = now.error;
            if (error == 0) done.mode = now.attributes.mode & permission_bits;
        }
    }
    set_mode(verdict.mode);
    const ChangeRecord record = record_of(path, before, done);
    if (record.kinds != 0) {
        records.add_change(record);
        records.audit.changed(record, log_path, before.inode);
    }
    if (error != 0) records.add_error(std::move(path), failed, error);
}

}  // namespace repair
}  // namespace filetree
