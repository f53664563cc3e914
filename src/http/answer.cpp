#include "answer.hpp"

#include <charconv>

#include "lowercase.hpp"

namespace filetree::http {
namespace {

// libcurl's numbers are signed.
constexpr std::uint64_t beyond_lengths = std::uint64_t{1} << 63U;

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end != text.data() + text.size()) return {};
    return value;
}

struct ContentRange {
    std::uint64_t first;
    std::uint64_t last;
    std::optional<std::uint64_t> total;
};

// RFC 9110, section 14.4: bytes first-last/total, where the total may be *.
std::optional<ContentRange> parse_content_range(std::string_view text) {
    constexpr std::string_view unit = "bytes ";
    if (!text.starts_with(unit)) return {};
    text.remove_prefix(unit.size());
    const std::size_t dash = text.find('-');
    const std::size_t slash = text.find('/');
    if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) {
        return {};
    }
    const auto first = number(text.substr(0, dash));
    const auto last = number(text.substr(dash + 1, slash - dash - 1));
    const std::string_view rest = text.substr(slash + 1);
    const auto total = number(rest);
    if (!first || !last || *last < *first || (!total && rest != "*")) return {};
    if (total && *last >= *total) return {};
    return ContentRange{*first, *last, total};
}

ContentRange content_range(const std::string& text) {
    const auto range = parse_content_range(text);
    if (!range) throw BadAnswer("it answers without the range that it sends");
    return *range;
}

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

void Answer::add(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string name = lowercase(line.substr(0, colon));
    const std::string value(trimmed(line.substr(colon + 1)));
    if (name == "location") {
        location = value;
    } else if (name == "etag") {
        etag_ = value;
    } else if (name == "last-modified") {
        last_modified_ = value;
    } else if (name == "content-range") {
        content_range_ = value;
    } else if (name == "content-length") {
        contradictory_ = contradictory_ || (!content_length_.empty() && content_length_ != value);
        content_length_ = value;
        malformed_length_ =
            malformed_length_ || number(value).value_or(beyond_lengths) >= beyond_lengths;
    } else if (name == "content-encoding") {
        content_encoding_ += (content_encoding_.empty() ? "" : ", ") + lowercase(value);
    } else if (name == "transfer-encoding") {
        transfer_encoding_ += (transfer_encoding_.empty() ? "" : ", ") + lowercase(value);
    } else if (name == "accept-ranges") {
        accepts_ranges_ = lowercase(value) == "bytes";
    }
}

std::optional<std::uint64_t> Answer::length() const {
    if (malformed_length_) throw BadAnswer("its length is not a number");
    if (contradictory_) throw BadAnswer("it has two different lengths");
    if (!transfer_encoding_.empty()) return {};
    return number(content_length_);
}

Coding Answer::coding() const {
    const auto coding = coding_of(content_encoding_);
    const bool plain = transfer_encoding_.empty() || transfer_encoding_ == "chunked" ||
                       transfer_encoding_ == "identity";
    if (!coding || !plain) throw BadAnswer("its content is encoded in a way that is unknown");
    return *coding;
}

HttpHead Answer::whole() const {
    HttpHead head;
    const auto sent = length();
    if (coding() == Coding::identity) {
        head.length = sent;
        head.accepts_ranges = accepts_ranges_ && sent;
    }
    head.validators = etag_ + "\n" + last_modified_;
    return head;
}

HttpHead Answer::part(const HttpRange& wanted) const {
    HttpHead head = whole();
    if (coding() != Coding::identity) throw BadAnswer("it sends an encoded range");
    const ContentRange range = content_range(content_range_);
    const bool to_the_end = range.total && range.last == *range.total - 1 &&
                            (!wanted.last || range.last < *wanted.last);
    if (range.first != wanted.first || !(to_the_end || range.last == wanted.last)) {
        throw BadAnswer("it sends another range than it was asked for");
    }
    if (head.length && *head.length != length_of_part()) {
        throw BadAnswer("it sends a range of another length");
    }
    head.partial = true;
    head.length = range.total;
    head.accepts_ranges = true;
    return head;
}

std::uint64_t Answer::length_of_part() const {
    const ContentRange range = content_range(content_range_);
    return range.last - range.first + 1;
}

}  // namespace filetree::http
