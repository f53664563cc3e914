#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace filetree::compare {

// Patterns as Python's fnmatch has them: * (anything), ? (one character), [seq] and [!seq]; no
// escapes, no braces, and a leading dot is nothing special. Characters are those of UTF-8; a byte
// that is not part of it is one by itself.
class Patterns {
   public:
    explicit Patterns(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {}

    [[nodiscard]] bool match(std::string_view name) const;

   private:
    std::vector<std::string> patterns_;
};

[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

}  // namespace filetree::compare
