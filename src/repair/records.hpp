#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "audit_log.hpp"
#include "record_log.hpp"
#include "rules.hpp"

namespace filetree {

// What has been done and found, by all threads.
struct RepairRecords::Records {
    void add_change(const ChangeRecord& record);
    void add_skipped(std::string path, const Attributes& entry, const repair::Verdict& verdict,
                     SkipReason reason);
    void add_error(std::string path, Operation operation, int error);

    repair::RecordLog changes;
    repair::RecordLog skipped;
    repair::AuditLog audit;

    mutable std::mutex mutex;
    RepairCounts counts;  // by kind
    std::vector<EntryError> errors;
};

namespace repair {

[[nodiscard]] ChangeRecord record_of(std::string path, const Attributes& before,
                                     const Verdict& verdict);

// Makes a change through the entry's descriptor: the group first, without setuid and setgid bits
// and whatever is to be taken away, then the mode. `before` is what has just been seen through it.
// Records what has been done, in the system log too, and what has failed. Without a group that was
// wanted, no permission is given.
// The log gets `log_path`.
void apply(Entry& entry, const Attributes& before, const Verdict& verdict, std::string path,
           const std::string& log_path, CallContext& context, RepairRecords::Records& records);

}  // namespace repair
}  // namespace filetree
