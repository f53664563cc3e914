#include "archive_name.hpp"

namespace filetree::compare {

std::optional<std::string> normalized_name(std::string_view stored) {
    if (stored.starts_with('/')) return {};
    std::string name;
    name.reserve(stored.size());
    while (!stored.empty()) {
        const std::size_t end = stored.find('/');
        const std::string_view component = stored.substr(0, end);
        stored.remove_prefix(end == std::string_view::npos ? stored.size() : end + 1);
        if (component == "..") return {};
        if (component.empty() || component == ".") continue;
        if (!name.empty()) name += '/';
        name += component;
    }
    if (name.empty()) return {};
    return name;
}

}  // namespace filetree::compare
