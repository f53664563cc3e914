#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "filetree/compare.hpp"
#include "source.hpp"

namespace filetree::compare {

struct ArchiveEntry {
    enum class Kind : std::uint8_t {
        file,
        hard_link,  // without content of its own
        skipped,    // no file (a link, a device), or with a name that leads outside
        other,      // nothing to compare nor to report: a directory, what is behind the last entry
    };
    Kind kind = Kind::other;
    std::string name;    // normalized; as it is stored if it cannot be
    std::string target;  // of a hard link, normalized
    // Of a file in a cpio archive that has several names there: device and inode. Its content comes
    // with one of them, and the others are empty.
    std::optional<std::pair<std::uint64_t, std::uint64_t>> inode;
};

// A part of an entry's content: zeros, then bytes, which are valid until the reader's next call.
struct ContentBlock {
    std::uint64_t zeros = 0;
    std::span<const char> bytes;
};

// An archive, entry by entry, in one go.
//
// Formats: tar, cpio, zip, 7z, rar; tar and cpio also compressed (`decompressed`). Names are the
// bytes that are stored; those of 7z and rar, and of zip where they are marked as UTF-8, come as
// UTF-8 in normalization form C, which is libarchive's doing.
//
// next() is false only once the archive has been read to its end and found whole; read() is false
// at the end of an entry's content. Whatever else it comes to is a CompareError:
//   archive     truncated, corrupt (also by its own checksums), encrypted, a volume of several, of
//               another format, or with data behind its end, where the format has one in the
//               stream: tar must end with two blocks of zeros, and nothing but zeros may follow
//   bomb        a limit is exceeded
//   unreadable  whatever the source says
//   cancelled   `stopping` was true before one of the source's chunks
//
// Threads: one at a time, not always the same.
class ArchiveReader {
   public:
    // Recognizes the format. The source must outlive it.
    ArchiveReader(Source& source, const ArchiveOptions& limits, std::function<bool()> stopping);
    ~ArchiveReader();
    ArchiveReader(const ArchiveReader&) = delete;
    ArchiveReader& operator=(const ArchiveReader&) = delete;

    // All of an entry must be read before the next.
    [[nodiscard]] bool next(ArchiveEntry& entry);
    [[nodiscard]] bool read(ContentBlock& block);
    // Whether the format is known by a signature: then it is an archive, even if nothing more can
    // be read.
    [[nodiscard]] bool has_signature() const noexcept;

   private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace filetree::compare
