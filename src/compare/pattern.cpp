#include "pattern.hpp"

#include <algorithm>
#include <utility>

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

// As Python has it: a byte that is not part of UTF-8 is the surrogate that stands for it.
char32_t code_point(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x80U ? first : 0xDC00U + first;
    char32_t value = first & (0x7FU >> character.size());
    for (const char byte : character.substr(1)) {
        value = value << 6U | (static_cast<unsigned char>(byte) & 0x3FU);
    }
    return value;
}

using CharacterRange = std::pair<char32_t, char32_t>;

// Takes the first range, or character, off a set.
CharacterRange take_range(std::string_view& set) {
    const char32_t low = code_point(take(set));
    if (set.size() < 2 || set[0] != '-') return {low, low};
    set.remove_prefix(1);
    return {low, code_point(take(set))};
}

bool is_in_set(std::string_view set, std::string_view character) {
    // fnmatch drops empty ranges before it looks for the "!".
    for (std::string_view rest = set; !rest.empty() && !set.starts_with('!');) {
        const auto [low, high] = take_range(rest);
        if (low <= high) break;
        set = rest;
    }
    const bool negated = set.starts_with('!');
    if (negated) set.remove_prefix(1);
    const char32_t wanted = code_point(character);
    bool found = false;
    while (!set.empty()) {
        const auto [low, high] = take_range(set);
        found = found || (low <= wanted && wanted <= high);
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
