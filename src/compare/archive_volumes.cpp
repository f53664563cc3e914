#include "archive_volumes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace filetree::compare {
namespace {

using namespace std::string_view_literals;

std::uint8_t at(std::string_view bytes, std::size_t place) {
    return static_cast<std::uint8_t>(bytes[place]);
}

// The marker, and then the main header: CRC (2), type 0x73, flags (2).
bool is_rar4_volume(std::string_view head) {
    return head.starts_with("Rar!\x1a\x07\x00"sv) && head.size() > 10 && at(head, 9) == 0x73 &&
           (at(head, 10) & 1U) != 0;
}

// The marker, then the main header: CRC (4), and numbers of 7 bits a byte: size, type 1, flags, the
// extra area's size if flag 1 is set, the archive's flags.
bool is_rar5_volume(std::string_view head) {
    if (!head.starts_with("Rar!\x1a\x07\x01\x00"sv)) return false;
    std::size_t place = 12;
    const auto number = [&] {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 63 && place < head.size(); shift += 7) {
            const std::uint8_t byte = at(head, place++);
            value |= std::uint64_t{byte & 0x7fU} << shift;
            if ((byte & 0x80U) == 0) break;
        }
        return value;
    };
    (void)number();
    if (number() != 1) return false;
    if ((number() & 1U) != 0) (void)number();
    return (number() & 1U) != 0;
}

// The end of a zip's central directory: signature (4), this disk's number (2), the directory's (2),
// entries on this disk (2), entries (2).
struct ZipEnd {
    std::uint16_t disk = 0;
    std::uint16_t entries = 0;
};
constexpr std::uint16_t elsewhere = 0xffff;  // what stands for a number that is in a zip64's end

std::optional<ZipEnd> zip_end(Source& source) {
    constexpr std::uint64_t size = 22;
    constexpr std::uint64_t longest = size + 65535;  // with a comment
    if (!source.size()) return {};
    std::vector<char> last(std::min(longest, *source.size()));
    const std::size_t length = source.read_at(*source.size() - last.size(), last);
    const std::string_view tail(last.data(), length);
    const std::size_t end = tail.rfind("PK\x05\x06"sv);
    if (end == std::string_view::npos || end + size > tail.size()) return {};
    const auto number = [&](std::size_t place) {
        return static_cast<std::uint16_t>(at(tail, end + place) | at(tail, end + place + 1) << 8U);
    };
    return ZipEnd{number(4), number(10)};
}

}  // namespace

bool is_volume(Source& source) {
    std::array<char, 64> first{};
    const std::string_view head(first.data(), source.read_at(0, first));
    if (is_rar4_volume(head) || is_rar5_volume(head) ||
        head.starts_with("PK\x07\x08PK\x03\x04"sv)) {
        return true;
    }
    const std::optional<ZipEnd> end = zip_end(source);
    return end && end->disk != 0 && end->disk != elsewhere;
}

std::optional<std::uint16_t> zip_entry_count(Source& source) {
    const std::optional<ZipEnd> end = zip_end(source);
    if (!end || end->entries == elsewhere) return {};
    return end->entries;
}

bool is_empty_zip(Source& source) {
    constexpr std::size_t comment_at = 20;
    std::array<char, 22> end{};
    if (source.read_at(0, end) < end.size() || !source.size()) return false;
    if (std::string_view(end.data(), 4) != "PK\x05\x06"sv) return false;
    const bool nothing =
        std::all_of(end.begin() + 4, end.begin() + comment_at, [](char byte) { return byte == 0; });
    const std::string_view record(end.data(), end.size());
    const std::uint64_t comment =
        at(record, comment_at) + std::uint64_t{256} * at(record, comment_at + 1);
    return nothing && *source.size() == end.size() + comment;
}

bool is_named_as_volume(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot != std::string_view::npos && name.size() - dot == 4 &&
           std::all_of(name.begin() + static_cast<std::ptrdiff_t>(dot) + 1, name.end(),
                       [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace filetree::compare
