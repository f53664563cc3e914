#pragma once

#include "text_sink.hpp"

namespace filetree::report {

// The line that names the columns, as pwalk 3.0 writes it.
extern const std::string_view csv_header;

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
    // Sets `place_` to what follows the inode in a row, up to where the name begins.
    void set_place(std::uint64_t parent_inode, std::int32_t depth, std::string_view path);
    void append_row(const Attributes& attributes, std::string_view name, std::string_view extension,
                    std::int64_t file_count, std::int64_t dir_sum);
    void note_bad_path(std::string_view directory, std::string_view name);

    std::shared_ptr<Report::Shared> shared_;
    std::string path_;
    std::string place_;
};

}  // namespace filetree::report
