#pragma once

#include <string>
#include <string_view>

namespace filetree::report {

// Whether `bytes` are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

// Appends `bytes` with each byte that is not part of well-formed UTF-8 as \xNN.
void append_escaped(std::string_view bytes, std::string& out);

// Whether CSV can carry `bytes` as they are: nothing below 32, no double quote.
[[nodiscard]] bool is_plain(std::string_view bytes) noexcept;
// Whether any byte is below 32.
[[nodiscard]] bool has_control_characters(std::string_view bytes) noexcept;

// The extension of a file's name: what follows the last ".", not counting a first character. The
// data is null when there is none; "x." has an empty one.
[[nodiscard]] inline std::string_view extension_of(std::string_view name) noexcept {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return {};
    return name.substr(dot + 1);
}

}  // namespace filetree::report
