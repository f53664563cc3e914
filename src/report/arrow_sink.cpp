#include "arrow_sink.hpp"

#include <algorithm>

#include "../fs/utf8.hpp"
#include "names.hpp"

namespace filetree::report {

void ArrowSink::entries(const WalkedDirectory& parent, const Listing& names,
                        std::span<const std::uint32_t> selected, std::size_t first,
                        const StatResult* stats) {
    RowGroup group{};
    group.prefix = path_.enter(parent);
    group.parent_inode = parent.attributes().inode;
    group.depth = parent.depth() + 1;
    const bool prefix_is_utf8 = is_utf8(group.prefix);
    // Paths can be long: a batch is not to become much larger than it may.
    const std::size_t path_size = group.prefix.size() + usual_name;
    const std::size_t most =
        std::clamp<std::size_t>(BatchPool::most_batch_bytes / path_size, 1, most_waiting);
    waiting_.clear();
    for (const std::uint32_t i : selected) {
        const std::string_view name = names.name(i);
        const Row row{&stats[i - first].attributes, name, extension_of(name)};
        if (prefix_is_utf8 && is_utf8(name)) {
            waiting_.push_back(row);
            if (waiting_.size() == most) append_waiting(group);
        } else {
            append_waiting(group);
            escape_and_append(group, row);
        }
    }
    append_waiting(group);
}

void ArrowSink::directory(const WalkedDirectory& directory, const DirectoryTotals& totals) {
    RowGroup group{};
    group.parent_inode = directory.parent_inode();
    group.depth = directory.depth();
    group.totals_known = totals.state == DirectoryTotals::State::complete;
    group.file_count = static_cast<std::int64_t>(totals.file_count);
    group.dir_sum = static_cast<std::int64_t>(totals.size_sum);
    const Row row{&directory.attributes(), path_.of(directory), {}};
    if (is_utf8(row.filename)) {
        append(group, {&row, 1});
    } else {
        escape_and_append(group, row);
    }
}

void ArrowSink::append_waiting(const RowGroup& group) {
    append(group, waiting_);
    waiting_.clear();
}

void ArrowSink::escape_and_append(RowGroup group, const Row& row) {
    const Row escaped = escaped_.of(group.prefix, row);
    group.prefix = {};
    append(group, {&escaped, 1});
}

void ArrowSink::append(const RowGroup& group, std::span<const Row> rows) {
    while (!rows.empty()) {
        if (!batch_) batch_ = pool_->get();
        const std::size_t room = batch_->capacity() - batch_->rows();
        const std::span<const Row> next = rows.first(std::min(rows.size(), room));
        if (const unsigned clamped = batch_->append(group, next)) {
            shared_->clamped_times.fetch_add(clamped, std::memory_order_relaxed);
        }
        rows = rows.subspan(next.size());
        if (BatchPool::is_full(*batch_)) flush();
    }
}

void ArrowSink::flush() {
    if (!batch_ || batch_->rows() == 0) return;
    const std::size_t bytes = batch_->bytes();
    queue_->push(std::move(batch_), bytes);
}

}  // namespace filetree::report
