#pragma once

#include <cstdint>
#include <optional>

#include "source.hpp"

namespace filetree::compare {

// A block of a RAR archive: a header, and data behind it. Read beside libarchive, which checks the
// headers, but neither whether the last one is there nor the checksums of files that are stored.
struct RarBlock {
    enum class Kind : std::uint8_t { file, end_of_archive, other };
    Kind kind = Kind::other;
    std::uint64_t data = 0;            // where the header ends
    std::uint64_t next = 0;            // where the data end
    std::optional<std::uint32_t> crc;  // of a file's content
};

enum class RarVersion : std::uint8_t { rar4, rar5 };

// The block at `offset`, or behind the marker if that is there; nothing where there is no whole
// header.
[[nodiscard]] std::optional<RarBlock> rar_block_at(Source& source, RarVersion version,
                                                   std::uint64_t offset);

}  // namespace filetree::compare
