#include "pair_reader.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "reading.hpp"
#include "shortage.hpp"

namespace filetree::compare {
namespace {

constexpr std::uint64_t unknown_end = std::numeric_limits<std::int64_t>::max();

// Buffers stay with the thread: it needs them again at once.
struct Buffers {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;

    // Two of `length` bytes.
    char* of(std::size_t length) {
        if (size < 2 * length) {
            bytes.reset(new char[2 * length]);
            size = 2 * length;
        }
        return bytes.get();
    }
};

Buffers& buffers() {
    thread_local Buffers mine;
    return mine;
}

}  // namespace

PairReader::PairReader(std::unique_ptr<FileSource> a, std::unique_ptr<FileSource> b,
                       const CompareOptions& options)
    : a_(std::move(a)),
      b_(std::move(b)),
      options_(options),
      chunk_(options.chunk_size != 0 ? std::min(options.chunk_size, most_chunk) : usual_chunk) {}

void PairReader::judge(const std::atomic<bool>& stop) {
    if (a_->is_same_as(*b_)) return;
    const std::optional<std::uint64_t> a = a_->size();
    const std::optional<std::uint64_t> b = b_->size();
    // What comes later in a file without a known size depends on what came first: one thread.
    if (!a || !b) return read({0, unknown_end}, stop);
    if (a != b) {
        if (options_.size_precheck) return difference_.store(Difference::size);
        sizes_differ_ = true;
    } else {
        if (share_all_extents(*a_, *b_)) return;
        if (options_.quick_check && *a >= sampled_size) sample(*a, stop);
    }
    end_ = std::max(*a, *b);
}

PairReader::Range PairReader::claim() noexcept {
    const std::uint64_t first = next_;
    next_ = std::min(end_, first + range_size);
    return {first, next_};
}

void PairReader::sample(std::uint64_t size, const std::atomic<bool>& stop) {
    for (const std::uint64_t quarter : {0, 4, 1, 2, 3}) {
        const std::uint64_t place = std::min(size / 4 * quarter, size - sample_size);
        (void)compare_chunk(place, sample_size);
        if (stop.load() || difference() != Difference::none) return;
    }
}

void PairReader::read(Range range, const std::atomic<bool>& stop) {
    Shortage::progressed();
    auto [first, last] = range;
    while (first < last && !stop.load() && difference() == Difference::none) {
        if (const std::uint64_t data = skip_holes(first, last); data != first) {
            first = data;
            continue;
        }
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_, last - first));
        if (!compare_chunk(first, length)) return;
        first += length;
    }
}

std::uint64_t PairReader::skip_holes(std::uint64_t offset, std::uint64_t last) const {
    if (!a_->may_have_holes() || !b_->may_have_holes()) return offset;
    const std::uint64_t a = a_->next_data(offset).value_or(last);
    if (a == offset) return offset;
    return std::min({a, b_->next_data(offset).value_or(last), last});
}

bool PairReader::compare_chunk(std::uint64_t offset, std::size_t length) {
    char* const bytes = buffers().of(length);
    const std::size_t a = a_->read_at(offset, {bytes, length});
    const std::size_t b = b_->read_at(offset, {bytes + length, length});
    bytes_read_.fetch_add(a + b, std::memory_order_relaxed);
    if (std::memcmp(bytes, bytes + length, std::min(a, b)) != 0) {
        // Whichever range comes first, the answer is the same.
        difference_.store(sizes_differ_ ? Difference::size : Difference::content);
        return false;
    }
    if (a != b) difference_.store(Difference::size);
    return a == length && b == length;
}

void PairReader::check_unchanged() {
    a_->check_unchanged();
    b_->check_unchanged();
}

}  // namespace filetree::compare
