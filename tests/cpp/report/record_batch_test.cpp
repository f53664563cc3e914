#include "record_batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "arrow_sink.hpp"
#include "support/arrow_reader.hpp"
#include "support/fake_directory.hpp"

namespace filetree::report {
namespace {

using filetree::testing::ArrowColumn;
using filetree::testing::directory_attributes;
using filetree::testing::FakeDirectory;
using filetree::testing::file_attributes;
using State = DirectoryTotals::State;

// A batch, exported and read back.
class Exported {
   public:
    explicit Exported(std::unique_ptr<RecordBatch> batch) {
        export_batch(std::move(batch), std::make_shared<BatchPool>(), array_);
    }
    ~Exported() { array_.release(&array_); }
    Exported(const Exported&) = delete;
    Exported& operator=(const Exported&) = delete;

    [[nodiscard]] ArrowColumn operator[](Column column) const {
        return ArrowColumn(*array_.children[static_cast<std::size_t>(column)]);
    }
    [[nodiscard]] std::int64_t null_count(Column column) const {
        return array_.children[static_cast<std::size_t>(column)]->null_count;
    }

   private:
    ArrowArray array_{};
};

// A row, and what it has in common with those it comes with.
struct WholeRow : Row, RowGroup {};

WholeRow file_row(const Attributes& attributes) {
    WholeRow row{};
    row.attributes = &attributes;
    row.parent_inode = 2002;
    row.depth = 4;
    row.filename = "top/d/a.txt";
    row.extension = "txt";
    return row;
}

unsigned append(RecordBatch& batch, const WholeRow& row) {
    return batch.append(row, {static_cast<const Row*>(&row), 1});
}

TEST(RecordBatch, HoldsARowInItsColumns) {
    const Attributes a = file_attributes();
    auto batch = std::make_unique<RecordBatch>(10);
    EXPECT_EQ(append(*batch, file_row(a)), 0U);
    EXPECT_EQ(batch->rows(), 1U);
    const Exported out(std::move(batch));
    EXPECT_EQ(out[Column::inode].value<std::int64_t>(0), 1001);
    EXPECT_EQ(out[Column::parent_inode].value<std::int64_t>(0), 2002);
    EXPECT_EQ(out[Column::depth].value<std::int32_t>(0), 4);
    EXPECT_EQ(out[Column::filename].string(0), "top/d/a.txt");
    EXPECT_EQ(out[Column::extension].string(0), "txt");
    EXPECT_EQ(out[Column::uid].value<std::int32_t>(0), 1234);
    EXPECT_EQ(out[Column::gid].value<std::int32_t>(0), 5678);
    EXPECT_EQ(out[Column::size].value<std::int64_t>(0), 4097);
    EXPECT_EQ(out[Column::st_dev].value<std::int64_t>(0), 64769);
    EXPECT_EQ(out[Column::st_blocks].value<std::int64_t>(0), 16);
    EXPECT_EQ(out[Column::st_nlink].value<std::int32_t>(0), 1);
    EXPECT_EQ(out[Column::st_mode].value<std::int32_t>(0), 0100644);
    EXPECT_EQ(out[Column::atime].value<std::int64_t>(0), 1'600'000'001'111'222);
    EXPECT_EQ(out[Column::mtime].value<std::int64_t>(0), 1'600'000'002'444'555);
    EXPECT_EQ(out[Column::ctime].value<std::int64_t>(0), 1'600'000'003'777'888);
    EXPECT_EQ(out[Column::file_count].value<std::int64_t>(0), -1);
    EXPECT_EQ(out[Column::dir_sum].value<std::int64_t>(0), 0);
    EXPECT_FALSE(out[Column::is_hardlink].boolean(0));
    EXPECT_EQ(out[Column::filename_raw].string(0), std::nullopt);
}

TEST(RecordBatch, TellsNullFromEmptyAndCountsNulls) {
    const Attributes a = file_attributes();
    auto batch = std::make_unique<RecordBatch>(20);
    for (int i = 0; i < 20; ++i) {
        WholeRow row = file_row(a);
        if (i % 3 == 0) row.extension = {};
        if (i % 3 == 1) row.extension = std::string_view("", 0);
        row.totals_known = i % 2 == 0;
        append(*batch, row);
    }
    const Exported out(std::move(batch));
    for (int i = 0; i < 20; ++i) {
        SCOPED_TRACE(i);
        const auto expected = i % 3 == 0   ? std::nullopt
                              : i % 3 == 1 ? std::optional<std::string>("")
                                           : std::optional<std::string>("txt");
        EXPECT_EQ(out[Column::extension].string(i), expected);
        EXPECT_EQ(out[Column::file_count].is_null(i), i % 2 == 1);
        EXPECT_EQ(out[Column::dir_sum].is_null(i), i % 2 == 1);
        EXPECT_FALSE(out[Column::inode].is_null(i));
    }
    EXPECT_EQ(out.null_count(Column::extension), 7);
    EXPECT_EQ(out.null_count(Column::file_count), 10);
    EXPECT_EQ(out.null_count(Column::filename_raw), 20);
    EXPECT_EQ(out.null_count(Column::filename), 0);
}

TEST(RecordBatch, KeepsTheBitPatternOfIdsAboveTheSignedRange) {
    Attributes a;
    a.inode = a.device = std::numeric_limits<std::uint64_t>::max();
    a.uid = a.gid = 0xFFFFFFFEU;
    auto batch = std::make_unique<RecordBatch>(1);
    append(*batch, file_row(a));
    const Exported out(std::move(batch));
    EXPECT_EQ(out[Column::inode].value<std::uint64_t>(0), a.inode);
    EXPECT_EQ(out[Column::st_dev].value<std::uint64_t>(0), a.device);
    EXPECT_EQ(out[Column::uid].value<std::uint32_t>(0), 0xFFFFFFFEU);
    EXPECT_EQ(out[Column::gid].value<std::int32_t>(0), -2);
}

TEST(RecordBatch, ClampsTimesThatMicrosecondsCannotHoldAndCountsThem) {
    constexpr auto latest = std::numeric_limits<std::int64_t>::max();
    constexpr auto earliest = std::numeric_limits<std::int64_t>::min();
    Attributes a;
    a.atime = {latest, 0};
    a.mtime = {earliest, 0};
    a.ctime = {latest / 1'000'000 + 1, 0};
    auto batch = std::make_unique<RecordBatch>(3);
    EXPECT_EQ(append(*batch, file_row(a)), 3U);
    a.atime = {-1, 999'999'000};
    a.mtime = {-62'135'596'800, 1'000};
    a.ctime = {9'000'000'000'000, 999'999'999};
    EXPECT_EQ(append(*batch, file_row(a)), 0U);
    const Exported out(std::move(batch));
    EXPECT_EQ(out[Column::atime].value<std::int64_t>(0), latest);
    EXPECT_EQ(out[Column::mtime].value<std::int64_t>(0), earliest);
    EXPECT_EQ(out[Column::ctime].value<std::int64_t>(0), latest);
    EXPECT_EQ(out[Column::atime].value<std::int64_t>(1), -1);
    EXPECT_EQ(out[Column::mtime].value<std::int64_t>(1), -62'135'596'799'999'999);
    EXPECT_EQ(out[Column::ctime].value<std::int64_t>(1), 9'000'000'000'000'999'999);
}

TEST(RecordBatch, AHardLinkIsWhatHasMoreThanOneLinkAndIsNoDirectory) {
    const Attributes once = file_attributes();
    Attributes twice = once;
    twice.links = 2;
    const Attributes directory = directory_attributes();
    auto batch = std::make_unique<RecordBatch>(12);
    for (int i = 0; i < 4; ++i) {
        for (const Attributes& a : {once, twice, directory}) append(*batch, file_row(a));
    }
    const Exported out(std::move(batch));
    for (int i = 0; i < 12; ++i) EXPECT_EQ(out[Column::is_hardlink].boolean(i), i % 3 == 1) << i;
}

TEST(RecordBatch, IsAsNewAfterItIsCleared) {
    Attributes twice = file_attributes();
    twice.links = 2;
    auto batch = std::make_unique<RecordBatch>(5);
    WholeRow row = file_row(twice);
    row.totals_known = false;
    row.filename_raw = "raw";
    for (int i = 0; i < 5; ++i) append(*batch, row);
    const std::size_t full = batch->bytes();
    batch->clear();
    EXPECT_EQ(batch->rows(), 0U);
    EXPECT_LT(batch->bytes(), full);
    const Attributes once = file_attributes();
    append(*batch, file_row(once));
    const Exported out(std::move(batch));
    EXPECT_EQ(out[Column::filename].string(0), "top/d/a.txt");
    EXPECT_FALSE(out[Column::is_hardlink].boolean(0));
    EXPECT_FALSE(out[Column::file_count].is_null(0));
    EXPECT_EQ(out[Column::filename_raw].string(0), std::nullopt);
}

TEST(BatchPool, GivesOutClearedBatchesAgain) {
    BatchPool pool;
    auto batch = pool.get();
    EXPECT_EQ(batch->capacity(), BatchPool::batch_capacity);
    const Attributes a = file_attributes();
    append(*batch, file_row(a));
    const RecordBatch* const first = batch.get();
    pool.put(std::move(batch));
    batch = pool.get();
    EXPECT_EQ(batch.get(), first);
    EXPECT_EQ(batch->rows(), 0U);
    EXPECT_NE(pool.get().get(), first);
}

class ArrowSinkTest : public ::testing::Test {
   protected:
    void add(const WalkedDirectory& directory, const std::string& name) {
        Listing names;
        names.add(name, EntryType::regular);
        const StatResult stat{file_attributes(), 0};
        const std::uint32_t selected[] = {0};
        sink.entries(directory, names, selected, 0, &stat);
    }
    std::unique_ptr<Exported> flushed() {
        sink.flush();
        std::unique_ptr<RecordBatch> batch;
        EXPECT_EQ(queue->pop(batch, mark, std::chrono::seconds(0)), BatchQueue::Pop::piece);
        return std::make_unique<Exported>(std::move(batch));
    }

    std::shared_ptr<Report::Shared> shared = std::make_shared<Report::Shared>();
    std::shared_ptr<BatchPool> pool = std::make_shared<BatchPool>();
    std::shared_ptr<BatchQueue> queue = std::make_shared<BatchQueue>(
        std::size_t{1} << 30U, shared->gauge, nullptr, BatchCodec(pool));
    std::shared_ptr<const Mark> mark;
    ArrowSink sink{queue, pool, shared};
    FakeDirectory parent{"top/d", directory_attributes(), 0, 77};
};

TEST_F(ArrowSinkTest, KeepsTheRawPathOnlyWhereItIsNotUtf8) {
    add(parent, "good \xC3\xBC.t\xC3\xBC");
    add(parent, "bad \xFF.x\xFE");
    const FakeDirectory bad("top/\xC3", directory_attributes(), 0, 77);
    add(bad, "\xBC.txt");
    add(bad, "good.txt");
    add(parent, "\xFF");
    add(parent, "\xFF.");
    sink.directory(bad, {State::complete, 3, 4567, true});
    const auto out = flushed();
    EXPECT_EQ((*out)[Column::filename].string(0), "top/d/good \xC3\xBC.t\xC3\xBC");
    EXPECT_EQ((*out)[Column::extension].string(0), "t\xC3\xBC");
    EXPECT_EQ((*out)[Column::filename_raw].string(0), std::nullopt);
    EXPECT_EQ((*out)[Column::filename].string(1), "top/d/bad \\xff.x\\xfe");
    EXPECT_EQ((*out)[Column::extension].string(1), "x\\xfe");
    EXPECT_EQ((*out)[Column::filename_raw].string(1), "top/d/bad \xFF.x\xFE");
    EXPECT_EQ((*out)[Column::filename].string(2), "top/\\xc3/\\xbc.txt");
    EXPECT_EQ((*out)[Column::extension].string(2), "txt");
    EXPECT_EQ((*out)[Column::filename_raw].string(2), "top/\xC3/\xBC.txt");
    EXPECT_EQ((*out)[Column::filename].string(3), "top/\\xc3/good.txt");
    EXPECT_EQ((*out)[Column::extension].string(3), "txt");
    EXPECT_EQ((*out)[Column::filename_raw].string(3), "top/\xC3/good.txt");
    EXPECT_EQ((*out)[Column::extension].string(4), std::nullopt);
    EXPECT_EQ((*out)[Column::extension].string(5), "");
    EXPECT_EQ((*out)[Column::filename].string(6), "top/\\xc3");
    EXPECT_EQ((*out)[Column::filename_raw].string(6), "top/\xC3");
}

TEST_F(ArrowSinkTest, TakesWhatIsSelectedOfALargeDirectoryInItsOrder) {
    constexpr std::size_t first = 10;
    constexpr std::size_t count = 3 * BatchPool::batch_capacity;
    Listing names;
    std::vector<StatResult> stats(count - first, {file_attributes(), 0});
    std::vector<std::uint32_t> selected;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string name = std::to_string(i) + (i % 3 == 0 ? ".x" : "");
        names.add(name + (i % 97 == 0 ? "\xFF" : ""), EntryType::regular);
        if (i < first) continue;
        stats[i - first].attributes.inode = i;
        stats[i - first].attributes.links = i % 5 == 0 ? 2 : 1;
        if (i % 2 == 0) selected.push_back(static_cast<std::uint32_t>(i));
    }
    sink.entries(parent, names, selected, first, stats.data());
    std::size_t expected = first;
    while (expected < count) {
        sink.flush();
        std::unique_ptr<RecordBatch> batch;
        ASSERT_EQ(queue->pop(batch, mark, std::chrono::seconds(0)), BatchQueue::Pop::piece);
        const auto rows = static_cast<std::int64_t>(batch->rows());
        const Exported out(std::move(batch));
        for (std::int64_t row = 0; row < rows; ++row, expected += 2) {
            const bool escaped = expected % 97 == 0;
            const bool has_extension = expected % 3 == 0;
            ASSERT_EQ(out[Column::filename].string(row), "top/d/" + std::to_string(expected) +
                                                             (has_extension ? ".x" : "") +
                                                             (escaped ? "\\xff" : ""));
            ASSERT_EQ(out[Column::extension].string(row).has_value(), has_extension);
            ASSERT_EQ(out[Column::is_hardlink].boolean(row), expected % 5 == 0);
            ASSERT_EQ(out[Column::filename_raw].string(row).has_value(), escaped);
            ASSERT_EQ(out[Column::inode].value<std::uint64_t>(row), expected);
        }
    }
    EXPECT_EQ(expected, count);
}

TEST_F(ArrowSinkTest, LongPathsDoNotMakeLargeBatches) {
    constexpr std::size_t length = std::size_t{1} << 20U;
    const FakeDirectory deep(std::string(length, 'd'), directory_attributes(), 0, 77);
    Listing names;
    std::vector<std::uint32_t> selected;
    for (std::uint32_t i = 0; i < 60; ++i) {
        names.add("f", EntryType::regular);
        selected.push_back(i);
    }
    const std::vector<StatResult> stats(selected.size(), {file_attributes(), 0});
    sink.entries(deep, names, selected, 0, stats.data());
    sink.flush();
    std::size_t rows = 0;
    std::unique_ptr<RecordBatch> batch;
    while (queue->pop(batch, mark, std::chrono::seconds(0)) == BatchQueue::Pop::piece) {
        rows += batch->rows();
        EXPECT_LT(batch->bytes(), 2 * BatchPool::most_batch_bytes + 2 * length);
    }
    EXPECT_EQ(rows, selected.size());
}

TEST_F(ArrowSinkTest, WritesDirectoriesWithTotalsOrNull) {
    sink.directory(parent, {State::complete, 3, 4567, true});
    sink.directory(parent, {State::unreadable, 1, 2, false});
    sink.directory(parent, {State::automount_point, 0, 0, false});
    const auto out = flushed();
    EXPECT_EQ((*out)[Column::filename].string(0), "top/d");
    EXPECT_EQ((*out)[Column::extension].string(0), std::nullopt);
    EXPECT_EQ((*out)[Column::parent_inode].value<std::int64_t>(0), 77);
    EXPECT_EQ((*out)[Column::depth].value<std::int32_t>(0), 0);
    EXPECT_EQ((*out)[Column::file_count].value<std::int64_t>(0), 3);
    EXPECT_EQ((*out)[Column::dir_sum].value<std::int64_t>(0), 4567);
    EXPECT_TRUE((*out)[Column::file_count].is_null(1));
    EXPECT_TRUE((*out)[Column::dir_sum].is_null(2));
}

TEST_F(ArrowSinkTest, HandsABatchOverWhenItIsFull) {
    for (std::size_t i = 0; i <= BatchPool::batch_capacity; ++i) add(parent, "f");
    std::unique_ptr<RecordBatch> batch;
    ASSERT_EQ(queue->pop(batch, mark, std::chrono::seconds(0)), BatchQueue::Pop::piece);
    EXPECT_EQ(batch->rows(), BatchPool::batch_capacity);
    EXPECT_EQ(queue->pop(batch, mark, std::chrono::seconds(0)), BatchQueue::Pop::timeout);
    sink.flush();
    ASSERT_EQ(queue->pop(batch, mark, std::chrono::seconds(0)), BatchQueue::Pop::piece);
    EXPECT_EQ(batch->rows(), 1U);
    sink.flush();
    EXPECT_EQ(queue->pop(batch, mark, std::chrono::seconds(0)), BatchQueue::Pop::timeout)
        << "an empty batch is not worth handing over";
}

TEST(RecordBatch, ADumpRestoresEveryColumn) {
    for (const int rows : {0, 1, 7, 8, 9, 64, 100}) {
        Attributes a = file_attributes();
        RecordBatch batch(100);
        for (int i = 0; i < rows; ++i) {
            a.inode = static_cast<std::uint64_t>(i);
            a.links = i % 3 == 0 ? 2 : 1;
            WholeRow row = file_row(a);
            const std::string name = "top/" + std::to_string(i) + std::string(200, 'n');
            row.filename = name;
            row.extension = i % 2 == 0 ? std::string_view() : std::string_view("", 0);
            if (i % 5 == 0) row.filename_raw = "raw\xff";
            row.totals_known = i % 4 != 0;
            row.file_count = i;
            append(batch, row);
        }
        ByteBuffer bytes;
        batch.dump(bytes);
        auto restored = std::make_unique<RecordBatch>(128);
        append(*restored, file_row(a));  // must leave no trace
        ASSERT_TRUE(restored->restore(bytes.view()));
        ByteBuffer again;
        restored->dump(again);
        EXPECT_EQ(again.view(), bytes.view());
        ASSERT_EQ(restored->rows(), static_cast<std::size_t>(rows));
        const Exported out(std::move(restored));
        EXPECT_EQ(out.null_count(Column::extension), (rows + 1) / 2);
        for (int i = 0; i < rows; ++i) {
            EXPECT_EQ(out[Column::inode].value<std::int64_t>(i), i);
            EXPECT_EQ(out[Column::filename].string(i),
                      "top/" + std::to_string(i) + std::string(200, 'n'));
            EXPECT_EQ(out[Column::extension].string(i).has_value(), i % 2 != 0);
            EXPECT_EQ(out[Column::filename_raw].string(i).has_value(), i % 5 == 0);
            EXPECT_EQ(out[Column::file_count].value<std::int64_t>(i), i);
            EXPECT_EQ(out[Column::is_hardlink].boolean(i), i % 3 == 0);
        }
    }
}

TEST(RecordBatch, RowsThatComeAtOnceAreAsThoseThatComeOneByOne) {
    constexpr std::size_t count = 300;
    std::vector<Attributes> attributes(count, file_attributes());
    std::vector<Row> rows;
    for (std::size_t i = 0; i < count; ++i) {
        Attributes& a = attributes[i];
        a.inode = i;
        a.links = i % 3 == 0 ? 2 : 1;
        a.mtime.seconds = i % 7 == 0 ? std::numeric_limits<std::int64_t>::max() : 1;
        Row row{&a, "a.txt", "txt"};
        if (i % 5 != 0) row.extension = {};
        if (i % 11 == 0) row.filename_raw = "raw\xff";
        rows.push_back(row);
    }
    for (const bool totals_known : {false, true}) {
        const RowGroup group{2002, 4, "prefix/", 5, 6, totals_known};
        RecordBatch singly(count);
        unsigned clamped = 0;
        for (const Row& row : rows) clamped += singly.append(group, {&row, 1});
        EXPECT_EQ(clamped, 43U);
        ByteBuffer expected;
        singly.dump(expected);
        for (const std::size_t at_once : {2U, 7U, 8U, 55U, 56U, 57U, 63U, 64U, 65U, 300U}) {
            RecordBatch batch(count);
            unsigned clamped_now = 0;
            for (std::size_t i = 0; i < count; i += at_once) {
                const auto next = std::span(rows).subspan(i, std::min(at_once, count - i));
                clamped_now += batch.append(group, next);
            }
            ByteBuffer bytes;
            batch.dump(bytes);
            EXPECT_EQ(bytes.view(), expected.view()) << at_once;
            EXPECT_EQ(clamped_now, clamped);
        }
    }
}

TEST(RecordBatch, RefusesWhatIsNoDumpOrDoesNotFit) {
    const Attributes a = file_attributes();
    RecordBatch batch(10);
    for (int i = 0; i < 10; ++i) append(batch, file_row(a));
    ByteBuffer bytes;
    batch.dump(bytes);
    RecordBatch other(9);
    EXPECT_FALSE(other.restore(bytes.view())) << "more rows than fit";
    EXPECT_FALSE(batch.restore(bytes.view().substr(1)));
    EXPECT_FALSE(batch.restore({}));
    EXPECT_EQ(batch.rows(), 0U);
}

}  // namespace
}  // namespace filetree::report
