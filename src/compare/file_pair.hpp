#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "file_source.hpp"
#include "filetree/compare.hpp"
#include "job.hpp"

namespace filetree::compare {

// Two files: opened and judged by one thread, then read in ranges by as many as help.
class FilePairJob final : public Job {
   public:
    FilePairJob(std::shared_ptr<FileSystem> fs, std::string path_a, std::string path_b,
                const CompareOptions& options);

    // Once it has ended without a failure.
    [[nodiscard]] bool equal() const noexcept { return !different_.load(); }
    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_.load(); }

   private:
    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override;
    void conclude() override;

    // What may be known without reading everything; then the ranges can be begun.
    void open();
    void sample(std::uint64_t size);
    void compare_range(std::uint64_t first, std::uint64_t last);
    // Both from `offset` on; false at the end of both. Sets different_.
    [[nodiscard]] bool compare_chunk(std::uint64_t offset, std::size_t length);
    // Where the next chunk at or after `offset` is, holes on both sides left out.
    [[nodiscard]] std::uint64_t skip_holes(std::uint64_t offset, std::uint64_t last) const;
    void decide(bool equal);

    const std::shared_ptr<FileSystem> fs_;
    const std::string path_a_;
    const std::string path_b_;
    const CompareOptions options_;
    const std::size_t chunk_;

    enum class Phase { closed, opening, reading };
    Phase phase_ = Phase::closed;  // guarded by mutex_, like what follows
    std::uint64_t next_ = 0;       // where the next range begins
    std::uint64_t end_ = 0;        // where the last one ends

    std::optional<FileSource> a_;  // set before phase_ is `reading`
    std::optional<FileSource> b_;
    std::atomic<bool> different_{false};
    std::atomic<std::uint64_t> bytes_read_{0};
};

}  // namespace filetree::compare
