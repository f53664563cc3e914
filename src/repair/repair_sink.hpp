#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../walk/entry_path.hpp"
#include "journal.hpp"
#include "protected.hpp"
#include "records.hpp"
#include "rules.hpp"

namespace filetree::repair {

// What all sinks of one repair share. Outlives the repair as long as a hung worker needs it.
struct Plan {
    Plan(const RepairOptions& options, std::string top_, ProtectedDirectories places_,
         std::shared_ptr<RepairRecords::Records> records_)
        : rules(options),
          dry_run(options.dry_run),
          top(std::move(top_)),
          real_top(resolved(top)),
          places(std::move(places_)),
          records(std::move(records_)) {
        if (options.journal.empty()) return;
        if (!dry_run) journal.emplace(options.journal);
        journal_file = journal ? journal->identity() : Journal::identity_at(options.journal);
    }

    // It may lie in the tree; nobody else is to read it or write to it, then, either.
    [[nodiscard]] bool is_journal(const Attributes& entry) const noexcept {
        return journal_file == FileIdentity{entry.device, entry.inode};
    }

    // False when an entry with several links has been claimed by another of its names.
    [[nodiscard]] bool claim(const Attributes& entry) {
        if (entry.links < 2) return true;
        const std::lock_guard lock(mutex);
        return claimed.emplace(entry.device, entry.inode).second;
    }

    const Rules rules;
    const bool dry_run;
    const std::string top;       // as given
    const std::string real_top;  // without symlinks
    const ProtectedDirectories places;
    const std::shared_ptr<RepairRecords::Records> records;
    std::optional<Journal> journal;
    std::optional<FileIdentity> journal_file;

    std::mutex mutex;
    std::set<FileIdentity> claimed;
};

// Judges what a worker finds. What needs a change is taken hold of, judged again, and changed;
// everything else costs nothing beyond the walk's own stat.
class RepairSink final : public EntrySink {
   public:
    explicit RepairSink(std::shared_ptr<Plan> plan) : plan_(std::move(plan)) {}

    void lend(SinkTools& tools) override { tools_ = &tools; }
    void entries(const WalkedDirectory& parent, const Listing& names,
                 std::span<const std::uint32_t> selected, std::size_t first,
                 const StatResult* stats) override;
    void directory(const WalkedDirectory& directory, const DirectoryTotals& totals) override;
    void flush() override {}

   private:
    // An errno: ESTALE when the directory open is not the one that the walk has found.
    [[nodiscard]] int confirm(const WalkedDirectory& directory);
    // The same about those above it, up to the one that `source` is: the group of a directory must
    // not reach what another one that has taken its place brings along.
    [[nodiscard]] int confirm_above(const WalkedDirectory& directory,
                                    const WalkedDirectory* source);
    void leave(const WalkedDirectory& directory, std::string_view name, const Attributes& entry,
               const Verdict& verdict, int error);
    void change_entry(const WalkedDirectory& parent, const char* name, const Attributes& listed,
                      bool journaled);
    void skip(const WalkedDirectory& directory, std::string_view name, const Attributes& entry,
              const Verdict& verdict, SkipReason reason);
    // Adds a line to lines_.
    void note(const std::string& path, const Attributes& entry, const Verdict& verdict);
    void write_journal();
    [[nodiscard]] std::string path_of(const WalkedDirectory& directory, std::string_view name);

    const std::shared_ptr<Plan> plan_;
    SinkTools* tools_ = nullptr;
    walk::EntryPath path_;
    std::vector<std::uint32_t> candidates_;
    std::string lines_;
};

}  // namespace filetree::repair
