#pragma once

#include <cstdint>
#include <string>

#include "filetree/compare.hpp"
#include "source.hpp"

namespace filetree::compare {

// What one archive may still cost. Throws CompareFailure::bomb, with the limit's name and both
// figures, before time or memory is spent beyond a limit.
//
// Decompressed bytes are those of all entries, those that are not compared and the zeros of holes
// included. What is in no entry (headers, padding, what follows the end) counts as far as it is
// more than an honest archive has: 1 MiB, and 16 KiB for each entry. The ratio is that of
// decompressed bytes to the archive's size, and is looked at once they are more than 1 MiB: any
// short text compresses well. Where the archive's size is not known, it is not looked at.
class ArchiveBudget {
   public:
    ArchiveBudget(const ArchiveOptions& limits, const Source& source);

    // A header, whatever it is of.
    void take_entry();
    void take_name(std::uint64_t length) const;
    // Bytes of content that a header promises; they are not taken yet.
    void look_ahead(std::uint64_t size) const { check(content_, size); }
    void take_content(std::uint64_t size);
    // Bytes of the decompressed stream that are in no entry, all so far.
    void set_overhead(std::uint64_t bytes);

   private:
    // What has been decompressed, and `more`.
    void check(std::uint64_t content, std::uint64_t more) const;
    [[noreturn]] void refuse(const std::string& figure, const char* limit,
                             std::uint64_t most) const;

    const ArchiveOptions limits_;
    const Source& source_;
    std::uint64_t entries_ = 0;
    std::uint64_t content_ = 0;
    std::uint64_t overhead_ = 0;
};

}  // namespace filetree::compare
