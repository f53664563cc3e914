#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace filetree {

// Whether `bytes` are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

// The length of the well-formed sequence at the start of `bytes`, which must not be empty; 0 when
// there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view bytes) noexcept;

// Appends `bytes` with each byte that is not part of well-formed UTF-8 as \xNN.
void append_escaped(std::string_view bytes, std::string& out);

}  // namespace filetree
