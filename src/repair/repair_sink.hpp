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
    Plan(const RepairOptions& options, std::string top_, std::string real_top_,
         ProtectedDirectories places_, std::shared_ptr<RepairRecords::Records> records_)
        : rules(options),
          dry_run(options.dry_run),
          top(std::move(top_)),
          real_top(std::move(real_top_)),
          places(std::move(places_)),
          records(std::move(records_)) {
        if (options.journal.empty()) return;
        if (!dry_run) journal.emplace(options.journal);
        journal_file = journal ? journal->identity() : Journal::identity_at(options.journal);
    }

    // A path of the walk's, absolute and without symlinks.
    [[nodiscard]] std::string real_path(std::string_view path) const {
        path.remove_prefix(top.size());
        while (path.starts_with('/')) path.remove_prefix(1);
        return path.empty() ? real_top : real_top + '/' + std::string(path);
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
    // Whether there is anything to do about an entry, or to say.
    [[nodiscard]] bool concerns(const Attributes& entry, const Verdict& verdict) const noexcept;
    void pin_and_treat(const WalkedDirectory& parent, const char* name, const Attributes& listed);
    // Looks at what is held, and does what is to be done. Without a name it is the directory
    // itself. `journaled`: its change is in the journal, if it is still as it was listed.
    void treat(const WalkedDirectory& directory, std::string_view name,
               const WalkedDirectory* above, Entry& entry, const Attributes& listed,
               bool journaled);
    // Why the change would do harm, if it would.
    [[nodiscard]] Result<std::optional<SkipReason>> harm_in(Entry& entry, const Attributes& now,
                                                            const Verdict& verdict);
    void change(const WalkedDirectory& directory, std::string_view name, Entry& entry,
                const Attributes& now, const Verdict& verdict);
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
