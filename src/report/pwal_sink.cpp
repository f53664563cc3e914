#include "pwal_sink.hpp"

#include <cerrno>
#include <utility>

#include "names.hpp"

namespace filetree::report {

void PwalSink::entries(const WalkedDirectory& parent, const Listing& names,
                       std::span<const std::uint32_t> selected, std::size_t first,
                       const StatResult* stats) {
    path_.enter(parent);
    pwal::Record record;
    record.parent_inode = parent.attributes().inode;
    record.depth = parent.depth() + 1;
    for (const std::uint32_t i : selected) {
        record.filename = path_.of(names.name(i));
        record.attributes = stats[i - first].attributes;
        record.extension = extension_of(names.name(i));
        append(record);
    }
}

void PwalSink::directory(const WalkedDirectory& directory, const DirectoryTotals& totals) {
    pwal::Record record;
    record.filename = path_.of(directory);
    record.attributes = directory.attributes();
    record.parent_inode = directory.parent_inode();
    record.depth = directory.depth();
    if (totals.state == DirectoryTotals::State::complete) {
        record.file_count = static_cast<std::int64_t>(totals.file_count);
        record.dir_sum = static_cast<std::int64_t>(totals.size_sum);
    }
    append(record);
}

void PwalSink::flush() {
    shared_->records.fetch_add(std::exchange(records_, 0), std::memory_order_relaxed);
    TextSink::flush();
}

void PwalSink::append(const pwal::Record& record) {
    if (record.filename.size() > pwal::longest_string) {
        shared_->note_error({std::string(record.filename), Operation::encode, ENAMETOOLONG});
        return;
    }
    if (const unsigned clamped = pwal::append_record(record, buffer())) {
        shared_->clamped_times.fetch_add(clamped, std::memory_order_relaxed);
    }
    ++records_;
    end_line();
}

}  // namespace filetree::report
