#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "byte_buffer.hpp"
#include "filetree/arrow_abi.hpp"
#include "filetree/walk.hpp"

namespace filetree::report {

// The columns of a scan, in order.
enum class Column : std::uint8_t {
    inode,
    parent_inode,
    depth,
    filename,
    extension,
    uid,
    gid,
    size,
    st_dev,
    st_blocks,
    st_nlink,
    st_mode,
    atime,
    mtime,
    ctime,
    file_count,
    dir_sum,
    is_hardlink,
    filename_raw,
};
constexpr std::size_t column_count = 19;

struct ColumnType {
    const char* name;
    const char* format;  // of the Arrow C data interface
    bool nullable;
    std::uint8_t width;  // bytes of a value; 0: bits; offsets of strings are 4
    bool is_string;
};
extern const std::array<ColumnType, column_count> column_types;

// One row, before it is written into columns. When it is, filename, with the prefix, and extension
// must be UTF-8.
struct Row {
    const Attributes* attributes;
    std::string_view filename;        // after the group's prefix
    std::string_view extension;       // null data: none
    std::string_view filename_raw{};  // null data: none
};

// What rows that are appended together have in common.
struct RowGroup {
    std::uint64_t parent_inode;
    std::int32_t depth;
    std::string_view prefix{};  // of filename
    std::int64_t file_count = -1;
    std::int64_t dir_sum = 0;
    bool totals_known = true;  // file_count and dir_sum are not null

    bool operator==(const RowGroup&) const = default;
};

// Rows as Arrow columns. The fixed-width ones live in one block of a capacity fixed at the start,
// so that a row is written without a check; strings grow. Rows come several at once, and are
// written a column at a time: so a value costs a few instructions.
class RecordBatch {
   public:
    explicit RecordBatch(std::size_t capacity);

    // There must be room. All or, where it throws, none. Returns how many of the times had to be
    // clamped.
    unsigned append(const RowGroup& group, std::span<const Row> rows);
    void clear() noexcept;

    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    // What it occupies, for budgets.
    [[nodiscard]] std::size_t bytes() const noexcept;

    // Appends the rows as bytes that restore() on this machine takes.
    void dump(ByteBuffer& out) const;
    // Replaces all rows. False when these are not the bytes of a batch, or it has more rows than
    // fit; then there are none.
    [[nodiscard]] bool restore(std::string_view bytes);

    // For export: the buffers of a column, in Arrow's order. A null validity means no nulls.
    [[nodiscard]] const void* validity(Column column) const noexcept;
    [[nodiscard]] std::int64_t null_count(Column column) const noexcept;
    [[nodiscard]] const void* values(Column column) const noexcept;
    [[nodiscard]] const void* string_bytes(Column column) const noexcept;

   private:
    // Each writes one column of all these rows: `of` gives the value of a row, `append` appends its
    // string, for which ensure_strings() has made room.
    template <class Of>
    void put(Column column, std::span<const Row> rows, Of of) noexcept;
    // Returns how many are 1.
    template <class Of>
    std::size_t put_bits(char* bits, std::span<const Row> rows, Of of) noexcept;
    template <class Of>
    void put_validity(Column column, std::span<const Row> rows, Of of) noexcept;
    unsigned put_times(Column column, std::span<const Row> rows,
                       Timestamp Attributes::*time_of) noexcept;
    void ensure_strings(const RowGroup& group, std::span<const Row> rows);
    template <class Append>
    void put_strings(Column column, std::span<const Row> rows, Append append) noexcept;

    [[nodiscard]] char* fixed(Column column) noexcept {
        return block_.data() + offsets_[static_cast<std::size_t>(column)];
    }
    [[nodiscard]] ByteBuffer& strings(Column column) noexcept;
    struct Dumped;

    std::size_t capacity_;
    std::size_t rows_ = 0;
    ByteBuffer block_;
    std::array<std::size_t, column_count> offsets_{};   // of values, in block_
    std::array<std::size_t, column_count> validity_{};  // of bitmaps, in block_
    std::array<std::int64_t, column_count> nulls_{};
    std::array<ByteBuffer, 3> strings_;  // filename, extension, filename_raw
};

// Batches that consumers have let go, for workers to fill again: fresh memory costs page faults.
class BatchPool {
   public:
    BatchPool() { free_.reserve(most_kept); }
    [[nodiscard]] std::unique_ptr<RecordBatch> get();
    void put(std::unique_ptr<RecordBatch> batch) noexcept;

    static constexpr std::size_t batch_capacity = 4096;
    // A batch goes to the consumer when it is full, or has this many bytes: deep trees have long
    // paths. What is appended last may double it.
    static constexpr std::size_t most_batch_bytes = std::size_t{16} << 20U;
    [[nodiscard]] static bool is_full(const RecordBatch& batch) noexcept {
        return batch.rows() == batch.capacity() || batch.bytes() >= most_batch_bytes;
    }

   private:
    static constexpr std::size_t most_kept = 16;
    std::mutex mutex_;
    std::vector<std::unique_ptr<RecordBatch>> free_;
};

// Moves `batch` into an Arrow struct array, which gives it back to `pool` when it is released.
void export_batch(std::unique_ptr<RecordBatch> batch, std::shared_ptr<BatchPool> pool,
                  ArrowArray& out);

}  // namespace filetree::report
