// Walks of trees where calls do not return: everything else is found, and the walk ends.

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "support/awaited.hpp"
#include "support/faults.hpp"
#include "support/limits.hpp"
#include "support/tally.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using testing::Awaited;
using testing::Collection;
using testing::fault_at;
using testing::faulty;
using testing::hang;
using testing::into;
using testing::patience;
using testing::signals_when_gone;
using testing::text;
using testing::texts;
using State = DirectoryTotals::State;
using Texts = std::vector<std::string>;

// Far above what a call takes on a busy machine, or sound calls would be given up too.
constexpr milliseconds stall_timeout{testing::under_sanitizer ? 3000 : 1000};

WalkOptions impatient() {
    WalkOptions options;
    options.stall_timeout = stall_timeout;
    return options;
}

// A walk of a tree with a policy that hangs some calls. At the end all of them are released, and
// no thread may be left.
class WalkHang : public ::testing::Test {
   protected:
    void begin(const SyntheticTree& tree, const FaultPolicy& policy,
               const WalkOptions& options = impatient()) {
        fs = faulty(tree, [policy, signal = signals_when_gone(gone)](const FaultyCall& call) {
            return policy(call);
        });
        walk = std::make_unique<Walk>(fs, "t", options, into(found));
    }
    void TearDown() override {
        if (!fs) return;
        const auto paths = found->paths();
        const auto errors = texts(walk->errors());
        fs->release();
        EXPECT_EQ(texts(walk->errors()), errors);
        walk.reset();
        fs.reset();
        EXPECT_TRUE(gone->reaches(1)) << "a thread that was given up did not end";
        EXPECT_EQ(found->paths(), paths) << "what is given up must not come back";
    }
    [[nodiscard]] Texts errors() const { return texts(walk->errors()); }

    std::shared_ptr<Awaited> gone = std::make_shared<Awaited>();
    std::shared_ptr<Collection> found = std::make_shared<Collection>();
    std::shared_ptr<FaultyFileSystem> fs;
    std::unique_ptr<Walk> walk;
};

TEST_F(WalkHang, ReportsADirectoryWhoseOpeningHangsAndFinishesTheRest) {
    begin({10, 5, 2}, fault_at(Operation::open, "t/d3", hang));
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{text(Operation::open, "t/d3", ETIMEDOUT)});
    EXPECT_EQ(found->directories.size(), 111U - 10);
    EXPECT_EQ(found->entries.size(), (111U - 11) * 5);
    const auto& totals = found->directories.at("t/d3").totals;
    EXPECT_EQ(totals.state, State::unreadable);
    EXPECT_FALSE(totals.opened);
    EXPECT_EQ(walk->progress().entries(), found->paths().size());
}

TEST_F(WalkHang, ReportsADirectoryWhoseReadingHangsAndFinishesTheRest) {
    begin({10, 5, 2}, fault_at(Operation::read, "t/d3", hang));
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{text(Operation::read, "t/d3", ETIMEDOUT)});
    EXPECT_EQ(found->directories.size(), 111U - 10);
    EXPECT_EQ(found->entries.size(), (111U - 11) * 5);
    EXPECT_EQ(found->directories.at("t/d3").totals.state, State::unreadable);
    EXPECT_TRUE(found->directories.at("t/d3").totals.opened);
}

TEST_F(WalkHang, ReportsANameThatHangsAndFinishesItsDirectory) {
    begin({2, 3000, 1}, fault_at(Operation::stat, "t/d1/f1500.dat", hang));
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{text(Operation::stat, "t/d1/f1500.dat", ETIMEDOUT)});
    EXPECT_EQ(found->entries.size(), 3 * 3000U - 1);
    EXPECT_TRUE(found->repeated.empty());
    EXPECT_EQ(found->directories.at("t/d1").totals.file_count, 3000U);
}

TEST_F(WalkHang, ReportsANameThatHangsInAShortDirectory) {
    begin({2, 5, 1}, fault_at(Operation::stat, "t/d1/f2.dat", hang));
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{text(Operation::stat, "t/d1/f2.dat", ETIMEDOUT)});
    EXPECT_EQ(found->entries.size(), 14U);
    EXPECT_EQ(found->directories.at("t/d1").totals.state, State::complete);
}

TEST_F(WalkHang, ReportsADirectoryThatHangsHalfWayThroughItsListing) {
    const auto counter = std::make_shared<testing::CallCounter>();
    begin({2, 6000, 1}, [counter](const FaultyCall& call) {
        return call.operation == Operation::read && call.path == "t/d0" && counter->count(call) == 4
                   ? hang
                   : Fault{};
    });
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{text(Operation::read, "t/d0", ETIMEDOUT)});
    EXPECT_EQ(found->directories.size(), 3U);
    EXPECT_GE(found->entries.size(), 2 * 6000U);
    EXPECT_LE(found->entries.size(), 2 * 6000U + 3 * 1024U);
    EXPECT_EQ(found->directories.at("t/d0").totals.state, State::unreadable);
    EXPECT_TRUE(found->repeated.empty());
}

TEST_F(WalkHang, ADirectoryFullOfNamesThatHangDoesNotHoldUpTheRest) {
    WalkOptions options = impatient();
    options.max_threads = 2;
    begin(
        {4, 200, 1},
        [](const FaultyCall& call) {
            const bool hangs = call.operation == Operation::stat && call.path.starts_with("t/d1/");
            return hangs ? hang : Fault{};
        },
        options);
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(found->directories.size(), 5U);
    EXPECT_EQ(found->entries.size(), 4 * 200U) << "all files but those of t/d1";
    const auto all = errors();
    EXPECT_GE(all.size(), 1U);
    EXPECT_LE(all.size(), 4U);
    for (const std::string& error : all) EXPECT_TRUE(error.starts_with("stat t/d1")) << error;
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
    EXPECT_EQ(found->directories.at("t/d1").totals.state, State::unreadable);
}

// All of the threads may be in there at once when the first of them is given up.
TEST_F(WalkHang, ADirectoryFullOfNamesThatHangCostsNoOtherDirectoryItsEntries) {
    WalkOptions options = impatient();
    options.max_threads = 12;
    begin(
        {4, 20'000, 1},
        [](const FaultyCall& call) {
            const bool hangs = call.operation == Operation::stat && call.path.starts_with("t/d3/");
            return hangs ? hang : Fault{};
        },
        options);
    ASSERT_TRUE(walk->wait_finished(patience));
    for (const std::string& error : errors()) {
        EXPECT_TRUE(error.starts_with("stat t/d3")) << error;
    }
    EXPECT_EQ(found->entries.size(), 4 * 20'000U);
}

TEST_F(WalkHang, ATopWhoseOpeningHangsEndsTheWalk) {
    begin({2, 2, 1}, fault_at(Operation::open, "t", hang));
    EXPECT_EQ(walk->wait_started(patience), ETIMEDOUT);
    EXPECT_TRUE(walk->wait_finished(patience));
    EXPECT_TRUE(found->entries.empty());
}

TEST_F(WalkHang, ATopWhoseReadingHangsEndsTheWalkWithAnError) {
    begin({2, 2, 1}, fault_at(Operation::read, "t", hang));
    EXPECT_EQ(walk->wait_started(patience), 0);
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{text(Operation::read, "t", ETIMEDOUT)});
    EXPECT_EQ(found->directories.at("t").totals.state, State::unreadable);
}

TEST_F(WalkHang, WhatHangsForAShortWhileIsNotGivenUp) {
    WalkOptions options;
    options.stall_timeout = patience * 10;
    const auto hanging = std::make_shared<Awaited>();
    begin(
        {2, 3, 1},
        [hanging](const FaultyCall& call) {
            if (call.path != "t/d1") return Fault{};
            hanging->add();
            return hang;
        },
        options);
    ASSERT_TRUE(hanging->reaches(1));
    EXPECT_FALSE(walk->wait_finished(milliseconds(50)));
    fs->release();
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{});
    EXPECT_EQ(found->entries.size(), 9U);
}

// The watchdog looks eight times in a stall_timeout; a first call may well be under way then.
TEST_F(WalkHang, AFirstCallSlowerThanTheWatchdogsRoundIsNotGivenUp) {
    WalkOptions options;
    options.stall_timeout = 8 * milliseconds(1000);
    begin({2, 3, 1}, fault_at(Operation::open, "t", {0, milliseconds(2400), false}), options);
    EXPECT_EQ(walk->wait_started(patience), 0);
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{});
    EXPECT_EQ(found->entries.size(), 9U);
}

TEST_F(WalkHang, ManySlowCallsOnNewThreadsAreNotGivenUp) {
    WalkOptions options;
    options.max_threads = 2;
    options.stall_timeout = milliseconds(20'000);
    begin(
        {60, 0, 1},
        [](const FaultyCall& call) {
            return Fault{0, milliseconds(call.operation == Operation::open ? 600 : 1), false};
        },
        options);
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_EQ(errors(), Texts{});
    EXPECT_EQ(found->directories.size(), 61U);
}

TEST_F(WalkHang, ADeviceThatHangsAgainAndAgainIsGivenUpAndEachOfItsDirectoriesListed) {
    const auto tries = std::make_shared<Awaited>();
    WalkOptions options = impatient();
    options.max_threads = 4;
    options.max_inflight = 4;
    begin(
        {40, 2, 1},
        [tries](const FaultyCall& call) {
            if (call.operation != Operation::open || call.path == "t") return Fault{};
            tries->add();
            return hang;
        },
        options);
    ASSERT_TRUE(walk->wait_finished(patience));
    Texts expected;
    for (int i = 0; i < 40; ++i) {
        expected.push_back(text(Operation::open, "t/d" + std::to_string(i), ETIMEDOUT));
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(errors(), expected);
    EXPECT_LE(tries->value(), 12) << "each try costs a thread for stall_timeout";
    EXPECT_EQ(found->entries.size(), 2U);
}

TEST_F(WalkHang, AConsumerThatBlocksIsNotTakenForAFileSystemThatHangs) {
    class BlockingSink final : public EntrySink {
       public:
        void entries(const WalkedDirectory& /*parent*/, const Listing& /*names*/,
                     std::span<const std::uint32_t> /*selected*/, std::size_t /*first*/,
                     const StatResult* /*stats*/) override {
            std::this_thread::sleep_for(3 * stall_timeout / 4);
        }
        void directory(const WalkedDirectory& /*directory*/,
                       const DirectoryTotals& /*totals*/) override {
            std::this_thread::sleep_for(3 * stall_timeout / 4);
        }
        void flush() override {}
    };
    Walk blocked(faulty({0, 5, 0}, [](const FaultyCall&) { return Fault{}; }), "t", impatient(),
                 [] { return std::make_unique<BlockingSink>(); });
    ASSERT_TRUE(blocked.wait_finished(patience));
    EXPECT_TRUE(blocked.errors().empty());
    EXPECT_EQ(blocked.progress().entries(), 6U);
}

}  // namespace
}  // namespace filetree
