#include "archive_budget.hpp"

#include <cerrno>
#include <limits>

namespace filetree::compare {
namespace {

constexpr std::uint64_t free_overhead = std::uint64_t{1} << 20U;
constexpr std::uint64_t free_overhead_of_entry = std::uint64_t{16} << 10U;
constexpr std::uint64_t free_of_ratio = std::uint64_t{1} << 20U;

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
    std::uint64_t result = 0;
    if (__builtin_add_overflow(a, b, &result)) return std::numeric_limits<std::uint64_t>::max();
    return result;
}

}  // namespace

ArchiveBudget::ArchiveBudget(const ArchiveOptions& limits, const Source& source)
    : limits_(limits), source_(source) {}

void ArchiveBudget::take_entry() {
    ++entries_;
    if (limits_.max_entries != 0 && entries_ > limits_.max_entries) {
        refuse(std::to_string(entries_) + " entries", "max_archive_entries", limits_.max_entries);
    }
}

void ArchiveBudget::take_name(std::uint64_t length) const {
    if (limits_.max_name_length != 0 && length > limits_.max_name_length) {
        refuse("a name of " + std::to_string(length) + " bytes", "max_entry_name_length",
               limits_.max_name_length);
    }
}

void ArchiveBudget::take_content(std::uint64_t size) {
    check(content_, size);
    content_ = sum(content_, size);
}

void ArchiveBudget::set_overhead(std::uint64_t bytes) {
    overhead_ = bytes;
    check(content_, 0);
}

void ArchiveBudget::check(std::uint64_t content, std::uint64_t more) const {
    const std::uint64_t free = sum(free_overhead, entries_ * free_overhead_of_entry);
    const std::uint64_t total = sum(sum(content, more), overhead_ > free ? overhead_ - free : 0);
    if (limits_.max_decompressed_size != 0 && total > limits_.max_decompressed_size) {
        refuse(std::to_string(total) + " decompressed bytes", "max_decompressed_size",
               limits_.max_decompressed_size);
    }
    if (limits_.max_compression_ratio == 0 || total <= free_of_ratio || !source_.size()) return;
    const std::uint64_t size = *source_.size();
    if (total / limits_.max_compression_ratio >= size &&
        total > size * limits_.max_compression_ratio) {
        refuse(std::to_string(total) + " decompressed bytes of " + std::to_string(size) +
                   ", a ratio of " + std::to_string(total / size),
               "max_compression_ratio", limits_.max_compression_ratio);
    }
}

void ArchiveBudget::refuse(const std::string& figure, const char* limit, std::uint64_t most) const {
    throw CompareError(
        CompareFailure::bomb, EFBIG, source_.name(),
        "archive bomb: " + figure + ", and " + limit + " is " + std::to_string(most));
}

}  // namespace filetree::compare
