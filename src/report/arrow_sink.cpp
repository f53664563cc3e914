#include "arrow_sink.hpp"

#include "utf8.hpp"

namespace filetree::report {
namespace {

// A batch goes to the consumer when it is full, or has this many bytes: deep trees have long paths.
constexpr std::size_t most_batch_bytes = std::size_t{16} << 20U;

}  // namespace

void ArrowSink::entries(const WalkedDirectory& parent, const Listing& names,
                        std::span<const std::uint32_t> selected, std::size_t first,
                        const StatResult* stats) {
    path_.clear();
    parent.append_path(path_);
    path_.push_back('/');
    const std::size_t prefix = path_.size();
    const bool prefix_is_utf8 = is_utf8(path_);
    Row row{};
    row.parent_inode = parent.attributes().inode;
    row.depth = parent.depth() + 1;
    for (const std::uint32_t i : selected) {
        const std::string_view name = names.name(i);
        path_.resize(prefix);
        path_.append(name);
        row.attributes = &stats[i - first].attributes;
        row.extension = extension_of(name);
        append(row, path_, prefix_is_utf8 && is_utf8(name));
    }
}

void ArrowSink::directory(const WalkedDirectory& directory, const DirectoryTotals& totals) {
    path_.clear();
    directory.append_path(path_);
    Row row{};
    row.attributes = &directory.attributes();
    row.parent_inode = directory.parent_inode();
    row.depth = directory.depth();
    row.totals_known = totals.state == DirectoryTotals::State::complete;
    row.file_count = static_cast<std::int64_t>(totals.file_count);
    row.dir_sum = static_cast<std::int64_t>(totals.size_sum);
    append(row, path_, is_utf8(path_));
}

void ArrowSink::append(Row row, std::string_view path, bool path_is_utf8) {
    if (!batch_) batch_ = pool_->get();
    row.filename = path;
    if (!path_is_utf8) {
        escaped_path_.clear();
        append_escaped(path, escaped_path_);
        row.filename = escaped_path_;
        row.filename_raw = path;
        if (row.extension.data() != nullptr) {
            escaped_extension_.clear();
            append_escaped(row.extension, escaped_extension_);
            row.extension = escaped_extension_;
        }
    }
    if (const unsigned clamped = batch_->append(row)) {
        shared_->clamped_times.fetch_add(clamped, std::memory_order_relaxed);
    }
    if (batch_->rows() == batch_->capacity() || batch_->bytes() >= most_batch_bytes) flush();
}

void ArrowSink::flush() {
    if (!batch_ || batch_->rows() == 0) return;
    const std::size_t bytes = batch_->bytes();
    queue_->push(std::move(batch_), bytes);
}

}  // namespace filetree::report
