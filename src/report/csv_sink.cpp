#include "csv_sink.hpp"

#include "names.hpp"

namespace filetree::report {

void CsvSink::entries(const WalkedDirectory& parent, const Listing& names,
                      std::span<const std::uint32_t> selected, std::size_t first,
                      const StatResult* stats) {
    const std::string_view prefix = path_.enter(parent);
    row_.set_place(parent.attributes().inode, parent.depth() + 1, prefix);
    const bool bad_directory = has_control_characters(prefix);
    for (const std::uint32_t i : selected) {
        const std::string_view name = names.name(i);
        if (bad_directory || has_control_characters(name)) note_bad_path(prefix, name);
        row_.append(stats[i - first].attributes, name, extension_of(name), -1, 0, buffer());
        end_line();
    }
}

void CsvSink::directory(const WalkedDirectory& directory, const DirectoryTotals& totals) {
    if (!totals.opened) return;
    const std::string_view path = path_.of(directory);
    if (has_control_characters(path)) note_bad_path(path, {});
    row_.set_place(directory.parent_inode(), directory.depth(), {});
    row_.append(directory.attributes(), path, {}, static_cast<std::int64_t>(totals.file_count),
                static_cast<std::int64_t>(totals.size_sum), buffer());
    end_line();
}

void CsvSink::note_bad_path(std::string_view directory, std::string_view name) {
    shared_->note_bad_path(std::string(directory).append(name));
}

}  // namespace filetree::report
