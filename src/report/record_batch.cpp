#include "record_batch.hpp"

#include <limits>

namespace filetree::report {
namespace {

constexpr std::size_t cache_line = 64;

constexpr std::size_t aligned(std::size_t bytes) {
    return (bytes + cache_line - 1) / cache_line * cache_line;
}

constexpr std::size_t index(Column column) { return static_cast<std::size_t>(column); }

// Room for strings to begin with: typical paths fit without growing.
constexpr std::size_t typical_path = 96;

constexpr std::size_t bytes_of_bits(std::size_t bits) { return (bits + 7) / 8; }

// What `rows` rows use of a column's values, and of its validity.
std::size_t used_values(const ColumnType& type, std::size_t rows) {
    if (type.width == 0) return bytes_of_bits(rows);
    return (rows + (type.is_string ? 1 : 0)) * type.width;
}
std::size_t used_validity(const ColumnType& type, std::size_t rows) {
    return type.nullable ? bytes_of_bits(rows) : 0;
}

}  // namespace

const std::array<ColumnType, column_count> column_types{{
    {"inode", "l", false, 8, false},       {"parent_inode", "l", false, 8, false},
    {"depth", "i", false, 4, false},       {"filename", "u", false, 4, true},
    {"extension", "u", true, 4, true},     {"uid", "i", false, 4, false},
    {"gid", "i", false, 4, false},         {"size", "l", false, 8, false},
    {"st_dev", "l", false, 8, false},      {"st_blocks", "l", false, 8, false},
    {"st_nlink", "i", false, 4, false},    {"st_mode", "i", false, 4, false},
    {"atime", "tsu:UTC", false, 8, false}, {"mtime", "tsu:UTC", false, 8, false},
    {"ctime", "tsu:UTC", false, 8, false}, {"file_count", "l", true, 8, false},
    {"dir_sum", "l", true, 8, false},      {"is_hardlink", "b", false, 0, false},
    {"filename_raw", "z", true, 4, true},
}};

RecordBatch::RecordBatch(std::size_t capacity) : capacity_(capacity) {
    std::size_t total = 0;
    for (std::size_t i = 0; i < column_count; ++i) {
        const ColumnType& type = column_types[i];
        offsets_[i] = total;
        // Strings have one offset more than rows.
        total += aligned(type.width == 0 ? capacity / 8 + 1 : (capacity + 1) * type.width);
        validity_[i] = total;
        if (type.nullable) total += aligned(capacity / 8 + 1);
    }
    block_.ensure(total);
    block_.set_end(block_.data() + total);
    strings(Column::filename).ensure(capacity * typical_path);
    clear();
}

void RecordBatch::clear() noexcept {
    rows_ = 0;
    nulls_.fill(0);
    for (ByteBuffer& buffer : strings_) buffer.clear();
    for (std::size_t i = 0; i < column_count; ++i) {
        const ColumnType& type = column_types[i];
        char* values = block_.data() + offsets_[i];
        if (type.width == 0) std::memset(values, 0, capacity_ / 8 + 1);
        if (type.is_string) std::memset(values, 0, sizeof(std::int32_t));
        if (type.nullable) std::memset(block_.data() + validity_[i], 0, capacity_ / 8 + 1);
    }
}

std::size_t RecordBatch::bytes() const noexcept {
    std::size_t sum = block_.size();
    for (const ByteBuffer& buffer : strings_) sum += buffer.size();
    return sum;
}

// What a dump begins with. The values and the validity of each column follow, then the strings.
struct RecordBatch::Dumped {
    std::uint64_t rows = 0;
    std::array<std::int64_t, column_count> nulls{};
    std::array<std::uint64_t, 3> strings{};

    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t sum = sizeof *this;
        for (const ColumnType& type : column_types) {
            sum += used_values(type, rows) + used_validity(type, rows);
        }
        for (const std::uint64_t length : strings) sum += length;
        return sum;
    }
};

void RecordBatch::dump(ByteBuffer& out) const {
    Dumped head{rows_, nulls_, {}};
    for (std::size_t i = 0; i < strings_.size(); ++i) head.strings[i] = strings_[i].size();
    out.ensure(head.size());
    out.append_unchecked({reinterpret_cast<const char*>(&head), sizeof head});
    for (std::size_t i = 0; i < column_count; ++i) {
        const ColumnType& type = column_types[i];
        out.append_unchecked({block_.data() + offsets_[i], used_values(type, rows_)});
        out.append_unchecked({block_.data() + validity_[i], used_validity(type, rows_)});
    }
    for (const ByteBuffer& buffer : strings_) out.append(buffer.view());
}

bool RecordBatch::restore(std::string_view bytes) {
    clear();
    Dumped head;
    if (bytes.size() < sizeof head) return false;
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.rows > capacity_ || bytes.size() != head.size()) return false;
    bytes.remove_prefix(sizeof head);
    const auto take = [&](std::size_t length) {
        const std::string_view taken = bytes.substr(0, length);
        bytes.remove_prefix(length);
        return taken;
    };
    // First what may throw.
    for (std::size_t i = 0; i < strings_.size(); ++i) strings_[i].ensure(head.strings[i]);
    for (std::size_t i = 0; i < column_count; ++i) {
        const std::string_view values = take(used_values(column_types[i], head.rows));
        std::memcpy(block_.data() + offsets_[i], values.data(), values.size());
        const std::string_view validity = take(used_validity(column_types[i], head.rows));
        std::memcpy(block_.data() + validity_[i], validity.data(), validity.size());
    }
    for (std::size_t i = 0; i < strings_.size(); ++i) strings_[i].append(take(head.strings[i]));
    rows_ = head.rows;
    nulls_ = head.nulls;
    return true;
}

ByteBuffer& RecordBatch::strings(Column column) noexcept {
    switch (column) {
        case Column::filename:
            return strings_[0];
        case Column::extension:
            return strings_[1];
        default:
            return strings_[2];
    }
}

template <class T>
void RecordBatch::put(Column column, T value) noexcept {
    std::memcpy(fixed(column) + rows_ * sizeof value, &value, sizeof value);
}

void RecordBatch::put_bit(char* bits, bool value) noexcept {
    bits[rows_ / 8] = static_cast<char>(static_cast<unsigned char>(bits[rows_ / 8]) |
                                        (unsigned{value} << (rows_ % 8)));
}

void RecordBatch::put_null(Column column, bool is_null) noexcept {
    nulls_[index(column)] += is_null ? 1 : 0;
    put_bit(block_.data() + validity_[index(column)], !is_null);
}

void RecordBatch::put_string(Column column, std::string_view value) {
    ByteBuffer& bytes = strings(column);
    if (!value.empty()) bytes.append(value);
    const auto end = static_cast<std::int32_t>(bytes.size());
    std::memcpy(fixed(column) + (rows_ + 1) * sizeof end, &end, sizeof end);
}

unsigned RecordBatch::put_time(Column column, Timestamp time) noexcept {
    constexpr std::int64_t micros = 1'000'000;
    constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max() / micros - 1;
    constexpr std::int64_t earliest = std::numeric_limits<std::int64_t>::min() / micros + 1;
    if (time.seconds > latest) {
        put(column, std::numeric_limits<std::int64_t>::max());
        return 1;
    }
    if (time.seconds < earliest) {
        put(column, std::numeric_limits<std::int64_t>::min());
        return 1;
    }
    put(column, time.seconds * micros + std::int64_t{time.nanoseconds} / 1000);
    return 0;
}

unsigned RecordBatch::append(const Row& row) {
    const Attributes& a = *row.attributes;
    // First what may throw, so that a failed row is no row.
    put_string(Column::filename, row.filename);
    put_string(Column::extension, row.extension);
    put_string(Column::filename_raw, row.filename_raw);
    put_null(Column::extension, row.extension.data() == nullptr);
    put_null(Column::filename_raw, row.filename_raw.data() == nullptr);
    put_null(Column::file_count, !row.totals_known);
    put_null(Column::dir_sum, !row.totals_known);
    // Unsigned ids above the signed range keep their bit pattern.
    put(Column::inode, a.inode);
    put(Column::parent_inode, row.parent_inode);
    put(Column::depth, row.depth);
    put(Column::uid, a.uid);
    put(Column::gid, a.gid);
    put(Column::size, a.size);
    put(Column::st_dev, a.device);
    put(Column::st_blocks, a.blocks);
    put(Column::st_nlink, static_cast<std::uint32_t>(a.links));
    put(Column::st_mode, a.mode);
    const unsigned clamped = put_time(Column::atime, a.atime) + put_time(Column::mtime, a.mtime) +
                             put_time(Column::ctime, a.ctime);
    put(Column::file_count, row.file_count);
    put(Column::dir_sum, row.dir_sum);
    put_bit(fixed(Column::is_hardlink), a.links > 1 && !a.is_directory());
    ++rows_;
    return clamped;
}

const void* RecordBatch::validity(Column column) const noexcept {
    const std::size_t i = index(column);
    return nulls_[i] > 0 ? block_.data() + validity_[i] : nullptr;
}

std::int64_t RecordBatch::null_count(Column column) const noexcept { return nulls_[index(column)]; }

const void* RecordBatch::values(Column column) const noexcept {
    return block_.data() + offsets_[index(column)];
}

const void* RecordBatch::string_bytes(Column column) const noexcept {
    return const_cast<RecordBatch*>(this)->strings(column).data();
}

std::unique_ptr<RecordBatch> BatchPool::get() {
    {
        const std::lock_guard lock(mutex_);
        if (!free_.empty()) {
            auto batch = std::move(free_.back());
            free_.pop_back();
            return batch;
        }
    }
    return std::make_unique<RecordBatch>(batch_capacity);
}

void BatchPool::put(std::unique_ptr<RecordBatch> batch) {
    batch->clear();
    const std::lock_guard lock(mutex_);
    if (free_.size() < most_kept) free_.push_back(std::move(batch));
}

}  // namespace filetree::report
