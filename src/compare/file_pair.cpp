#include "file_pair.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

namespace filetree::compare {
namespace {

// Two chunks fit into a core's second-level cache, and a call costs little beside one.
constexpr std::size_t usual_chunk = std::size_t{256} << 10U;
// What one thread reads of each file before it looks what else there is to do.
constexpr std::uint64_t range_size = std::uint64_t{4} << 20U;
// From this size on a look at some places first is cheap beside reading it all.
constexpr std::uint64_t sampled_size = std::uint64_t{4} << 20U;
constexpr std::size_t sample_size = std::size_t{64} << 10U;
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

FilePairJob::FilePairJob(std::shared_ptr<FileSystem> fs, std::string path_a, std::string path_b,
                         const CompareOptions& options)
    : fs_(std::move(fs)),
      path_a_(std::move(path_a)),
      path_b_(std::move(path_b)),
      options_(options),
      chunk_(options.chunk_size != 0 ? options.chunk_size : usual_chunk) {
    if (options.max_workers != 0) limit_ = options.max_workers;
}

Job::Piece FilePairJob::take() {
    if (phase_ == Phase::closed) {
        phase_ = Phase::opening;
        return [this] { open(); };
    }
    if (!has_more()) return {};
    const std::uint64_t first = next_;
    next_ = std::min(end_, first + range_size);
    return [this, first, last = next_] { compare_range(first, last); };
}

bool FilePairJob::has_more() const { return phase_ == Phase::reading && next_ < end_; }

void FilePairJob::open() {
    a_.emplace(*fs_, path_a_);
    b_.emplace(*fs_, path_b_);
    if (a_->is_same_as(*b_)) return decide(true);
    const bool both_known = a_->size() && b_->size();
    if (both_known && a_->size() != b_->size()) {
        if (options_.size_precheck) return decide(false);
    } else if (both_known) {
        if (share_all_extents(*a_, *b_)) return decide(true);
        if (options_.quick_check && *a_->size() >= sampled_size) sample(*a_->size());
    }
    // What comes later in a file without a known size depends on what came first: one thread.
    if (!both_known) return compare_range(0, unknown_end);
    const std::lock_guard lock(mutex_);
    phase_ = Phase::reading;
    end_ = std::max(*a_->size(), *b_->size());
}

void FilePairJob::sample(std::uint64_t size) {
    for (const std::uint64_t quarter : {0, 4, 1, 2, 3}) {
        const std::uint64_t place = std::min(size / 4 * quarter, size - sample_size);
        (void)compare_chunk(place, sample_size);
        if (stopping()) return;
    }
}

void FilePairJob::compare_range(std::uint64_t first, std::uint64_t last) {
    while (first < last && !stopping()) {
        if (const std::uint64_t data = skip_holes(first, last); data != first) {
            first = data;
            continue;
        }
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_, last - first));
        if (!compare_chunk(first, length)) return;
        first += length;
    }
}

std::uint64_t FilePairJob::skip_holes(std::uint64_t offset, std::uint64_t last) const {
    if (!a_->may_have_holes() || !b_->may_have_holes()) return offset;
    const std::uint64_t a = a_->next_data(offset).value_or(last);
    if (a == offset) return offset;
    return std::min({a, b_->next_data(offset).value_or(last), last});
}

bool FilePairJob::compare_chunk(std::uint64_t offset, std::size_t length) {
    char* const bytes = buffers().of(length);
    const std::size_t a = a_->read_at(offset, {bytes, length});
    const std::size_t b = b_->read_at(offset, {bytes + length, length});
    bytes_read_.fetch_add(a + b, std::memory_order_relaxed);
    if (a != b || std::memcmp(bytes, bytes + length, a) != 0) {
        decide(false);
        return false;
    }
    return a == length;
}

void FilePairJob::decide(bool equal) {
    if (!equal) different_.store(true);
    stop();
}

void FilePairJob::conclude() {
    a_->check_unchanged();
    b_->check_unchanged();
}

}  // namespace filetree::compare
