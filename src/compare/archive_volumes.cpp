#include "archive_volumes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fields.hpp"
#include "zip_directory.hpp"

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
    Fields fields(head);
    fields.skip(12);
    (void)fields.variable();
    if (fields.variable() != 1) return false;
    if ((fields.variable() & 1U) != 0) (void)fields.variable();
    return (fields.variable() & 1U) != 0;
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
    return end && end->is_of_volume;
}

bool is_named_as_volume(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot != std::string_view::npos && name.size() - dot == 4 &&
           std::all_of(name.begin() + static_cast<std::ptrdiff_t>(dot) + 1, name.end(),
                       [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace filetree::compare
