// The Arrow C data interface, from a consumer's side.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "filetree/report.hpp"
#include "record_batch.hpp"
#include "support/arrow_reader.hpp"
#include "support/fake_directory.hpp"

namespace filetree::report {
namespace {

using filetree::testing::ArrowColumn;
using filetree::testing::file_attributes;

constexpr std::size_t filename = static_cast<std::size_t>(Column::filename);
constexpr std::size_t raw = static_cast<std::size_t>(Column::filename_raw);

class ArrowExport : public ::testing::Test {
   protected:
    ArrowArray exported(int rows) {
        auto batch = pool->get();
        const Attributes a = file_attributes();
        for (int i = 0; i < rows; ++i) {
            const std::string path = "path " + std::to_string(i);
            const Row row{&a, path, {}};
            batch->append({}, {&row, 1});
        }
        ArrowArray out;
        export_batch(std::move(batch), pool, out);
        return out;
    }
    // What a consumer does who keeps one column: copy the struct, and mark the original as moved.
    static ArrowArray moved_out(ArrowArray& from, std::size_t i) {
        const ArrowArray column = *from.children[i];
        from.children[i]->release = nullptr;
        return column;
    }
    // Whether the batch has come back: the pool hands the last one out first.
    [[nodiscard]] bool has_come_back(const void* buffer) {
        const auto batch = pool->get();
        return batch->values(Column::inode) == buffer;
    }

    std::shared_ptr<BatchPool> pool = std::make_shared<BatchPool>();
};

TEST_F(ArrowExport, ABatchIsAStructOfItsColumns) {
    ArrowArray array = exported(5);
    EXPECT_EQ(array.length, 5);
    EXPECT_EQ(array.null_count, 0);
    EXPECT_EQ(array.offset, 0);
    EXPECT_EQ(array.n_buffers, 1);
    EXPECT_EQ(array.buffers[0], nullptr);
    EXPECT_EQ(array.dictionary, nullptr);
    ASSERT_EQ(array.n_children, static_cast<std::int64_t>(column_count));
    for (std::size_t i = 0; i < column_count; ++i) {
        SCOPED_TRACE(column_types[i].name);
        const ArrowArray& column = *array.children[i];
        EXPECT_EQ(column.length, 5);
        EXPECT_EQ(column.n_buffers, column_types[i].is_string ? 3 : 2);
        EXPECT_EQ(column.n_children, 0);
        EXPECT_EQ(column.dictionary, nullptr);
        EXPECT_NE(column.buffers[1], nullptr);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(column.buffers[1]) % 64, 0U);
        EXPECT_EQ(column.null_count == 0, column.buffers[0] == nullptr);
        EXPECT_NE(column.release, nullptr);
    }
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(ArrowColumn(*array.children[filename]).string(i), "path " + std::to_string(i));
    }
    array.release(&array);
    EXPECT_EQ(array.release, nullptr) << "a released struct says so";
}

TEST_F(ArrowExport, ReleasingGivesTheBatchBackToItsPool) {
    ArrowArray array = exported(3);
    const void* const values = array.children[0]->buffers[1];
    EXPECT_FALSE(has_come_back(values));
    array.release(&array);
    EXPECT_TRUE(has_come_back(values));
}

TEST_F(ArrowExport, AColumnMovedOutOutlivesItsStruct) {
    ArrowArray array = exported(3);
    const void* const values = array.children[0]->buffers[1];
    ArrowArray column = moved_out(array, filename);
    ArrowArray other = moved_out(array, raw);
    array.release(&array);
    EXPECT_EQ(ArrowColumn(column).string(2), "path 2");
    EXPECT_TRUE(ArrowColumn(other).is_null(0));
    EXPECT_FALSE(has_come_back(values));
    column.release(&column);
    EXPECT_EQ(column.release, nullptr);
    EXPECT_FALSE(has_come_back(values));
    other.release(&other);
    EXPECT_TRUE(has_come_back(values));
}

TEST_F(ArrowExport, AColumnMovedOutMayBeReleasedFirst) {
    ArrowArray array = exported(3);
    ArrowArray column = moved_out(array, filename);
    column.release(&column);
    EXPECT_EQ(ArrowColumn(*array.children[0]).value<std::int64_t>(1), 1001);
    array.release(&array);
}

TEST_F(ArrowExport, AllColumnsMayBeMovedOut) {
    ArrowArray array = exported(3);
    const void* const values = array.children[0]->buffers[1];
    std::vector<ArrowArray> columns;
    for (std::size_t i = 0; i < column_count; ++i) columns.push_back(moved_out(array, i));
    array.release(&array);
    for (ArrowArray& column : columns) {
        EXPECT_EQ(column.length, 3);
        column.release(&column);
    }
    EXPECT_TRUE(has_come_back(values));
}

TEST_F(ArrowExport, TheStructItselfMayBeMoved) {
    ArrowArray array = exported(2);
    ArrowArray moved = array;
    array.release = nullptr;
    EXPECT_EQ(ArrowColumn(*moved.children[filename]).string(1), "path 1");
    moved.release(&moved);
}

TEST_F(ArrowExport, OutlivesThePoolsOtherOwners) {
    ArrowArray array = exported(2);
    pool.reset();
    EXPECT_EQ(ArrowColumn(*array.children[filename]).string(0), "path 0");
    array.release(&array);
}

TEST_F(ArrowExport, AnEmptyBatchIsValid) {
    ArrowArray array = exported(0);
    EXPECT_EQ(array.length, 0);
    EXPECT_EQ(ArrowColumn(*array.children[filename]).value<std::int32_t>(0), 0)
        << "strings of no rows have one offset all the same";
    array.release(&array);
}

TEST(ArrowSchemaExport, NamesTheColumnsInTheirOrder) {
    const char* const expected[][2] = {
        {"inode", "l"},       {"parent_inode", "l"}, {"depth", "i"},        {"filename", "u"},
        {"extension", "u"},   {"uid", "i"},          {"gid", "i"},          {"size", "l"},
        {"st_dev", "l"},      {"st_blocks", "l"},    {"st_nlink", "i"},     {"st_mode", "i"},
        {"atime", "tsu:UTC"}, {"mtime", "tsu:UTC"},  {"ctime", "tsu:UTC"},  {"file_count", "l"},
        {"dir_sum", "l"},     {"is_hardlink", "b"},  {"filename_raw", "z"},
    };
    const std::set<std::string> nullable{"extension", "file_count", "dir_sum", "filename_raw"};
    ArrowSchema schema;
    export_scan_schema(schema);
    EXPECT_STREQ(schema.format, "+s");
    EXPECT_EQ(schema.metadata, nullptr);
    EXPECT_EQ(schema.dictionary, nullptr);
    ASSERT_EQ(schema.n_children, static_cast<std::int64_t>(std::size(expected)));
    for (std::size_t i = 0; i < std::size(expected); ++i) {
        const ArrowSchema& column = *schema.children[i];
        EXPECT_STREQ(column.name, expected[i][0]);
        EXPECT_STREQ(column.format, expected[i][1]) << column.name;
        EXPECT_EQ(column.flags, nullable.contains(column.name) ? ARROW_FLAG_NULLABLE : 0)
            << column.name;
        EXPECT_EQ(column.n_children, 0);
        EXPECT_EQ(column.dictionary, nullptr);
        EXPECT_NE(column.release, nullptr);
    }
    schema.release(&schema);
    EXPECT_EQ(schema.release, nullptr);
}

TEST(ArrowSchemaExport, AColumnMovedOutOutlivesItsStruct) {
    ArrowSchema schema;
    export_scan_schema(schema);
    ArrowSchema column = *schema.children[filename];
    schema.children[filename]->release = nullptr;
    schema.release(&schema);
    EXPECT_STREQ(column.name, "filename");
    EXPECT_STREQ(column.format, "u");
    column.release(&column);
    EXPECT_EQ(column.release, nullptr);
}

}  // namespace
}  // namespace filetree::report
