#include "path_sink.hpp"

namespace filetree::report {

void PathSink::entries(const WalkedDirectory& parent, const Listing& names,
                       std::span<const std::uint32_t> selected, std::size_t /*first*/,
                       const StatResult* /*stats*/) {
    if (!options_.others) return;
    const std::string_view prefix = path_.enter(parent);
    for (const std::uint32_t i : selected) append_line(prefix, names.name(i));
}

void PathSink::directory(const WalkedDirectory& directory, const DirectoryTotals& /*totals*/) {
    if (!options_.directories) return;
    append_line(path_.of(directory), {});
}

void PathSink::append_line(std::string_view directory, std::string_view name) {
    begin_line(directory.size() + name.size() + 1);
    buffer().append_unchecked(directory);
    if (!name.empty()) buffer().append_unchecked(name);
    buffer().append_unchecked({&terminator_, 1});
    end_line();
}

}  // namespace filetree::report
