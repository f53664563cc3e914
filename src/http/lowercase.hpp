#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

namespace filetree::http {

// Names of hosts, schemes and headers are compared without regard to case.
[[nodiscard]] inline std::string lowercase(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

}  // namespace filetree::http
