#pragma once

#include <span>
#include <vector>

#include "../walk/entry_path.hpp"
#include "escaped_row.hpp"
#include "handover_queue.hpp"
#include "record_batch.hpp"
#include "shared.hpp"

namespace filetree::report {

// Batches put aside go back to the pool, and come from there when they are read again.
class BatchCodec {
   public:
    explicit BatchCodec(std::shared_ptr<BatchPool> pool) : pool_(std::move(pool)) {}

    static std::string_view dump(const std::unique_ptr<RecordBatch>& batch, ByteBuffer& scratch) {
        batch->dump(scratch);
        return scratch.view();
    }
    bool restore(ByteBuffer& bytes, std::unique_ptr<RecordBatch>& out) const {
        out = pool_->get();
        return out->restore(bytes.view());
    }
    void discard(std::unique_ptr<RecordBatch> batch) const { pool_->put(std::move(batch)); }

   private:
    std::shared_ptr<BatchPool> pool_;
};

using BatchQueue = HandoverQueue<std::unique_ptr<RecordBatch>, BatchCodec>;

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
    void append(const RowGroup& group, std::span<const Row> rows);
    void append_waiting(const RowGroup& group);
    void escape_and_append(RowGroup group, const Row& row);

    // As many rows as stay in a core's first cache, with what they point to, while their columns
    // are written.
    static constexpr std::size_t most_waiting = 64;
    static constexpr std::size_t usual_name = 64;  // bytes

    std::shared_ptr<BatchQueue> queue_;
    std::shared_ptr<BatchPool> pool_;
    std::shared_ptr<Report::Shared> shared_;
    std::unique_ptr<RecordBatch> batch_;
    walk::EntryPath path_;
    EscapedRow escaped_;
    std::vector<Row> waiting_;  // while entries() runs
};

}  // namespace filetree::report
