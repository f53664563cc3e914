#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "filetree/compare.hpp"
#include "pair_job.hpp"
#include "pair_reader.hpp"
#include "shortage.hpp"

namespace filetree::compare {

// Two files: opened, judged and begun by one thread, then read in ranges by as many as help.
class FilePairJob final : public PairJob {
   public:
    FilePairJob(std::shared_ptr<FileSystem> fs, std::string path_a, std::string path_b,
                const CompareOptions& options);

    [[nodiscard]] bool equal() const noexcept override { return equal_; }
    [[nodiscard]] std::uint64_t bytes_read() const override;

   private:
    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override;
    void conclude() override;
    void release() noexcept override;

    void open();
    void judge();
    void stop_when_different() noexcept;

    const std::shared_ptr<FileSystem> fs_;
    const std::string path_a_;
    const std::string path_b_;
    const CompareOptions options_;

    Shortage shortage_;
    enum class Phase { closed, opening, reading };
    Phase phase_ = Phase::closed;      // guarded by mutex_
    std::optional<PairReader> files_;  // set, with mutex_ held, before it is judged
    std::uint64_t bytes_read_ = 0;     // when files_ are gone again
    bool equal_ = false;
};

}  // namespace filetree::compare
