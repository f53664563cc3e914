#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace filetree::compare {

// The name of an entry without "." components and doubled slashes; nothing where it leads out of
// the archive (absolute, or with a ".." component) or nowhere.
[[nodiscard]] std::optional<std::string> normalized_name(std::string_view stored);

}  // namespace filetree::compare
