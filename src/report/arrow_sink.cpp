#include "arrow_sink.hpp"

#include "../fs/utf8.hpp"
#include "names.hpp"

namespace filetree::report {

void ArrowSink::entries(const WalkedDirectory& parent, const Listing& names,
                        std::span<const std::uint32_t> selected, std::size_t first,
                        const StatResult* stats) {
    const bool prefix_is_utf8 = is_utf8(path_.enter(parent));
    Row row{};
    row.parent_inode = parent.attributes().inode;
    row.depth = parent.depth() + 1;
    for (const std::uint32_t i : selected) {
        const std::string_view name = names.name(i);
        row.attributes = &stats[i - first].attributes;
        row.extension = extension_of(name);
        append(row, path_.of(name), prefix_is_utf8 && is_utf8(name));
    }
}

void ArrowSink::directory(const WalkedDirectory& directory, const DirectoryTotals& totals) {
    const std::string_view path = path_.of(directory);
    Row row{};
    row.attributes = &directory.attributes();
    row.parent_inode = directory.parent_inode();
    row.depth = directory.depth();
    row.totals_known = totals.state == DirectoryTotals::State::complete;
    row.file_count = static_cast<std::int64_t>(totals.file_count);
    row.dir_sum = static_cast<std::int64_t>(totals.size_sum);
    append(row, path, is_utf8(path));
}

void ArrowSink::append(const Row& row, std::string_view path, bool path_is_utf8) {
    if (!batch_) batch_ = pool_->get();
    if (const unsigned clamped = row_.append(row, path, path_is_utf8, *batch_)) {
        shared_->clamped_times.fetch_add(clamped, std::memory_order_relaxed);
    }
    if (BatchPool::is_full(*batch_)) flush();
}

void ArrowSink::flush() {
    if (!batch_ || batch_->rows() == 0) return;
    const std::size_t bytes = batch_->bytes();
    queue_->push(std::move(batch_), bytes);
}

}  // namespace filetree::report
