#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace filetree::report {

// Whether CSV can carry `bytes` as they are: nothing below 32, no double quote.
[[nodiscard]] inline bool is_plain(std::string_view bytes) noexcept {
    bool plain = true;
    for (const char c : bytes) plain &= static_cast<std::uint8_t>(c) >= 32 && c != '"';
    return plain;
}

// Whether any byte is below 32.
[[nodiscard]] inline bool has_control_characters(std::string_view bytes) noexcept {
    bool any = false;
    for (const char c : bytes) any |= static_cast<std::uint8_t>(c) < 32;
    return any;
}

// The extension of a file's name: what follows the last ".", not counting a first character. The
// data is null when there is none; "x." has an empty one.
[[nodiscard]] inline std::string_view extension_of(std::string_view name) noexcept {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return {};
    return name.substr(dot + 1);
}

}  // namespace filetree::report
