#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "../fs/utf8.hpp"
#include "csv_row.hpp"
#include "escaped_row.hpp"
#include "file_writer.hpp"
#include "filetree/pwal.hpp"
#include "pwal_format.hpp"

namespace filetree {

using report::ByteBuffer;
using report::pwal::HeaderFault;
using report::pwal::Parsed;
using report::pwal::Record;

class PwalReader::State {
   public:
    explicit State(const std::string& path)
        : name_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (fd_ < 0) throw SystemError(errno, name_);
        try {
            read_header();
        } catch (...) {
            close();
            throw;
        }
    }
    ~State() { close(); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void close() noexcept {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

    // The next record; valid until the next call. False: there are no more.
    bool next(Record& record) {
        if (fd_ < 0) throw SystemError(ECANCELED, name_);
        for (;;) {
            std::size_t length = 0;
            switch (report::pwal::parse_record(rest(), layout_, record, length)) {
                case Parsed::whole:
                    at_ += length;
                    ++records_;
                    return true;
                case Parsed::damaged:
                    throw FormatError(name_ + ": what follows record " + std::to_string(records_) +
                                      " is no PWAL record");
                case Parsed::torn:
                    break;
            }
            if (read_more()) continue;
            torn_ = !rest().empty() || records_ != layout_.header.record_count;
            return false;
        }
    }

    bool next(ArrowArray& out) {
        if (damage_) std::rethrow_exception(damage_);
        auto batch = pool_->get();
        try {
            while (!report::BatchPool::is_full(*batch)) {
                const std::size_t room = batch->capacity() - batch->rows();
                const auto records = next(std::min(room, records_at_once_.size()));
                if (records.empty()) break;
                append(records, *batch);
            }
        } catch (const FormatError&) {
            if (batch->rows() == 0) throw;
            damage_ = std::current_exception();  // after what came before it
        }
        const bool any = batch->rows() > 0;
        if (any) {
            report::export_batch(std::move(batch), pool_, out);
        } else {
            pool_->put(std::move(batch));
        }
        return any;
    }

    void write_csv(report::FileWriter& file, bool header, const std::function<bool()>& wanted) {
        if (header) file.put(report::csv_header);
        ByteBuffer rows;
        report::CsvRow row;
        Record record;
        std::exception_ptr damage;
        while (next(record, damage)) {
            const bool unreadable = record.attributes.is_directory() && record.file_count < 0;
            if (unreadable) continue;
            row.set_place(record.parent_inode, record.depth, {});
            row.append(record.attributes, record.filename, record.extension, record.file_count,
                       record.dir_sum, rows);
            if (rows.size() < piece_size) continue;
            if (!wanted()) return;
            file.put(rows.view());
            rows.clear();
        }
        file.put(rows.view());
        file.finish();
        if (damage) std::rethrow_exception(damage);
    }

    [[nodiscard]] std::uint64_t records() const noexcept { return records_; }
    [[nodiscard]] bool torn() const noexcept { return torn_; }
    [[nodiscard]] std::uint64_t timestamp() const noexcept { return layout_.header.timestamp; }
    [[nodiscard]] std::uint64_t clamped_times() const noexcept { return clamped_times_; }

   private:
    static constexpr std::size_t piece_size = std::size_t{1} << 20U;

    // False, and why, where there is no record in place of one, too.
    bool next(Record& record, std::exception_ptr& damage) {
        try {
            return next(record);
        } catch (const FormatError&) {
            damage = std::current_exception();
            return false;
        }
    }

    [[nodiscard]] std::string_view rest() const noexcept { return buffer_.view().substr(at_); }

    void read_header() {
        while (rest().size() < report::pwal::header_size && read_more()) {
        }
        switch (report::pwal::parse_header(rest(), layout_)) {
            case HeaderFault::none:
                at_ += report::pwal::header_size;
                return;
            case HeaderFault::foreign:
                throw FormatError(name_ + " is no PWAL file");
            case HeaderFault::newer:
                throw FormatError(name_ + " is of a version of PWAL that is not known here");
            case HeaderFault::too_short:
                throw FormatError(name_ + " ends before the header of a PWAL file does");
        }
    }

    // False at the end of the file.
    bool read_more() {
        const std::size_t left = rest().size();
        ByteBuffer next;
        next.ensure(left + piece_size);
        next.append(rest());
        ssize_t got = 0;
        do {
            got = ::read(fd_, next.end(), piece_size);
        } while (got < 0 && errno == EINTR);
        if (got < 0) throw SystemError(errno, name_);
        next.set_end(next.end() + got);
        buffer_ = std::move(next);
        at_ = 0;
        return got > 0;
    }

    // What is in memory of the records to come, at most `most`, but at least one; valid until the
    // next call. None: there are no more.
    std::span<const Record> next(std::size_t most) {
        if (!next(records_at_once_[0])) return {};
        std::size_t count = 1;
        for (; count < most; ++count) {
            std::size_t length = 0;
            const Parsed parsed =
                report::pwal::parse_record(rest(), layout_, records_at_once_[count], length);
            if (parsed != Parsed::whole) break;
            at_ += length;
        }
        records_ += count - 1;
        return std::span(records_at_once_).first(count);
    }

    void append(std::span<const Record> records, report::RecordBatch& batch) {
        report::RowGroup group{};
        rows_.clear();
        const auto append_rows = [&] {
            clamped_times_ += batch.append(group, rows_);
            rows_.clear();
        };
        for (const Record& record : records) {
            if (const report::RowGroup own = group_of(record); own != group) {
                append_rows();
                group = own;
            }
            rows_.push_back(row_of(record));
            if (is_utf8(record.filename)) continue;
            rows_.back() = escaped_.of({}, rows_.back());
            append_rows();  // before the next one is escaped
        }
        append_rows();
    }

    static report::RowGroup group_of(const Record& record) {
        report::RowGroup group{record.parent_inode, record.depth};
        group.file_count = record.file_count;
        group.dir_sum = record.dir_sum;
        group.totals_known = !record.attributes.is_directory() || record.file_count >= 0;
        return group;
    }

    static report::Row row_of(const Record& record) {
        report::Row row{&record.attributes, record.filename, {}};
        // The format cannot tell an empty extension from none; the name can.
        if (!record.extension.empty() ||
            (!record.attributes.is_directory() && record.filename.ends_with('.'))) {
            row.extension = record.extension;
        }
        return row;
    }

    const std::string name_;
    int fd_;
    report::pwal::Layout layout_;
    ByteBuffer buffer_;
    std::size_t at_ = 0;  // in buffer_
    std::uint64_t records_ = 0;
    bool torn_ = false;
    std::uint64_t clamped_times_ = 0;
    std::exception_ptr damage_;  // met after rows that are to be handed over first
    std::array<Record, 64> records_at_once_;
    std::vector<report::Row> rows_;  // while append() runs
    report::EscapedRow escaped_;
    std::shared_ptr<report::BatchPool> pool_ = std::make_shared<report::BatchPool>();
};

PwalReader::PwalReader(const std::string& path) : state_(std::make_unique<State>(path)) {}
PwalReader::~PwalReader() = default;

bool PwalReader::next(ArrowArray& out) { return state_->next(out); }

void PwalReader::write_csv(int fd, const std::string& name, const TextOptions& options,
                           const std::function<bool()>& wanted) {
    report::FileWriter file(fd, name, options.compression, wanted);
    state_->write_csv(file, options.header, wanted);
}

void PwalReader::close() noexcept { state_->close(); }

std::uint64_t PwalReader::records() const noexcept { return state_->records(); }
bool PwalReader::torn() const noexcept { return state_->torn(); }
std::uint64_t PwalReader::timestamp() const noexcept { return state_->timestamp(); }
std::uint64_t PwalReader::clamped_times() const noexcept { return state_->clamped_times(); }

}  // namespace filetree
