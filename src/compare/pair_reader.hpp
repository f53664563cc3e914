#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "difference.hpp"
#include "file_source.hpp"
#include "filetree/compare.hpp"

namespace filetree::compare {

// Two open files, judged by one thread, then read in ranges by as many as help.
//
// Threads: judge() first, by one, then claim() under a lock of the caller's; the others by any.
// `stop` is the caller's wish to end; what has been found by then still holds.
class PairReader {
   public:
    using Range = std::pair<std::uint64_t, std::uint64_t>;  // first, last

    PairReader(std::unique_ptr<FileSource> a, std::unique_ptr<FileSource> b,
               const CompareOptions& options);

    // Tells what may be known without reading everything, and reads what one thread has to read
    // alone. The rest is what claim() hands out.
    void judge(const std::atomic<bool>& stop);
    [[nodiscard]] bool has_more() const noexcept {
        return next_ < end_ && difference() == Difference::none;
    }
    // The next range; there must be one.
    [[nodiscard]] Range claim() noexcept;
    void read(Range range, const std::atomic<bool>& stop);
    // How much is left to be claimed, in bytes.
    [[nodiscard]] std::uint64_t unclaimed() const noexcept { return end_ - next_; }

    // After the last of it: throws CompareError when either file is not what it was.
    void check_unchanged();

    [[nodiscard]] Difference difference() const noexcept { return difference_.load(); }
    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_.load(); }

   private:
    void sample(std::uint64_t size, const std::atomic<bool>& stop);
    // Both from `offset` on; false at the end of both, and when they differ.
    [[nodiscard]] bool compare_chunk(std::uint64_t offset, std::size_t length);
    // Where the next chunk at or after `offset` is, holes on both sides left out.
    [[nodiscard]] std::uint64_t skip_holes(std::uint64_t offset, std::uint64_t last) const;

    const std::unique_ptr<FileSource> a_;
    const std::unique_ptr<FileSource> b_;
    const CompareOptions options_;
    const std::size_t chunk_;
    bool sizes_differ_ = false;  // and are not taken for an answer
    std::uint64_t next_ = 0;     // where the next range begins
    std::uint64_t end_ = 0;      // where the last one ends
    std::atomic<Difference> difference_{Difference::none};
    std::atomic<std::uint64_t> bytes_read_{0};
};

}  // namespace filetree::compare
