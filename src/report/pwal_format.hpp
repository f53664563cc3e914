#pragma once

// PWAL, version 1: a header of 24 bytes, then records, all packed.
//
//     header  magic u32 0x5057414C, version u16 = 1, flags u16, record_count u64 (0 until the file
//             is closed), timestamp u64 (when it was begun, in seconds since 1970)
//     flags   bit 0: written big-endian; bit 1: times are nanoseconds, else seconds
//     record  inode u64, parent_inode u64, depth i32, uid u32, gid u32, size i64, st_dev u64,
//             st_blocks i64, st_nlink u64, st_mode u32, atime i64, mtime i64, ctime i64,
//             file_count i64, dir_sum i64, filename_len u16, extension_len u16, then both strings,
//             each followed by a NUL
//
// file_count is -1 for what is no directory, and for a directory that could not be read. Readers
// know a file's byte order by its magic. We write in the machine's order, with nanoseconds.

#include <cstdint>
#include <string_view>

#include "byte_buffer.hpp"
#include "filetree/fs.hpp"

namespace filetree::report::pwal {

constexpr std::uint32_t magic = 0x5057414C;
constexpr std::uint16_t version = 1;
constexpr std::uint16_t flag_big_endian = 1U << 0U;
constexpr std::uint16_t flag_nanoseconds = 1U << 1U;
constexpr std::size_t header_size = 24;
constexpr std::size_t record_count_offset = 8;
constexpr std::size_t record_size = 108;  // before the strings
constexpr std::size_t longest_string = 65535;

struct Header {
    std::uint16_t flags = 0;
    std::uint64_t record_count = 0;
    std::uint64_t timestamp = 0;
};

struct Record {
    Attributes attributes;  // those that the format has
    std::uint64_t parent_inode = 0;
    std::int32_t depth = 0;
    std::int64_t file_count = -1;
    std::int64_t dir_sum = 0;
    std::string_view filename;  // raw bytes; at most longest_string
    std::string_view extension;
};

// The header of a file of ours.
void append_header(std::uint64_t record_count, std::uint64_t timestamp, ByteBuffer& out);
// Returns how many of the times had to be clamped to what nanoseconds hold (1677 to 2262).
unsigned append_record(const Record& record, ByteBuffer& out);

enum class Parsed : std::uint8_t { whole, torn, damaged };

// What is known of a file from its header.
struct Layout {
    Header header;
    bool swapped = false;  // the other byte order than this machine's
};

enum class HeaderFault : std::uint8_t { none, too_short, foreign, newer };
[[nodiscard]] HeaderFault parse_header(std::string_view bytes, Layout& out) noexcept;

// The record at the start of `bytes`: its strings point into them, and `length` is set to how many
// it takes. `torn`: it does not end in them. `damaged`: it is none.
[[nodiscard]] Parsed parse_record(std::string_view bytes, const Layout& layout, Record& out,
                                  std::size_t& length) noexcept;

}  // namespace filetree::report::pwal
