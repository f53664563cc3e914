#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "archive_side.hpp"
#include "content_hash.hpp"
#include "filetree/compare.hpp"
#include "job.hpp"
#include "shortage.hpp"

namespace filetree::compare {

// Two archives, whatever the order of their entries.
//
// As long as both go through the same names they are compared in step, byte for byte, by one
// thread. From the first place on where they do not, each is hashed, by a thread of its own, and
// the hashes are compared by name. Where that turns up more of a name that was compared in step
// already (a later entry of the name, a hard link to it on one side), both are read once more, and
// hashed from the beginning. So memory is in the number of entries, never in their content.
class ArchivePairJob final : public Job {
   public:
    // The client may be null where neither is a URL.
    ArchivePairJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client, SourceRef a,
                   SourceRef b, const ArchiveOptions& options);

    // Once it has ended without a failure.
    [[nodiscard]] const Differences& differences() const noexcept { return differences_; }

   private:
    enum class Phase : std::uint8_t { closed, in_step, apart, settling, again, ended };

    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override;
    void conclude() override;
    void release() noexcept override;

    // The pieces. Each ends by saying what comes next.
    void open();
    void go_in_step();
    void go_apart(unsigned side);
    // Whether what was hashed says more of names that were compared in step.
    void settle();
    void begin_again();
    void proceed(Phase next);

    // Both are at an entry, or one is and the other one has ended. False where they do not go
    // together.
    [[nodiscard]] bool is_in_step() const;
    // False when the allowance is spent before the end of both contents.
    [[nodiscard]] bool compare_content(Allowance& allowance);
    [[nodiscard]] ArchiveSide& left() { return *sides_[0]; }
    [[nodiscard]] ArchiveSide& right() { return *sides_[1]; }

    const std::shared_ptr<FileSystem> fs_;
    const std::shared_ptr<HttpClient> client_;
    const SourceRef refs_[2];
    const ArchiveOptions options_;
    const HashKey key_;

    Phase phase_ = Phase::closed;  // guarded by mutex_, like what follows
    bool busy_[2] = {};            // both but while they are apart
    bool done_[2] = {};            // apart

    Shortage shortage_;
    bool same_file_ = false;  // then the second one is not read
    std::unique_ptr<ArchiveSide> sides_[2];
    // What was compared in step. Not changed while they are apart.
    std::unordered_map<std::string, std::optional<DiffReason>> compared_;
    bool content_differs_ = false;  // of the entries that they are at
    std::atomic<bool> once_more_{false};
    Differences differences_;
};

}  // namespace filetree::compare
