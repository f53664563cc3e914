#include "record_batch.hpp"

#include <algorithm>
#include <bit>
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

template <class Of>
void RecordBatch::put(Column column, std::span<const Row> rows, Of of) noexcept {
    using Value = decltype(of(rows[0]));
    char* out = fixed(column) + rows_ * sizeof(Value);
    for (const Row& row : rows) {
        const Value value = of(row);
        std::memcpy(out, &value, sizeof value);
        out += sizeof value;
    }
}

unsigned RecordBatch::put_times(Column column, std::span<const Row> rows,
                                Timestamp Attributes::*time_of) noexcept {
    constexpr std::int64_t micros = 1'000'000;
    constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max() / micros - 1;
    constexpr std::int64_t earliest = std::numeric_limits<std::int64_t>::min() / micros + 1;
    unsigned clamped = 0;
    put(column, rows, [&](const Row& row) {
        const Timestamp& time = row.attributes->*time_of;
        if (time.seconds > latest) {
            ++clamped;
            return std::numeric_limits<std::int64_t>::max();
        }
        if (time.seconds < earliest) {
            ++clamped;
            return std::numeric_limits<std::int64_t>::min();
        }
        return time.seconds * micros + std::int64_t{time.nanoseconds / 1000};
    });
    return clamped;
}

template <class Of>
std::size_t RecordBatch::put_bits(char* bits, std::span<const Row> rows, Of of) noexcept {
    std::size_t set = 0;
    constexpr std::size_t at_once = 56;  // as they are shifted by up to 7 in a word of 64
    for (std::size_t at = rows_; !rows.empty(); at += at_once) {
        const std::span<const Row> next = rows.first(std::min(rows.size(), at_once));
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < next.size(); ++i) word |= std::uint64_t{of(next[i])} << i;
        set += static_cast<std::size_t>(std::popcount(word));
        word <<= at % 8;
        for (char* byte = bits + at / 8; word != 0; word >>= 8U) {
            *byte = static_cast<char>(static_cast<unsigned char>(*byte) | (word & 0xFFU));
            ++byte;
        }
        rows = rows.subspan(next.size());
    }
    return set;
}

template <class Of>
void RecordBatch::put_validity(Column column, std::span<const Row> rows, Of of) noexcept {
    const std::size_t valid = put_bits(block_.data() + validity_[index(column)], rows, of);
    nulls_[index(column)] += static_cast<std::int64_t>(rows.size() - valid);
}

template <class Append>
void RecordBatch::put_strings(Column column, std::span<const Row> rows, Append append) noexcept {
    ByteBuffer& bytes = strings(column);
    char* out = fixed(column) + (rows_ + 1) * sizeof(std::int32_t);
    for (const Row& row : rows) {
        append(bytes, row);
        const auto end = static_cast<std::int32_t>(bytes.size());
        std::memcpy(out, &end, sizeof end);
        out += sizeof end;
    }
}

void RecordBatch::ensure_strings(const RowGroup& group, std::span<const Row> rows) {
    std::size_t filename = rows.size() * group.prefix.size();
    std::size_t extension = 0;
    std::size_t filename_raw = 0;
    for (const Row& row : rows) {
        filename += row.filename.size();
        extension += row.extension.size();
        filename_raw += row.filename_raw.size();
    }
    strings(Column::filename).ensure(filename);
    strings(Column::extension).ensure(extension);
    strings(Column::filename_raw).ensure(filename_raw);
}

unsigned RecordBatch::append(const RowGroup& group, std::span<const Row> rows) {
    ensure_strings(group, rows);  // nothing else throws
    const auto same = [](auto value) { return [value](const Row&) { return value; }; };
    put_strings(Column::filename, rows, [prefix = group.prefix](ByteBuffer& out, const Row& row) {
        out.append_unchecked(prefix);
        out.append_unchecked(row.filename);
    });
    put_strings(Column::extension, rows,
                [](ByteBuffer& out, const Row& row) { out.append_unchecked(row.extension); });
    put_strings(Column::filename_raw, rows,
                [](ByteBuffer& out, const Row& row) { out.append_unchecked(row.filename_raw); });
    put_validity(Column::extension, rows,
                 [](const Row& row) { return row.extension.data() != nullptr; });
    put_validity(Column::filename_raw, rows,
                 [](const Row& row) { return row.filename_raw.data() != nullptr; });
    put_validity(Column::file_count, rows, same(group.totals_known));
    put_validity(Column::dir_sum, rows, same(group.totals_known));
    // Unsigned ids above the signed range keep their bit pattern.
    put(Column::inode, rows, [](const Row& row) { return row.attributes->inode; });
    put(Column::parent_inode, rows, same(group.parent_inode));
    put(Column::depth, rows, same(group.depth));
    put(Column::uid, rows, [](const Row& row) { return row.attributes->uid; });
    put(Column::gid, rows, [](const Row& row) { return row.attributes->gid; });
    put(Column::size, rows, [](const Row& row) { return row.attributes->size; });
    put(Column::st_dev, rows, [](const Row& row) { return row.attributes->device; });
    put(Column::st_blocks, rows, [](const Row& row) { return row.attributes->blocks; });
    put(Column::st_nlink, rows,
        [](const Row& row) { return static_cast<std::uint32_t>(row.attributes->links); });
    put(Column::st_mode, rows, [](const Row& row) { return row.attributes->mode; });
    put(Column::file_count, rows, same(group.file_count));
    put(Column::dir_sum, rows, same(group.dir_sum));
    put_bits(fixed(Column::is_hardlink), rows, [](const Row& row) {
        return row.attributes->links > 1 && !row.attributes->is_directory();
    });
    const unsigned clamped = put_times(Column::atime, rows, &Attributes::atime) +
                             put_times(Column::mtime, rows, &Attributes::mtime) +
                             put_times(Column::ctime, rows, &Attributes::ctime);
    rows_ += rows.size();
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

void BatchPool::put(std::unique_ptr<RecordBatch> batch) noexcept {
    batch->clear();
    const std::lock_guard lock(mutex_);
    if (free_.size() < most_kept) free_.push_back(std::move(batch));
}

}  // namespace filetree::report
