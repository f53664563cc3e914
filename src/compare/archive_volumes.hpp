#pragma once

#include <string_view>

#include "source.hpp"

namespace filetree::compare {

// Whether a rar or zip archive says that it is one part of several.
[[nodiscard]] bool is_volume(Source& source);

// Whether a name is what parts of an archive that was cut are called, as in name.7z.001.
[[nodiscard]] bool is_named_as_volume(std::string_view name);

}  // namespace filetree::compare
