// Walks of sound trees.

#include "filetree/walk.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <stdexcept>
#include <thread>

#include "filetree/faulty_fs.hpp"
#include "filetree/posix_fs.hpp"
#include "filetree/synthetic_fs.hpp"
#include "support/awaited.hpp"
#include "support/limits.hpp"
#include "support/tally.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using std::chrono::nanoseconds;
using testing::Awaited;
using testing::Collection;
using testing::into;
using testing::patience;
using testing::scaled;
using testing::Tally;
using testing::walk_all;

void expect_all_of(const SyntheticTree& tree, Tally& tally) {
    EXPECT_EQ(tally.entries, tree.total_files());
    EXPECT_EQ(tally.bytes, tree.total_file_bytes());
    EXPECT_EQ(tally.directories, tree.total_directories() + 1);
    EXPECT_EQ(tally.listed, tree.total_files() + tree.total_directories());
    EXPECT_EQ(tally.unreadable, 0U);
    EXPECT_EQ(tally.distinct(), tree.total_files() + tree.total_directories() + 1)
        << "each entry exactly once";
    EXPECT_EQ(tally.flushed, tally.sinks);
    EXPECT_GT(tally.sinks, 0);
}

void expect_progress_of(const SyntheticTree& tree, const WalkProgress& progress) {
    EXPECT_EQ(progress.directories, tree.total_directories() + 1);
    EXPECT_EQ(progress.kinds[static_cast<std::size_t>(EntryType::regular)], tree.total_files());
    EXPECT_EQ(progress.entries(), tree.total_files() + tree.total_directories() + 1);
    EXPECT_EQ(progress.bytes, tree.total_file_bytes() +
                                  (tree.total_directories() + 1) * SyntheticTree::directory_size);
    EXPECT_EQ(progress.errors, 0U);
    EXPECT_EQ(progress.vanished, 0U);
    EXPECT_EQ(progress.threads, 0U);
    EXPECT_GE(progress.threads_peak, 1U);
    EXPECT_GT(progress.elapsed.count(), 0);
}

void expect_complete_walk(const SyntheticTree& tree, const WalkOptions& options = {}) {
    const auto tally = std::make_shared<Tally>();
    Walk walk(make_synthetic_file_system(tree), "t", options, into(tally));
    ASSERT_TRUE(walk.wait_finished(patience));
    EXPECT_EQ(walk.failure(), nullptr);
    EXPECT_TRUE(walk.errors().empty());
    EXPECT_FALSE(walk.cancelled());
    expect_progress_of(tree, walk.progress());
    expect_all_of(tree, *tally);
}

TEST(Walk, FindsEveryEntryOfTreesOfEveryShape) {
    for (const SyntheticTree tree :
         {SyntheticTree{0, 0, 0}, SyntheticTree{0, 1, 0}, SyntheticTree{1, 0, 300},
          SyntheticTree{2, 1, 10}, SyntheticTree{10, 100, 2}, SyntheticTree{3000, 1, 1},
          SyntheticTree{5, 5000, 1}, SyntheticTree{1, 1024, 3}, SyntheticTree{1, 1025, 3}}) {
        SCOPED_TRACE(::testing::Message() << tree.directories << " directories, " << tree.files
                                          << " files, depth " << tree.depth);
        expect_complete_walk(tree);
    }
}

TEST(Walk, FindsTwoMillionFiles) { expect_complete_walk(synthetic_tree_of(scaled(2'000'000))); }

TEST(Walk, FindsAMillionFilesInOneDirectory) {
    expect_complete_walk({0, static_cast<std::uint32_t>(scaled(1'000'000)), 0});
}

TEST(Walk, FindsTheSameWithAnyNumberOfThreads) {
    for (const unsigned threads : {1U, 2U, 7U, 40U}) {
        WalkOptions options;
        options.max_threads = threads;
        expect_complete_walk({6, 300, 3}, options);
    }
}

TEST(Walk, HandsADirectoryOverAfterItsEntriesWithTheirCountAndSizes) {
    const SyntheticTree tree{3, 2500, 2};
    const auto walked = walk_all(make_synthetic_file_system(tree), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_TRUE(walked.found->too_late.empty());
    EXPECT_TRUE(walked.found->repeated.empty());
    const std::uint64_t bytes = SyntheticTree{0, 2500, 0}.total_file_bytes();
    ASSERT_EQ(walked.found->directories.size(), 13U);
    for (const auto& [path, seen] : walked.found->directories) {
        SCOPED_TRACE(path);
        const bool last_level = seen.depth == 1;
        EXPECT_EQ(seen.totals.state, DirectoryTotals::State::complete);
        EXPECT_TRUE(seen.totals.opened);
        EXPECT_EQ(seen.totals.file_count, last_level ? 2500U : 2503U);
        EXPECT_EQ(seen.totals.size_sum,
                  bytes + (last_level ? 0 : 3 * SyntheticTree::directory_size));
    }
}

TEST(Walk, GivesPathsDepthsAndParents) {
    const auto walked = walk_all(make_synthetic_file_system({1, 1, 2}), "some/top/");
    ASSERT_TRUE(walked.finished);
    const auto& directories = walked.found->directories;
    const auto& entries = walked.found->entries;
    const std::set<std::string> expected{"some/top/",       "some/top//f0.dat",
                                         "some/top//d0",    "some/top//d0/f0.dat",
                                         "some/top//d0/d0", "some/top//d0/d0/f0.dat"};
    ASSERT_EQ(walked.found->paths(), expected);
    EXPECT_EQ(directories.at("some/top/").depth, -1);
    EXPECT_EQ(directories.at("some/top/").parent_inode, 0U);
    EXPECT_EQ(directories.at("some/top//d0").depth, 0);
    EXPECT_EQ(directories.at("some/top//d0").parent_inode,
              directories.at("some/top/").attributes.inode);
    EXPECT_EQ(directories.at("some/top//d0/d0").depth, 1);
    EXPECT_EQ(entries.at("some/top//f0.dat").depth, 0);
    EXPECT_EQ(entries.at("some/top//d0/d0/f0.dat").depth, 2);
    EXPECT_EQ(entries.at("some/top//d0/d0/f0.dat").parent_inode,
              directories.at("some/top//d0/d0").attributes.inode);
}

TEST(Walk, ManyCanRunAtOnce) {
    std::vector<std::future<void>> walks;
    for (int i = 0; i < 16; ++i) {
        walks.push_back(std::async(std::launch::async, [] { expect_complete_walk({4, 50, 3}); }));
    }
    for (auto& walk : walks) walk.get();
}

TEST(Walk, ProgressOnlyGrows) {
    const auto tally = std::make_shared<Tally>();
    const SyntheticTree tree = synthetic_tree_of(scaled(500'000));
    Walk walk(make_synthetic_file_system(tree), "t", {}, into(tally));
    WalkProgress before;
    bool finished = false;
    while (!finished) {
        finished = walk.wait_finished(std::chrono::milliseconds(1));
        const WalkProgress now = walk.progress();
        EXPECT_GE(now.entries(), before.entries());
        EXPECT_GE(now.directories, before.directories);
        EXPECT_GE(now.bytes, before.bytes);
        EXPECT_GE(now.threads_peak, before.threads_peak);
        EXPECT_GE(now.elapsed, before.elapsed);
        before = now;
        if (now.elapsed > patience) FAIL() << "the walk does not end";
    }
    EXPECT_EQ(walk.progress().elapsed, walk.progress().elapsed) << "the clock stops at the end";
    expect_progress_of(tree, walk.progress());
}

TEST(Walk, TellsADirectoryBeingWorkedOn) {
    const auto hanging = std::make_shared<Awaited>();
    const auto fs = std::make_shared<FaultyFileSystem>(
        make_synthetic_file_system({1, 0, 1}), [hanging](const FaultyCall& call) {
            const bool hangs = call.path == "t/d0" && call.operation == Operation::read;
            if (hangs) hanging->add();
            return Fault{0, {}, hangs};
        });
    Walk walk(fs, "t", {}, into(std::make_shared<Tally>()));
    ASSERT_TRUE(hanging->reaches(1));
    EXPECT_EQ(walk.progress().path, "t/d0");
    EXPECT_EQ(walk.progress().threads, 1U);
    fs->release();
    ASSERT_TRUE(walk.wait_finished(patience));
}

TEST(Walk, TellsWhetherItsTopCouldBeOpened) {
    const testing::TemporaryDirectory tree;
    tree.add_file("plain");
    std::filesystem::create_symlink("loop", tree / "loop");
    const auto started = [&](const std::string& top) {
        const auto tally = std::make_shared<Tally>();
        Walk walk(make_posix_file_system(), top, {}, into(tally));
        const auto error = walk.wait_started(patience);
        EXPECT_TRUE(walk.wait_finished(patience));
        EXPECT_EQ(walk.wait_started(nanoseconds(0)), error) << "and tells it again";
        EXPECT_EQ(tally->directories, error == 0 ? 1U : 0U);
        EXPECT_EQ(walk.progress().entries(), error == 0 ? 2U + 1U : 0U);
        return error;
    };
    EXPECT_EQ(started(tree.path()), 0);
    EXPECT_EQ(started(tree / "missing"), ENOENT);
    EXPECT_EQ(started(tree / "plain"), ENOTDIR);
    EXPECT_EQ(started(tree / "loop"), ELOOP);
}

TEST(Walk, DoesNotSayThatItHasStartedBeforeItHas) {
    const auto fs = std::make_shared<FaultyFileSystem>(make_synthetic_file_system({1, 1, 1}),
                                                       [](const FaultyCall&) {
                                                           return Fault{0, {}, true};
                                                       });
    Walk walk(fs, "t", {}, into(std::make_shared<Tally>()));
    EXPECT_EQ(walk.wait_started(std::chrono::milliseconds(10)), std::nullopt);
    EXPECT_FALSE(walk.wait_finished(nanoseconds(0)));
    fs->release();
    EXPECT_EQ(walk.wait_started(patience), 0);
    EXPECT_TRUE(walk.wait_finished(patience));
}

TEST(Walk, CallsBackOnceAtTheEndOrAtOnceAfterIt) {
    const auto calls = std::make_shared<Awaited>();
    const auto fs = std::make_shared<FaultyFileSystem>(make_synthetic_file_system({1, 1, 1}),
                                                       [](const FaultyCall&) {
                                                           return Fault{0, {}, true};
                                                       });
    Walk walk(fs, "t", {}, into(std::make_shared<Tally>()));
    walk.on_finished([calls] { calls->add(); });
    EXPECT_EQ(calls->value(), 0);
    fs->release();
    ASSERT_TRUE(calls->reaches(1));
    walk.close();
    EXPECT_EQ(calls->value(), 1);
    bool late = false;
    walk.on_finished([&late] { late = true; });
    EXPECT_TRUE(late);
}

TEST(Walk, RefusesOptionsThatCannotBeUsed) {
    const auto begin = [](const WalkOptions& options) {
        const Walk walk(make_synthetic_file_system({0, 1, 0}), "/t", options,
                        into(std::make_shared<Tally>()));
    };
    WalkOptions options;
    options.max_inflight = 1'000'000;
    EXPECT_THROW(begin(options), std::invalid_argument);
    options = {};
    options.stall_timeout = nanoseconds(0);
    EXPECT_THROW(begin(options), std::invalid_argument);
    options = {};
    options.exclude = {"/t"};
    EXPECT_THROW(begin(options), std::invalid_argument);
}

// Latency, not work: the engine must add threads by itself.
TEST(Walk, AddsThreadsWhereTheStorageIsSlow) {
    const SyntheticTree tree{1000, 10, 1};
    const auto fs =
        std::make_shared<FaultyFileSystem>(make_synthetic_file_system(tree), [](const FaultyCall&) {
            return Fault{0, std::chrono::milliseconds(2), false};
        });
    const auto tally = std::make_shared<Tally>();
    WalkOptions options;
    options.max_threads = 2;
    Walk walk(fs, "t", options, into(tally));
    ASSERT_TRUE(walk.wait_finished(patience));
    EXPECT_GE(walk.progress().threads_peak, 16U);
    EXPECT_LE(walk.progress().threads_peak, 128U);
    expect_all_of(tree, *tally);
}

TEST(Walk, StaysWithinMaxInflight) {
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    const SyntheticTree tree{50, 5, 1};
    const auto fs = std::make_shared<FaultyFileSystem>(
        make_synthetic_file_system(tree), [&](const FaultyCall&) {
            const int now = ++inside;
            int before = most;
            while (now > before && !most.compare_exchange_weak(before, now)) {
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            --inside;
            return Fault{};
        });
    WalkOptions options;
    options.max_threads = 2;
    options.max_inflight = 5;
    const auto tally = std::make_shared<Tally>();
    Walk walk(fs, "t", options, into(tally));
    ASSERT_TRUE(walk.wait_finished(patience));
    EXPECT_LE(most, 5);
    EXPECT_LE(walk.progress().threads_peak, 5U);
    expect_all_of(tree, *tally);
}

TEST(AvailableCores, AreWhatSlurmGrantsElseTheAffinityMask) {
    ::setenv("SLURM_CPUS_ON_NODE", "3", 1);
    EXPECT_EQ(available_cores(), 3U);
    for (const char* nonsense : {"", "0", "many", "3x", "-1"}) {
        ::setenv("SLURM_CPUS_ON_NODE", nonsense, 1);
        EXPECT_GE(available_cores(), 1U);
        EXPECT_LE(available_cores(), std::thread::hardware_concurrency());
    }
    ::unsetenv("SLURM_CPUS_ON_NODE");
    EXPECT_GE(available_cores(), 1U);
}

}  // namespace
}  // namespace filetree
