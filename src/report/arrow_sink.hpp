#pragma once

#include "bounded_queue.hpp"
#include "path_row.hpp"
#include "record_batch.hpp"
#include "shared.hpp"

namespace filetree::report {

using BatchQueue = BoundedQueue<std::unique_ptr<RecordBatch>>;

// Turns what one worker finds into record batches.
class ArrowSink final : public EntrySink {
   public:
    ArrowSink(std::shared_ptr<BatchQueue> queue, std::shared_ptr<BatchPool> pool,
              std::shared_ptr<Report::Shared> shared)
        : queue_(std::move(queue)), pool_(std::move(pool)), shared_(std::move(shared)) {}

    void entries(const WalkedDirectory& parent, const Listing& names,
                 std::span<const std::uint32_t> selected, std::size_t first,
                 const StatResult* stats) override;
    void directory(const WalkedDirectory& directory, const DirectoryTotals& totals) override;
    void flush() override;

   private:
    void append(const Row& row, std::string_view path, bool path_is_utf8);

    std::shared_ptr<BatchQueue> queue_;
    std::shared_ptr<BatchPool> pool_;
    std::shared_ptr<Report::Shared> shared_;
    std::unique_ptr<RecordBatch> batch_;
    std::string path_;
    PathRow row_;
};

}  // namespace filetree::report
