// What a walk is told to leave out.

#include <gtest/gtest.h>

#include "filetree/posix_fs.hpp"
#include "support/faults.hpp"
#include "support/tally.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using testing::TemporaryDirectory;
using testing::walk_all;
using testing::Walked;

using Paths = std::set<std::string>;

class WalkOptionsTest : public ::testing::Test {
   protected:
    // Paths found, without the top's.
    Paths find(const WalkOptions& options) { return find_below(tree.path(), options); }
    Paths find_below(const std::string& top, const WalkOptions& options) {
        walked = walk_all(make_posix_file_system(), top, options);
        EXPECT_TRUE(walked.finished);
        EXPECT_TRUE(walked.errors.empty());
        Paths out;
        for (const std::string& path : walked.found->paths()) {
            EXPECT_TRUE(path.starts_with(top));
            if (path != top) out.insert(path.substr(top.size() + 1));
        }
        return out;
    }
    [[nodiscard]] const DirectoryTotals& totals(const std::string& name = {}) const {
        return walked.found->directories.at(tree.path() + (name.empty() ? "" : "/" + name)).totals;
    }

    TemporaryDirectory tree;
    Walked walked;
};

TEST_F(WalkOptionsTest, MaxDepthLeavesOutDirectoriesThatAreTooDeep) {
    tree.add_directory("a/b/c");
    tree.add_file("a/f");
    tree.add_file("a/b/f");
    WalkOptions options;
    EXPECT_EQ(find(options), (Paths{"a", "a/f", "a/b", "a/b/f", "a/b/c"}));
    options.max_depth = 1;
    EXPECT_EQ(find(options), (Paths{"a", "a/f"}));
    EXPECT_EQ(totals("a").file_count, 2U) << "what is left out is counted all the same";
    options.max_depth = 2;
    EXPECT_EQ(find(options), (Paths{"a", "a/f", "a/b", "a/b/f"}));
}

TEST_F(WalkOptionsTest, SnapshotsAreLeftOutButCounted) {
    tree.add_directory(".snapshot/hourly");
    tree.add_directory("a/.snapshot/daily");
    tree.add_directory("a/.snapshots");
    tree.add_file("a/f", 10);
    EXPECT_EQ(find({}), (Paths{"a", "a/f", "a/.snapshots"}));
    EXPECT_EQ(totals("a").file_count, 3U);
    EXPECT_GT(totals("a").size_sum, 10U) << "the size of a skipped .snapshot is in the sum";
    WalkOptions options;
    options.ignore_snapshots = false;
    EXPECT_EQ(find(options), (Paths{"a", "a/f", "a/.snapshots", "a/.snapshot", "a/.snapshot/daily",
                                    ".snapshot", ".snapshot/hourly"}));
}

TEST_F(WalkOptionsTest, AFileOfThatNameIsNoSnapshotAndATopOfThatNameIsWalked) {
    tree.add_directory(".snapshot");
    tree.add_file(".snapshot/.snapshot");
    EXPECT_EQ(find_below(tree / ".snapshot", {}), Paths{".snapshot"});
}

TEST_F(WalkOptionsTest, ExcludedPathsAreLeftOutWithWhatIsBelow) {
    tree.add_directory("a/b");
    tree.add_directory("ab");
    tree.add_directory("c/a");
    tree.add_file("a/b/f");
    tree.add_file("c/f", 7);
    tree.add_file("c/g", 5);
    WalkOptions options;
    options.exclude = {tree / "a", tree / "c/f/", tree / "nothing"};
    EXPECT_EQ(find(options), (Paths{"ab", "c", "c/a", "c/g"}));
    EXPECT_EQ(totals().file_count, 3U);
    EXPECT_EQ(totals("c").file_count, 3U);
    EXPECT_GE(totals("c").size_sum, 12U);
    EXPECT_EQ(walked.progress.entries(), 5U);
}

TEST_F(WalkOptionsTest, ExclusionWorksDeepBelowAndForNamesOfAnyBytes) {
    tree.add_directory("a/b/\xff\n");
    tree.add_directory("a/b/x");
    WalkOptions options;
    options.exclude = {tree / "a//./b/\xff\n"};
    EXPECT_EQ(find(options), (Paths{"a", "a/b", "a/b/x"}));
}

TEST_F(WalkOptionsTest, WithoutAttributesTheSameIsFoundWithTypesOnly) {
    tree.add_directory("a/b");
    tree.add_file("a/f", 100);
    std::filesystem::create_symlink("f", tree / "a/link");
    const Paths all = find({});
    const auto kinds = walked.progress.kinds;
    WalkOptions options;
    options.attributes = false;
    EXPECT_EQ(find(options), all);
    EXPECT_EQ(walked.progress.kinds, kinds);
    EXPECT_EQ(walked.found->entries.at(tree / "a/link").attributes.mode >> 12U,
              static_cast<unsigned>(EntryType::symlink));
    options.one_file_system = true;
    EXPECT_EQ(find(options), all) << "nothing here is on another mount";
}

TEST(WalkWithoutAttributes, StatsNothingWhereTheListingTellsTheType) {
    const SyntheticTree tree{3, 50, 2};
    std::atomic<int> stats{0};
    const auto fs = testing::faulty(tree, [&stats](const FaultyCall& call) {
        if (call.operation == Operation::stat) ++stats;
        return Fault{};
    });
    WalkOptions options;
    options.attributes = false;
    const Walked walked = walk_all(fs, "t", options);
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(stats, 0);
    EXPECT_EQ(walked.found->paths().size(), tree.total_files() + tree.total_directories() + 1);
    EXPECT_TRUE(walked.found->repeated.empty());
}

}  // namespace
}  // namespace filetree
