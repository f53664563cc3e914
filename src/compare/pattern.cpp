#include "pattern.hpp"

#include <algorithm>

#include "../fs/utf8.hpp"

namespace filetree::compare {
namespace {

// Takes the first character off; it is not empty.
std::string_view take(std::string_view& text) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
    const std::string_view character = text.substr(0, length);
    text.remove_prefix(length);
    return character;
}

// The end of a set whose "[" has been taken: the place of its "]". A "]" that comes first is one of
// the set. Nothing: there is none, and "[" means itself.
std::size_t end_of_set(std::string_view pattern) {
    std::size_t at = pattern.starts_with('!') ? 1 : 0;
    if (at < pattern.size() && pattern[at] == ']') ++at;
    return pattern.find(']', at);
}

// UTF-8 sorts as its code points do.
bool is_in_set(std::string_view set, std::string_view character) {
    const bool negated = set.starts_with('!');
    if (negated) set.remove_prefix(1);
    bool found = false;
    while (!set.empty()) {
        const std::string_view low = take(set);
        std::string_view high = low;
        if (set.size() > 1 && set[0] == '-') {
            set.remove_prefix(1);
            high = take(set);
        }
        found = found || (low <= character && character <= high);
    }
    return found != negated;
}

// Whether the first character of the name fits the first element of the pattern; takes both.
bool take_match(std::string_view& pattern, std::string_view& name) {
    const std::string_view character = take(name);
    const std::string_view element = take(pattern);
    if (element == "?") return true;
    if (element == "[") {
        const std::size_t end = end_of_set(pattern);
        if (end != std::string_view::npos) {
            const std::string_view set = pattern.substr(0, end);
            pattern.remove_prefix(end + 1);
            return is_in_set(set, character);
        }
    }
    return element == character;
}

}  // namespace

// Only the last "*" is ever taken up again: what an earlier one could still match, it can too.
bool matches(std::string_view pattern, std::string_view name) {
    bool starred = false;
    std::string_view pattern_behind_star;
    std::string_view name_at_star;
    for (;;) {
        if (pattern.starts_with('*')) {
            pattern.remove_prefix(1);
            starred = true;
            pattern_behind_star = pattern;
            name_at_star = name;
            continue;
        }
        if (name.empty() && pattern.empty()) return true;
        if (!name.empty() && !pattern.empty() && take_match(pattern, name)) continue;
        if (!starred || name_at_star.empty()) return false;
        (void)take(name_at_star);
        pattern = pattern_behind_star;
        name = name_at_star;
    }
}

bool Patterns::match(std::string_view name) const {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [name](const std::string& pattern) { return matches(pattern, name); });
}

}  // namespace filetree::compare
