// Walks that are stopped before their end.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "filetree/posix_fs.hpp"
#include "support/awaited.hpp"
#include "support/faults.hpp"
#include "support/tally.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using testing::Awaited;
using testing::fault_at;
using testing::faulty;
using testing::hang;
using testing::into;
using testing::open_descriptors;
using testing::patience;
using testing::signals_when_gone;
using testing::Tally;

// Far more than could be walked within any test's time.
constexpr SyntheticTree endless{10, 100, 9};

class WalkCancel : public ::testing::Test {
   protected:
    void begin(
        const SyntheticTree& tree,
        const FaultPolicy& policy = [](const FaultyCall&) { return Fault{}; }) {
        fs = faulty(tree, [policy, signal = signals_when_gone(gone)](const FaultyCall& call) {
            return policy(call);
        });
        walk = std::make_unique<Walk>(fs, "t", WalkOptions{}, into(tally));
    }
    // Waits until something has been found.
    void await_entries() {
        const auto begun = std::chrono::steady_clock::now();
        while (walk->progress().entries() < 1000) {
            ASSERT_FALSE(walk->wait_finished(milliseconds(1)));
            ASSERT_LT(std::chrono::steady_clock::now() - begun, patience);
        }
    }
    // Every thread is gone, and has closed what it held.
    void expect_all_gone() {
        walk.reset();
        EXPECT_EQ(fs->open_directories(), 0U);
        fs.reset();
        EXPECT_TRUE(gone->reaches(1));
    }

    std::shared_ptr<Awaited> gone = std::make_shared<Awaited>();
    std::shared_ptr<Tally> tally = std::make_shared<Tally>();
    std::shared_ptr<FaultyFileSystem> fs;
    std::unique_ptr<Walk> walk;
};

TEST_F(WalkCancel, EndsWhenCancelledFromAnotherThread) {
    begin(endless);
    await_entries();
    std::thread([this] { walk->cancel(); }).join();
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_TRUE(walk->cancelled());
    EXPECT_TRUE(walk->errors().empty());
    EXPECT_EQ(walk->failure(), nullptr);
    EXPECT_GE(walk->progress().entries(), 1000U);
    EXPECT_EQ(walk->progress().threads, 0U);
    EXPECT_EQ(tally->flushed, tally->sinks) << "what was found is handed over";
    expect_all_gone();
}

TEST_F(WalkCancel, MayBeCancelledByManyThreadsManyTimes) {
    begin(endless);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([this] {
            for (int again = 0; again < 100; ++again) {
                walk->cancel();
                EXPECT_TRUE(walk->cancelled());
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(walk->wait_finished(patience));
    expect_all_gone();
}

TEST_F(WalkCancel, EndsWhenDestroyedInTheMiddle) {
    begin(endless);
    await_entries();
    expect_all_gone();
}

TEST_F(WalkCancel, EndsWhenDestroyedAtOnce) {
    for (int i = 0; i < 50; ++i) {
        gone = std::make_shared<Awaited>();
        begin(endless);
        expect_all_gone();
    }
}

TEST_F(WalkCancel, EndsWhenDestroyedAtAnyMoment) {
    for (int moment = 1; moment <= 200; ++moment) {
        gone = std::make_shared<Awaited>();
        const auto calls = std::make_shared<std::atomic<int>>(0);
        begin({10, 1, 9}, [calls](const FaultyCall&) {
            ++*calls;
            return Fault{};
        });
        while (*calls < 10 * moment) std::this_thread::yield();
        expect_all_gone();
    }
}

TEST_F(WalkCancel, EndsInTheMiddleOfALongSlowRangeOfNames) {
    begin({0, 100'000, 0}, [](const FaultyCall& call) {
        return Fault{0, milliseconds(call.operation == Operation::stat ? 5 : 0), false};
    });
    ASSERT_EQ(walk->wait_started(patience), 0);
    expect_all_gone();
}

TEST_F(WalkCancel, EndsWhileItWaitsForDescriptors) {
    const auto refused = std::make_shared<Awaited>();
    begin({10, 1, 1}, [refused](const FaultyCall& call) {
        if (call.operation != Operation::open || call.path == "t") return Fault{};
        refused->add();
        return Fault{EMFILE, {}, false};
    });
    ASSERT_TRUE(refused->reaches(1));
    expect_all_gone();
}

TEST_F(WalkCancel, LeavesACallThatHangsBehindAndItsReleaseIsClean) {
    const auto hanging = std::make_shared<Awaited>();
    begin({2, 2, 1}, [hanging](const FaultyCall& call) {
        if (call.operation != Operation::read || call.path == "t") return Fault{};
        hanging->add();
        return hang;
    });
    ASSERT_TRUE(hanging->reaches(1));
    walk->close();
    EXPECT_TRUE(walk->wait_finished(nanoseconds(0)));
    walk.reset();
    EXPECT_EQ(gone->value(), 0) << "its thread is still in the call";
    fs->release();
    fs.reset();
    EXPECT_TRUE(gone->reaches(1));
}

TEST_F(WalkCancel, ATopThatHangsIsLeftBehindToo) {
    begin({2, 2, 1}, fault_at(Operation::open, "t", hang));
    EXPECT_EQ(walk->wait_started(milliseconds(10)), std::nullopt);
    walk->close();
    EXPECT_TRUE(walk->wait_started(nanoseconds(0)).has_value());
    EXPECT_NE(walk->wait_started(nanoseconds(0)), 0);
    fs->release();
    walk.reset();
    fs.reset();
    EXPECT_TRUE(gone->reaches(1));
}

TEST_F(WalkCancel, StaysReadableAfterItIsClosedAndMayBeClosedAgain) {
    begin(endless);
    await_entries();
    walk->close();
    walk->close();
    EXPECT_TRUE(walk->wait_finished(nanoseconds(0)));
    const WalkProgress progress = walk->progress();
    EXPECT_GE(progress.entries(), 1000U);
    EXPECT_EQ(progress.entries(), walk->progress().entries()) << "nothing moves any more";
    EXPECT_TRUE(walk->errors().empty());
    EXPECT_EQ(walk->top(), "t");
    expect_all_gone();
}

TEST_F(WalkCancel, WakesThoseWhoWaitForIt) {
    begin(endless, fault_at(Operation::open, "t", {0, milliseconds(50), false}));
    auto started = std::async(std::launch::async, [&] { return walk->wait_started(patience); });
    auto finished = std::async(std::launch::async, [&] { return walk->wait_finished(patience); });
    walk->cancel();
    EXPECT_TRUE(started.get().has_value());
    EXPECT_TRUE(finished.get());
    expect_all_gone();
}

TEST_F(WalkCancel, TellsThatItHasEnded) {
    begin(endless);
    const auto calls = std::make_shared<Awaited>();
    walk->on_finished([calls] { calls->add(); });
    walk->cancel();
    EXPECT_TRUE(calls->reaches(1));
    expect_all_gone();
    EXPECT_EQ(calls->value(), 1);
}

TEST_F(WalkCancel, ACompleteWalkIsNotCancelledByItsEnd) {
    begin({1, 1, 1});
    ASSERT_TRUE(walk->wait_finished(patience));
    EXPECT_FALSE(walk->cancelled());
    expect_all_gone();
}

TEST(WalkCancelPosix, ClosesEveryDescriptor) {
    const testing::TemporaryDirectory tree;
    for (int i = 0; i < 200; ++i)
        tree.add_directory("a" + std::to_string(i % 10) + "/b" + std::to_string(i));
    for (int i = 0; i < 20; ++i) {
        Walk walk(make_posix_file_system(), tree.path(), {}, into(std::make_shared<Tally>()));
        EXPECT_EQ(walk.wait_started(patience), 0);
    }
    EXPECT_EQ(open_descriptors(tree), 0U);
}

}  // namespace
}  // namespace filetree
