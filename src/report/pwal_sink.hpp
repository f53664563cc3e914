#pragma once

#include "../walk/entry_path.hpp"
#include "pwal_format.hpp"
#include "text_sink.hpp"

namespace filetree::report {

// Rows as PWAL records. A path too long for the format is an EntryError, and has no row.
class PwalSink final : public TextSink {
   public:
    PwalSink(std::shared_ptr<TextQueue> queue, std::shared_ptr<Report::Shared> shared)
        : TextSink(std::move(queue)), shared_(std::move(shared)) {}

    void entries(const WalkedDirectory& parent, const Listing& names,
                 std::span<const std::uint32_t> selected, std::size_t first,
                 const StatResult* stats) override;
    void directory(const WalkedDirectory& directory, const DirectoryTotals& totals) override;
    void flush() override;

   private:
    void append(const pwal::Record& record);

    std::shared_ptr<Report::Shared> shared_;
    std::uint64_t records_ = 0;  // since the last flush
    walk::EntryPath path_;
};

}  // namespace filetree::report
