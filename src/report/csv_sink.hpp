#pragma once

#include "../walk/entry_path.hpp"
#include "csv_row.hpp"
#include "text_sink.hpp"

namespace filetree::report {

// Rows as pwalk 3.0 (John Dey's) writes them.
class CsvSink final : public TextSink {
   public:
    CsvSink(std::shared_ptr<TextQueue> queue, std::shared_ptr<Report::Shared> shared)
        : TextSink(std::move(queue)), shared_(std::move(shared)) {}

    void entries(const WalkedDirectory& parent, const Listing& names,
                 std::span<const std::uint32_t> selected, std::size_t first,
                 const StatResult* stats) override;
    // Directories that could not be opened have no row.
    void directory(const WalkedDirectory& directory, const DirectoryTotals& totals) override;

   private:
    void note_bad_path(std::string_view directory, std::string_view name);

    std::shared_ptr<Report::Shared> shared_;
    CsvRow row_;
    walk::EntryPath path_;
};

}  // namespace filetree::report
