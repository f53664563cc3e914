#include "rar_block.hpp"

#include <array>
#include <string_view>

#include "fields.hpp"

namespace filetree::compare {
namespace {

using Kind = RarBlock::Kind;
using namespace std::string_view_literals;

constexpr std::string_view marker4 = "Rar!\x1a\x07\x00"sv;
constexpr std::string_view marker5 = "Rar!\x1a\x07\x01\x00"sv;
constexpr std::size_t longest_fields = 96;  // of those that are looked at

// CRC (2), kind (1), flags (2), size (2); of a file and what is like one: packed size (4), size
// (4), host (1), CRC (4), time (4), version (1), method (1), name's size (2), attributes (4), upper
// half of the packed size (4).
RarBlock block4(Fields fields, std::uint64_t offset) {
    constexpr std::uint64_t file = 0x74;
    constexpr std::uint64_t service = 0x7a;
    constexpr std::uint64_t end = 0x7b;
    constexpr std::uint64_t has_upper_half = 0x100;
    constexpr std::uint64_t has_data = 0x8000;
    RarBlock block;
    fields.skip(2);
    const std::uint64_t kind = fields.fixed(1);
    const std::uint64_t flags = fields.fixed(2);
    block.data = offset + fields.fixed(2);
    std::uint64_t packed = 0;
    if (kind == file || kind == service) {
        packed = fields.fixed(4);
        fields.skip(5);
        block.crc = static_cast<std::uint32_t>(fields.fixed(4));
        fields.skip(12);
        if ((flags & has_upper_half) != 0) packed |= fields.fixed(4) << 32U;
    } else if ((flags & has_data) != 0) {
        packed = fields.fixed(4);
    }
    block.next = block.data + packed;
    if (kind == file) block.kind = Kind::file;
    if (kind == end) block.kind = Kind::end_of_archive;
    return block;
}

// CRC (4), and variable numbers: size from here on, kind, flags, the extra area's size, the data's
// size; of a file: flags, size, attributes; time (4), CRC (4).
RarBlock block5(Fields fields, std::uint64_t offset) {
    constexpr std::uint64_t file = 2;
    constexpr std::uint64_t end = 5;
    RarBlock block;
    fields.skip(4);
    const std::uint64_t size = fields.variable();
    block.data = offset + fields.used() + size;
    const std::uint64_t kind = fields.variable();
    const std::uint64_t flags = fields.variable();
    if ((flags & 1U) != 0) (void)fields.variable();
    block.next = block.data + ((flags & 2U) != 0 ? fields.variable() : 0);
    if (kind == end) block.kind = Kind::end_of_archive;
    if (kind != file) return block;
    block.kind = Kind::file;
    const std::uint64_t file_flags = fields.variable();
    (void)fields.variable();
    (void)fields.variable();
    if ((file_flags & 2U) != 0) fields.skip(4);
    if ((file_flags & 4U) != 0) block.crc = static_cast<std::uint32_t>(fields.fixed(4));
    return block;
}

}  // namespace

std::optional<RarBlock> rar_block_at(Source& source, RarVersion version, std::uint64_t offset) {
    std::array<char, longest_fields> bytes{};
    std::size_t length = source.read_at(offset, bytes);
    const std::string_view marker = version == RarVersion::rar4 ? marker4 : marker5;
    if (std::string_view(bytes.data(), length).starts_with(marker)) {
        offset += marker.size();
        length = source.read_at(offset, bytes);
    }
    const Fields fields({bytes.data(), length});
    const RarBlock block =
        version == RarVersion::rar4 ? block4(fields, offset) : block5(fields, offset);
    char last = 0;
    const bool whole = length > 0 && block.data > offset && block.next >= block.data &&
                       source.read_at(block.data - 1, {&last, 1}) == 1;
    if (!whole) return {};
    return block;
}

}  // namespace filetree::compare
