#include "spill.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "support/limits.hpp"
#include "support/spilled_files.hpp"
#include "support/temporary_directory.hpp"

namespace filetree::report {
namespace {

using filetree::testing::open_descriptors;
using filetree::testing::patience;
using filetree::testing::TemporaryDirectory;
using filetree::testing::truncate_spilled_files;

class SpillTest : public ::testing::Test {
   protected:
    static std::string read(const Spill::Place& place) {
        ByteBuffer out;
        EXPECT_EQ(Spill::read(place, out), 0);
        return std::string(out.view());
    }
    static Spill::Place write(Spill& spill, std::string_view bytes) {
        Result<Spill::Place> place = spill.write(bytes);
        EXPECT_EQ(place.error, 0);
        return std::move(place.value);
    }

    TemporaryDirectory directory;
};

TEST_F(SpillTest, TouchesNothingBeforeTheFirstWrite) {
    const Spill spill(directory.path());
    EXPECT_TRUE(spill.ready());
    EXPECT_EQ(spill.written(), 0U);
    EXPECT_EQ(open_descriptors(directory), 0U);
}

TEST_F(SpillTest, GivesBackWhatItWasGivenAndCountsIt) {
    Spill spill(directory.path());
    const std::string large(3'000'000, 'x');
    const Spill::Place first = write(spill, "one");
    const Spill::Place second = write(spill, large);
    const Spill::Place third = write(spill, std::string_view("\0\xff", 2));
    EXPECT_EQ(read(second), large);
    EXPECT_EQ(read(first), "one");
    EXPECT_EQ(read(third), std::string_view("\0\xff", 2));
    EXPECT_EQ(spill.written(), 3 + large.size() + 2);
}

TEST_F(SpillTest, ItsFilesHaveNoName) {
    Spill spill(directory.path());
    const Spill::Place place = write(spill, "one");
    EXPECT_EQ(open_descriptors(directory), 1U);
    EXPECT_TRUE(directory.names().empty());
}

TEST_F(SpillTest, AFullFileIsClosedWithItsLastPlace) {
    Spill spill(directory.path(), {.file_size = 10});
    std::vector<Spill::Place> places;
    for (int i = 0; i < 3; ++i) places.push_back(write(spill, "123456"));
    EXPECT_EQ(open_descriptors(directory), 2U);
    places.erase(places.begin());
    EXPECT_EQ(open_descriptors(directory), 2U);
    places.erase(places.begin());
    EXPECT_EQ(open_descriptors(directory), 1U) << "the first file is wanted no more";
    EXPECT_EQ(read(places.front()), "123456");
}

TEST_F(SpillTest, ClosesEverythingInTheEnd) {
    {
        Spill spill(directory.path());
        write(spill, "one");
    }
    EXPECT_EQ(open_descriptors(directory), 0U);
}

TEST_F(SpillTest, ALargeBacklogTakesFewDescriptors) {
    Spill spill(directory.path(), {.file_size = 1});
    std::vector<Spill::Place> places;
    for (int i = 0; i < 1'000; ++i) places.push_back(write(spill, "12"));
    EXPECT_LT(open_descriptors(directory), 100U);
    for (const Spill::Place& place : places) EXPECT_EQ(read(place), "12");
}

TEST_F(SpillTest, SaysWhyItCannotWriteAndWhenToTryAgain) {
    Spill spill(directory / "missing", {.retry_after = std::chrono::hours(1)});
    EXPECT_EQ(spill.write("one").error, ENOENT);
    EXPECT_FALSE(spill.ready());
    EXPECT_GT(spill.retry_at(), Spill::Clock::now() + std::chrono::minutes(1));
    EXPECT_EQ(spill.written(), 0U);
    directory.add_directory("missing");
    EXPECT_TRUE(spill.write("one").ok());
}

TEST_F(SpillTest, SpaceThatBecomesFreeIsWorthAnotherTry) {
    const std::string moving = directory.add_directory("moving");
    Spill spill(moving, {.file_size = 1, .retry_after = std::chrono::hours(1)});
    Spill::Place place = write(spill, "one");
    std::filesystem::remove(moving);
    EXPECT_NE(spill.write("two").error, 0);
    EXPECT_FALSE(spill.ready());
    EXPECT_EQ(read(place), "one");
    place = {};
    EXPECT_TRUE(spill.ready());
}

TEST_F(SpillTest, BytesThatAreMissingAreAnError) {
    Spill spill(directory.path());
    const Spill::Place place = write(spill, "one");
    ASSERT_EQ(truncate_spilled_files(directory), 1U);
    ByteBuffer out;
    EXPECT_EQ(Spill::read(place, out), EIO);
    EXPECT_EQ(out.size(), 0U);
}

TEST_F(SpillTest, ManyThreadsWriteAtOnce) {
    Spill spill(directory.path(), {.file_size = 20'000});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::vector<Spill::Place> places;
            for (int i = 0; i < 300; ++i) {
                places.push_back(write(spill, std::string(500, static_cast<char>('a' + t))));
            }
            for (const Spill::Place& place : places) {
                EXPECT_EQ(read(place), std::string(500, static_cast<char>('a' + t)));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(spill.written(), 4U * 300 * 500);
}

}  // namespace
}  // namespace filetree::report
