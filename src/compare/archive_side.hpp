#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "archive_contents.hpp"
#include "archive_reader.hpp"
#include "content_hash.hpp"
#include "source.hpp"

namespace filetree::compare {

// What a piece of work may still cost, in bytes; a call costs something in any case.
class Allowance {
   public:
    explicit Allowance(std::uint64_t bytes) : left_(bytes) {}
    // A call that came to so many bytes.
    void take(std::uint64_t bytes) noexcept;
    [[nodiscard]] bool spent() const noexcept { return left_ == 0; }

   private:
    std::uint64_t left_;
};

// One of two archives while it is read.
//
// Threads: one at a time.
class ArchiveSide {
   public:
    ArchiveSide(std::unique_ptr<Source> source, const ArchiveOptions& options,
                std::function<bool()> stopping, const HashKey& key);

    // From the beginning (again).
    void begin();

    // Goes to the next file or hard link, past whatever else there is. False when it is at neither:
    // the allowance is spent or, then ended() is true, there is none.
    [[nodiscard]] bool advance(Allowance& allowance);
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    // What advance() came to; it stays there until leave().
    [[nodiscard]] bool at_entry() const noexcept { return at_entry_; }
    [[nodiscard]] const ArchiveEntry& entry() const noexcept { return entry_; }
    void leave() noexcept;

    // The part of the content that is to be looked at next: either zeros or bytes. False at its
    // end.
    [[nodiscard]] bool look(ContentBlock& part, Allowance& allowance);
    void use(std::uint64_t length);
    // Bytes of the content so far.
    [[nodiscard]] std::uint64_t used() const noexcept { return used_; }

    // Hashes the content of the file that it is at, and keeps it. False when the allowance is spent
    // before its end.
    [[nodiscard]] bool hash(Allowance& allowance);
    // Keeps the link's target's content for it; a link to what is skipped is skipped. False when
    // nothing is known of the target.
    [[nodiscard]] bool resolve();

    [[nodiscard]] Source& source() noexcept { return *source_; }
    // Files that were hashed, and what was skipped.
    [[nodiscard]] const ArchiveContents& contents() const noexcept { return contents_; }
    // Names of what was not compared.
    [[nodiscard]] const std::set<std::string>& skipped() const noexcept { return skipped_; }

   private:
    const std::unique_ptr<Source> source_;
    const ArchiveOptions options_;
    const std::function<bool()> stopping_;
    ContentHash hash_;
    std::optional<ArchiveReader> reader_;
    ArchiveEntry entry_;
    ContentBlock block_;
    std::uint64_t used_ = 0;
    bool passing_ = false;  // amid an entry that is not compared
    bool at_entry_ = false;
    bool ended_ = false;
    ArchiveContents contents_;
    std::set<std::string> skipped_;
};

}  // namespace filetree::compare
