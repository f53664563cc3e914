#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "filetree/report.hpp"
#include "record_batch.hpp"
#include "support/arrow_reader.hpp"
#include "support/awaited.hpp"
#include "support/faults.hpp"
#include "support/limits.hpp"
#include "support/spilled_files.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using testing::ArrowColumn;
using testing::Awaited;
using testing::fault_at;
using testing::faulty;
using testing::hang;
using testing::patience;
using testing::scaled;

// Far more than could be scanned within any test's time.
constexpr SyntheticTree endless{10, 100, 9};

// What all batches of a scan hold together.
struct Sum {
    std::uint64_t rows = 0;
    std::uint64_t bytes_of_files = 0;
    std::uint64_t file_count = 0;
    std::uint64_t batches = 0;
    std::set<std::string> paths;  // filled when asked for

    void add(const ArrowArray& batch, bool with_paths) {
        const auto column = [&](report::Column c) {
            return ArrowColumn(*batch.children[static_cast<std::size_t>(c)]);
        };
        const ArrowColumn size = column(report::Column::size);
        const ArrowColumn count = column(report::Column::file_count);
        const ArrowColumn path = column(report::Column::filename);
        ++batches;
        for (std::int64_t i = 0; i < batch.length; ++i) {
            ++rows;
            const auto files = count.value<std::int64_t>(i);
            if (files < 0) bytes_of_files += size.value<std::uint64_t>(i);
            if (files >= 0) file_count += static_cast<std::uint64_t>(files);
            if (with_paths) paths.insert(path.string(i).value());
        }
    }
};

Sum consume(Scan& scan, bool with_paths = false) {
    Sum sum;
    ArrowArray batch{};
    Scan::Next next{};
    while ((next = scan.next(batch, patience)) == Scan::Next::batch) {
        sum.add(batch, with_paths);
        batch.release(&batch);
    }
    EXPECT_EQ(next, Scan::Next::end);
    return sum;
}

int error_of_next(Scan& scan, const std::string& path) {
    ArrowArray batch{};
    try {
        while (scan.next(batch, patience) == Scan::Next::batch) batch.release(&batch);
        return 0;
    } catch (const SystemError& error) {
        EXPECT_EQ(error.path(), path);
        return error.error();
    }
}

void expect_whole(const SyntheticTree& tree, const Sum& sum) {
    EXPECT_EQ(sum.rows, tree.total_files() + tree.total_directories() + 1);
    EXPECT_EQ(sum.bytes_of_files, tree.total_file_bytes());
    EXPECT_EQ(sum.file_count, tree.total_files() + tree.total_directories());
}

TEST(Scan, GivesARowForEachEntry) {
    const SyntheticTree tree = synthetic_tree_of(scaled(500'000));
    Scan scan(make_synthetic_file_system(tree), "t", {});
    expect_whole(tree, consume(scan));
    EXPECT_TRUE(scan.errors().empty());
    EXPECT_EQ(scan.progress().entries(), tree.total_files() + tree.total_directories() + 1);
    EXPECT_EQ(scan.notes().clamped_times, 0U);
}

TEST(Scan, GivesEachPathOnce) {
    const SyntheticTree tree{5, 20, 3};
    Scan scan(make_synthetic_file_system(tree), "t", {});
    const Sum sum = consume(scan, true);
    expect_whole(tree, sum);
    EXPECT_EQ(sum.paths.size(), sum.rows);
    EXPECT_TRUE(sum.paths.contains("t"));
    EXPECT_TRUE(sum.paths.contains("t/d4/d3/d2/f19.dat"));
}

TEST(Scan, LosesNothingHoweverLittleMayWait) {
    const SyntheticTree tree = synthetic_tree_of(scaled(300'000));
    ReportOptions options;
    options.buffer_threshold = 1;
    Scan scan(make_synthetic_file_system(tree), "t", options);
    expect_whole(tree, consume(scan));
}

TEST(Scan, DoesNotRunAheadOfItsConsumerByMoreThanTheThreshold) {
    ReportOptions options;
    options.buffer_threshold = 1;
    options.walk.max_threads = 2;
    options.walk.max_inflight = 4;
    Scan scan(make_synthetic_file_system(endless), "t", options);
    // One batch that waits; for each thread one that it fills, one that it pushes, and the piece
    // of work that it had begun.
    const std::uint64_t ahead = (1 + 3 * 4) * report::BatchPool::batch_capacity;
    std::uint64_t consumed = 0;
    ArrowArray batch{};
    for (int i = 0; i < 10; ++i) {
        ASSERT_EQ(scan.next(batch, patience), Scan::Next::batch);
        consumed += static_cast<std::uint64_t>(batch.length);
        batch.release(&batch);
        // Time enough to run far ahead, if they could.
        std::this_thread::sleep_for(milliseconds(20));
        EXPECT_LE(scan.progress().entries(), consumed + ahead);
    }
}

TEST(Scan, EndsAgainAndAgain) {
    Scan scan(make_synthetic_file_system({1, 1, 1}), "t", {});
    EXPECT_EQ(consume(scan).rows, 4U);
    ArrowArray batch{};
    EXPECT_EQ(scan.next(batch, nanoseconds(0)), Scan::Next::end);
}

TEST(Scan, WaitsNoLongerThanAsked) {
    const auto fs = faulty({1, 1, 1}, fault_at(Operation::open, "t/d0", hang));
    Scan scan(fs, "t", {});
    ArrowArray batch{};
    EXPECT_EQ(scan.next(batch, milliseconds(10)), Scan::Next::timeout);
    fs->release();
    EXPECT_EQ(consume(scan).rows, 4U);
}

TEST(Scan, AnUnusableTopIsThrown) {
    Scan scan(faulty({0, 1, 0}, testing::error_at(Operation::open, "t", EACCES)), "t", {});
    EXPECT_EQ(scan.wait_started(patience), EACCES);
    EXPECT_EQ(error_of_next(scan, "t"), EACCES);
    EXPECT_EQ(error_of_next(scan, "t"), EACCES) << "and again";
}

TEST(Scan, ListsFailuresAndKeepsTheRowsOfUnreadableDirectories) {
    const auto fs = faulty({2, 3, 1}, testing::error_at(Operation::open, "t/d1", EACCES));
    Scan scan(fs, "t", {});
    ArrowArray batch{};
    std::map<std::string, bool> totals_known;
    while (scan.next(batch, patience) == Scan::Next::batch) {
        const auto& columns = batch.children;
        for (std::int64_t i = 0; i < batch.length; ++i) {
            const auto path =
                ArrowColumn(*columns[std::size_t(report::Column::filename)]).string(i);
            totals_known[path.value()] =
                !ArrowColumn(*columns[std::size_t(report::Column::file_count)]).is_null(i);
        }
        batch.release(&batch);
    }
    EXPECT_EQ(totals_known.size(), 9U);
    EXPECT_FALSE(totals_known.at("t/d1"));
    EXPECT_TRUE(totals_known.at("t/d0"));
    ASSERT_EQ(scan.errors().size(), 1U);
    EXPECT_EQ(scan.errors()[0].error, EACCES);
}

TEST(Scan, ACloseHalfWayIsNoEnd) {
    Scan scan(make_synthetic_file_system(endless), "t", {});
    ArrowArray batch{};
    ASSERT_EQ(scan.next(batch, patience), Scan::Next::batch);
    batch.release(&batch);
    scan.close();
    scan.close();
    EXPECT_EQ(error_of_next(scan, "t"), ECANCELED);
    EXPECT_GT(scan.progress().entries(), 0U) << "progress stays readable";
}

TEST(Scan, MayBeClosedWhileAnotherThreadWaitsForABatch) {
    const auto fs = faulty({1, 1, 1}, fault_at(Operation::open, "t/d0", hang));
    Scan scan(fs, "t", {});
    std::thread closer([&] {
        fs->release();
        scan.close();
    });
    const int error = error_of_next(scan, "t");
    EXPECT_TRUE(error == ECANCELED || error == 0) << error;
    closer.join();
}

TEST(Scan, MayBeClosedByManyThreadsAtOnce) {
    const auto fs = faulty({1, 1, 1}, fault_at(Operation::open, "t/d0", hang));
    Scan scan(fs, "t", {});
    std::vector<std::thread> closers;
    for (int i = 0; i < 4; ++i) closers.emplace_back([&] { scan.close(); });
    for (std::thread& closer : closers) closer.join();
    EXPECT_EQ(error_of_next(scan, "t"), ECANCELED);
    fs->release();
}

TEST(Scan, MayBeDroppedHalfWayWithWorkersThatWait) {
    const auto gone = std::make_shared<Awaited>();
    for (int i = 0; i < 10; ++i) {
        const auto fs = faulty(endless, [signal = testing::signals_when_gone(gone)](
                                            const FaultyCall&) { return Fault{}; });
        ReportOptions options;
        options.buffer_threshold = 1;
        Scan scan(fs, "t", options);
        ArrowArray batch{};
        ASSERT_EQ(scan.next(batch, patience), Scan::Next::batch);
        batch.release(&batch);
    }
    EXPECT_TRUE(gone->reaches(10)) << "a thread is left";
}

TEST(Scan, ItsBatchesOutliveIt) {
    std::vector<ArrowArray> kept;
    {
        Scan scan(make_synthetic_file_system({3, 3000, 1}), "t", {});
        ArrowArray batch{};
        while (scan.next(batch, patience) == Scan::Next::batch) kept.push_back(batch);
    }
    Sum sum;
    for (ArrowArray& batch : kept) {
        sum.add(batch, false);
        batch.release(&batch);
    }
    expect_whole({3, 3000, 1}, sum);
}

TEST(Scan, BatchesMayBeReleasedOnAnyThread) {
    const SyntheticTree tree = synthetic_tree_of(scaled(100'000));
    Scan scan(make_synthetic_file_system(tree), "t", {});
    std::vector<std::thread> threads;
    Sum sum;
    ArrowArray batch{};
    while (scan.next(batch, patience) == Scan::Next::batch) {
        sum.add(batch, false);
        threads.emplace_back([batch]() mutable { batch.release(&batch); });
    }
    for (std::thread& thread : threads) thread.join();
    expect_whole(tree, sum);
}

TEST(Scan, EndsThoughADirectoryHangsAndNothingIsConsumedMeanwhile) {
    ReportOptions options;
    options.buffer_threshold = 1;
    options.walk.stall_timeout = milliseconds(1000);
    const auto fs = faulty({20, 3000, 1}, fault_at(Operation::read, "t/d7", hang));
    Scan scan(fs, "t", options);
    std::this_thread::sleep_for(milliseconds(1500));
    const Sum sum = consume(scan);
    EXPECT_EQ(sum.rows, 1 + 20 + 20 * 3000U);
    EXPECT_EQ(testing::texts(scan.errors()),
              std::vector<std::string>{testing::text(Operation::read, "t/d7", ETIMEDOUT)});
    fs->release();
}

TEST(Scan, ASlowConsumerGetsWhatWasSpilledWithNothingMissing) {
    const SyntheticTree tree = synthetic_tree_of(scaled(100'000));
    const testing::TemporaryDirectory directory;
    ReportOptions options;
    options.buffer_threshold = std::size_t{1} << 20U;
    options.spill_directory = directory.path();
    Scan late(make_synthetic_file_system(tree), "t", options);
    const std::uint64_t entries = tree.total_files() + tree.total_directories() + 1;
    const auto begun = std::chrono::steady_clock::now();
    while (late.progress().entries() < entries) {
        ASSERT_LT(std::chrono::steady_clock::now() - begun, patience);
        std::this_thread::sleep_for(milliseconds(1));
    }
    const Sum sum = consume(late, true);
    EXPECT_GT(late.progress().spilled, 0U);
    Scan prompt(make_synthetic_file_system(tree), "t", {});
    const Sum expected = consume(prompt, true);
    EXPECT_EQ(prompt.progress().spilled, 0U);
    EXPECT_EQ(sum.rows, expected.rows);
    EXPECT_EQ(sum.bytes_of_files, expected.bytes_of_files);
    EXPECT_EQ(sum.file_count, expected.file_count);
    EXPECT_TRUE(sum.paths == expected.paths);
    EXPECT_TRUE(directory.names().empty());
}

TEST(Scan, WhatCannotBeReadBackIsAnError) {
    const testing::TemporaryDirectory directory;
    ReportOptions options;
    options.buffer_threshold = 1;
    options.spill_directory = directory.path();
    Scan scan(make_synthetic_file_system(endless), "t", options);
    const auto begun = std::chrono::steady_clock::now();
    while (scan.progress().spilled < (std::size_t{4} << 20U)) {
        ASSERT_LT(std::chrono::steady_clock::now() - begun, patience);
        std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_GT(testing::truncate_spilled_files(directory), 0U);
    EXPECT_EQ(error_of_next(scan, directory.path()), EIO);
    EXPECT_EQ(error_of_next(scan, directory.path()), EIO) << "and again";
}

}  // namespace
}  // namespace filetree
