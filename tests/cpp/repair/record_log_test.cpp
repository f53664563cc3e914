// Records by the million: in memory, in a file, and while others are added.

#include "record_log.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "support/file_size_limit.hpp"
#include "support/limits.hpp"

namespace filetree::repair {
namespace {

using filetree::testing::FileSizeLimit;
using filetree::testing::scaled;

// Fields that differ from record to record, and paths that are no text.
ChangeRecord record(std::size_t number, std::size_t path_length = 200) {
    const auto n = static_cast<std::uint32_t>(number);
    ChangeRecord out;
    out.path = "/" + std::to_string(number) + "/";
    out.path.resize(std::max(out.path.size(), path_length), static_cast<char>(128 + number % 100));
    out.path.push_back(number % 2 == 0 ? '\n' : '"');
    out.kinds = static_cast<std::uint8_t>(number % 16);
    out.reason = static_cast<SkipReason>(number % 7);
    out.uid = ~n;
    out.old_gid = n;
    out.new_gid = n * 3;
    out.old_mode = n % 010000;
    out.new_mode = (n * 7) % 010000;
    return out;
}

void expect_same(const ChangeRecord& a, const ChangeRecord& b) {
    ASSERT_EQ(a.path, b.path);
    ASSERT_EQ(a.kinds, b.kinds);
    ASSERT_EQ(a.reason, b.reason);
    ASSERT_EQ(a.uid, b.uid);
    ASSERT_EQ(a.old_gid, b.old_gid);
    ASSERT_EQ(a.new_gid, b.new_gid);
    ASSERT_EQ(a.old_mode, b.old_mode);
    ASSERT_EQ(a.new_mode, b.new_mode);
}

void expect_range(const RecordLog& log, std::size_t first, std::size_t count, std::size_t end) {
    const auto got = log.read(first, count);
    ASSERT_EQ(got.size(), first >= end ? 0 : std::min(count, end - first)) << first;
    for (std::size_t i = 0; i < got.size(); ++i) expect_same(got[i], record(first + i));
}

class RecordLogOf : public ::testing::TestWithParam<std::size_t> {};

TEST_P(RecordLogOf, AnyRangeIsReadAsItWasAdded) {
    const std::size_t count = scaled(40'000);  // several blocks
    RecordLog log(GetParam());
    EXPECT_TRUE(log.read(0, 10).empty());
    for (std::size_t i = 0; i < count; ++i) log.add(record(i));
    ASSERT_EQ(log.size(), count);
    expect_range(log, 0, count + 5, count);
    expect_range(log, 0, static_cast<std::size_t>(-1), count);
    expect_range(log, count - 1, static_cast<std::size_t>(-1), count);
    expect_range(log, count, 1, count);
    expect_range(log, static_cast<std::size_t>(-1), 1, count);
    expect_range(log, 5, 0, count);
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same each time
    for (int i = 0; i < 50; ++i) expect_range(log, random() % count, random() % 3000, count);
}

TEST_P(RecordLogOf, PathsOfAnyLengthFit) {
    RecordLog log(GetParam());
    const std::vector<std::size_t> lengths{0, (1U << 20U) - 30, 1U << 20U, 3U << 20U, 1, 5000};
    for (std::size_t i = 0; i < lengths.size(); ++i) log.add(record(i, lengths[i]));
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        const auto got = log.read(i, 1);
        ASSERT_EQ(got.size(), 1U);
        expect_same(got[0], record(i, lengths[i]));
    }
}

TEST_P(RecordLogOf, ReadersSeeWholeRecordsWhileOthersAdd) {
    const std::size_t each = scaled(10'000);
    constexpr std::size_t writers = 3;
    RecordLog log(GetParam());
    std::atomic<std::size_t> left{writers};
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w < writers; ++w) {
        threads.emplace_back([&, w] {
            for (std::size_t i = 0; i < each; ++i) log.add(record(w * each + i));
            --left;
        });
    }
    for (unsigned r = 0; r < 2; ++r) {
        threads.emplace_back([&, r] {
            std::mt19937 random(r);
            while (left.load() > 0) {
                const std::size_t size = log.size();
                if (size == 0) continue;
                const std::size_t first = random() % size;
                const auto got = log.read(first, 200);
                ASSERT_GE(got.size(), std::min<std::size_t>(200, size - first));
                // Which one it is says the owner.
                for (const auto& g : got) expect_same(g, record(~g.uid));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(log.size(), writers * each);
    std::vector<std::uint32_t> seen;
    for (const auto& g : log.read(0, log.size())) seen.push_back(~g.uid);
    std::sort(seen.begin(), seen.end());
    for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], i);
}

INSTANTIATE_TEST_SUITE_P(Memory, RecordLogOf,
                         ::testing::Values(std::size_t{0}, std::size_t{3} << 20U,
                                           std::size_t{64} << 20U));

// Wherever in a block, also in what a buffer may hold back: what has been written before must
// stay readable.
TEST(RecordLog, WhatFindsNoRoomOnTheDiskStaysInMemory) {
    constexpr std::size_t filled = 1024 * 1025;  // full of records of 1025 bytes
    for (const std::size_t limit : {std::size_t{0}, filled / 2, 2 * filled + 70, 3 * filled - 5000,
                                    3 * filled - 1000, 3 * filled - 1}) {
        const FileSizeLimit limited(limit);
        RecordLog log(0);
        const std::size_t count = 6000;
        for (std::size_t i = 0; i < count; ++i) log.add(record(i, 1000));
        for (const std::size_t first : {count - 10, std::size_t{0}, count / 2}) {
            const auto got = log.read(first, 2000);
            ASSERT_EQ(got.size(), std::min<std::size_t>(2000, count - first));
            for (std::size_t i = 0; i < got.size(); ++i) {
                expect_same(got[i], record(first + i, 1000));
            }
        }
    }
}

}  // namespace
}  // namespace filetree::repair
