#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "source.hpp"

namespace filetree::compare {

// Whether a rar or zip archive says that it is one part of several.
[[nodiscard]] bool is_volume(Source& source);

// How many entries a zip says that it has, modulo 65,536; nothing where a zip64 says it elsewhere.
[[nodiscard]] std::optional<std::uint16_t> zip_entry_count(Source& source);

// Whether it is a zip that holds nothing: the end record alone (APPNOTE.TXT, 4.3.16).
[[nodiscard]] bool is_empty_zip(Source& source);

// Whether a name is what parts of an archive that was cut are called, as in name.7z.001.
[[nodiscard]] bool is_named_as_volume(std::string_view name);

}  // namespace filetree::compare
