#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "filetree/compare.hpp"
#include "pair_job.hpp"
#include "shortage.hpp"
#include "stream_pair.hpp"

namespace filetree::compare {

// A StreamPair as a job: a piece whenever something has come, and no thread meanwhile.
class StreamPairJob final : public PairJob {
   public:
    StreamPairJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client, SourceRef a,
                  SourceRef b, const CompareOptions& options);

    [[nodiscard]] bool equal() const noexcept override { return equal_; }
    [[nodiscard]] std::uint64_t bytes_read() const override;

   private:
    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override;
    [[nodiscard]] bool is_waiting() const override { return !done_; }
    void conclude() override {}
    void release() noexcept override;

    void go_on();
    void begin();

    const std::shared_ptr<FileSystem> fs_;
    const std::shared_ptr<HttpClient> client_;
    const SourceRef a_;
    const SourceRef b_;
    const CompareOptions options_;

    Shortage shortage_;
    std::atomic<bool> woken_{true};
    // Set and reset with mutex_ held; used by the piece that is under way.
    std::unique_ptr<StreamPair> pair_;
    std::uint64_t bytes_read_ = 0;  // by those before
    bool done_ = false;             // guarded by mutex_
    bool equal_ = false;
};

}  // namespace filetree::compare
