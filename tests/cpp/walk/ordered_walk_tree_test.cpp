// Ordered walks of real trees, step by step beside a serial os.walk.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "filetree/posix_fs.hpp"
#include "support/altered_fs.hpp"
#include "support/driven_walk.hpp"
#include "support/ordered_walk_kinds.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using std::chrono::nanoseconds;
using testing::Between;
using testing::both_orders;
using testing::DrivenWalk;
using testing::expect_as_serial;
using testing::real_source;
using testing::settle_each;
using testing::TemporaryDirectory;
using testing::untyped;
using testing::Visit;
using Counts = OrderedWalk::Counts;

// A tree with all that os.walk distinguishes.
class OrderedWalkOfRealTrees : public ::testing::Test {
   protected:
    void SetUp() override {
        for (const char* name : {"a/b/c", "a/.snapshot/x", ".snapshot/y/z", "empty", "n\new",
                                 "\xff\xfe/\x01", ".hidden/sub", "linked/deep/er"}) {
            tree.add_directory(name);
        }
        for (const char* name : {"f", "a/f1", "a/b/f2", "a/b/c/.snapshot", "linked/f3", "ü"}) {
            tree.add_file(name);
        }
        const auto link = [&](const char* to, const char* name) {
            std::filesystem::create_symlink(to, tree / name);
        };
        link("linked", "to_directory");
        link("f", "to_file");
        link("nowhere", "dangling");
        link("myself", "myself");
        link("../..", "a/b/up");
        link("../linked", "a/to_linked");
        link("../linked", ".hidden/.snapshot");
        ASSERT_EQ(::mkfifo((tree / "fifo").c_str(), 0600), 0);
    }

    Counts expect_real(const OrderedWalkOptions& options, const Between& between = {},
                       const std::string& top = {}) const {
        return expect_as_serial(fs, real_source(), top.empty() ? tree.path() : top, options,
                                between);
    }

    TemporaryDirectory tree;
    std::shared_ptr<FileSystem> fs = make_posix_file_system();
};

TEST_F(OrderedWalkOfRealTrees, GivesWhatASerialWalkGives) {
    for (const unsigned threads : {1U, 3U}) {
        for (OrderedWalkOptions options : both_orders(threads)) {
            for (const bool ignore : {false, true}) {
                options.ignore_snapshots = ignore;
                options.settling_time = std::chrono::hours(1);
                const Counts recent = expect_real(options, settle_each);
                EXPECT_EQ(recent.reused, 0U) << "the tree has just been made";
                EXPECT_GT(recent.reread + recent.direct, 10U);
                // Nothing will change any more.
                OrderedWalkOptions at_once = options;
                at_once.settling_time = nanoseconds(0);
                const Counts settled = expect_real(at_once, settle_each);
                EXPECT_EQ(settled.reused > 5, threads > 1);
            }
        }
    }
}

TEST_F(OrderedWalkOfRealTrees, GivesTheSameWhereTypesAreLeftToLstat) {
    fs = untyped(fs);
    for (const OrderedWalkOptions& options : both_orders(3)) expect_real(options, settle_each);
}

TEST_F(OrderedWalkOfRealTrees, EntersWhatSymlinksLeadToWhenAskedTo) {
    std::filesystem::remove(tree / "a/b/up");
    for (const unsigned threads : {1U, 3U}) {
        for (OrderedWalkOptions options : both_orders(threads)) {
            options.followlinks = true;
            for (const bool ignore : {false, true}) {
                options.ignore_snapshots = ignore;
                options.settling_time = nanoseconds(0);
                const Counts counts = expect_real(options, settle_each);
                if (threads > 1) {
                    EXPECT_GT(counts.reused, 5U);
                }
            }
        }
    }
}

TEST_F(OrderedWalkOfRealTrees, GoesRoundALoopAsOftenAsTheSystemPermits) {
    const TemporaryDirectory loop;
    loop.add_directory("a");
    std::filesystem::create_symlink("..", loop / "a/up");
    for (OrderedWalkOptions options : both_orders(3)) {
        options.followlinks = true;
        std::size_t deepest = 0;
        const auto note = [&](const Visit& visit, DrivenWalk& walk) {
            deepest = std::max(deepest, visit.depth);
            walk.settle();
        };
        expect_real(options, note, loop.path());
        EXPECT_GT(deepest, 50U) << "40 symlinks, and a directory beside each";
    }
}

TEST_F(OrderedWalkOfRealTrees, TheTopMayBeASymlinkOrASnapshotOrEndWithASlash) {
    std::filesystem::create_directory_symlink("a", tree / "top");
    for (const OrderedWalkOptions& options : both_orders(2)) {
        expect_real(options, settle_each, tree / "top");
        expect_real(options, settle_each, tree / ".snapshot");
        expect_real(options, settle_each, tree / "a/");
    }
}

TEST_F(OrderedWalkOfRealTrees, ATopThatCannotBeListedIsOneFailure) {
    for (const OrderedWalkOptions& options : both_orders(2)) {
        for (const char* name : {"f", "fifo", "missing", "dangling", "myself"}) {
            DrivenWalk walk(fs, tree / name, options);
            const auto visit = walk.next();
            ASSERT_TRUE(visit);
            EXPECT_NE(visit->error, 0);
            EXPECT_EQ(visit->path, tree / name);
            EXPECT_EQ(visit->depth, 0U);
            EXPECT_FALSE(walk.next());
            expect_real(options, {}, tree / name);
        }
    }
}

TEST_F(OrderedWalkOfRealTrees, GoesThroughProc) {
    if (!std::filesystem::exists("/proc/self/attr")) GTEST_SKIP() << "no /proc";
    OrderedWalkOptions options;
    options.max_threads = 3;
    DrivenWalk walk(fs, "/proc/self/attr", options);
    const auto visit = walk.next();
    ASSERT_TRUE(visit);
    EXPECT_EQ(visit->error, 0);
    EXPECT_FALSE(visit->others.empty());
    walk.settle();
    while (walk.next()) walk.settle();
    EXPECT_EQ(walk.core().counts().reused, 0U) << "what is not dated cannot be checked";
}

}  // namespace
}  // namespace filetree
