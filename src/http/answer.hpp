#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "decoder.hpp"
#include "filetree/http.hpp"

namespace filetree::http {

// An answer that is not what it should be.
struct BadAnswer : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The head of an answer to a GET, line by line.
//
// Threads: one at a time.
class Answer {
   public:
    Answer() = default;
    explicit Answer(int its_status) : status(its_status) {}

    // A field, with its line's end.
    void add(std::string_view line);

    int status = 0;
    std::string location;

    // These throw BadAnswer.

    // Of the body as it is sent: its length, where it is said, and its coding.
    [[nodiscard]] std::optional<std::uint64_t> length() const;
    [[nodiscard]] Coding coding() const;
    // What it says of the content; of a part that it is the one that was asked for.
    [[nodiscard]] HttpHead whole() const;
    [[nodiscard]] HttpHead part(const HttpRange& wanted) const;
    // Of a part.
    [[nodiscard]] std::uint64_t length_of_part() const;

   private:
    std::string etag_;
    std::string last_modified_;
    std::string content_range_;
    std::string content_length_;
    std::string content_encoding_;   // in lower case
    std::string transfer_encoding_;  // likewise
    bool accepts_ranges_ = false;
    bool contradictory_ = false;     // two lengths
    bool malformed_length_ = false;  // which libcurl takes for the number that it begins with
};

[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;

}  // namespace filetree::http
