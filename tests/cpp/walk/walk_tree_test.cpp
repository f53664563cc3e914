// Walks of real trees, compared with what the C++ library and lstat say of them.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "filetree/posix_fs.hpp"
#include "support/faults.hpp"
#include "support/limits.hpp"
#include "support/tally.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using testing::open_descriptors;
using testing::patience;
using testing::scaled;
using testing::TemporaryDirectory;
using testing::walk_all;
using testing::Walked;

std::set<std::string> paths_by_the_library(const std::string& top) {
    std::set<std::string> paths{top};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
        paths.insert(entry.path().native());
    }
    return paths;
}

// Directories `depth` deep, `width` wide, with `files` files in each.
void add_bush(const TemporaryDirectory& tree, const std::string& at, int depth, int width,
              int files) {
    for (int i = 0; i < files; ++i) tree.add_file(at + "/f" + std::to_string(i));
    for (int i = 0; depth > 0 && i < width; ++i) {
        const std::string below = at + "/d" + std::to_string(i);
        std::filesystem::create_directory(tree / below);
        add_bush(tree, below, depth - 1, width, files);
    }
}

void expect_same_as_lstat(const std::string& path, const Attributes& a) {
    SCOPED_TRACE(path);
    struct stat expected {};
    ASSERT_EQ(::lstat(path.c_str(), &expected), 0);
    EXPECT_EQ(a.inode, expected.st_ino);
    EXPECT_EQ(a.device, expected.st_dev);
    EXPECT_EQ(a.mode, expected.st_mode);
    EXPECT_EQ(a.links, expected.st_nlink);
    EXPECT_EQ(a.size, static_cast<std::uint64_t>(expected.st_size));
    EXPECT_EQ(a.blocks, static_cast<std::uint64_t>(expected.st_blocks));
    EXPECT_EQ(a.mtime.seconds, expected.st_mtim.tv_sec);
    EXPECT_EQ(a.mtime.nanoseconds, expected.st_mtim.tv_nsec);
}

TEST(WalkTree, FindsWhatTheLibraryFindsWithTheAttributesThatLstatGives) {
    const TemporaryDirectory tree;
    add_bush(tree, ".", 3, 4, 3);
    tree.add_file("new\nline and \"quotes\" and \xff");
    tree.add_directory("empty");
    tree.add_directory(std::string(255, 'd'));
    std::filesystem::create_directory_symlink("d0", tree / "link");
    std::filesystem::create_symlink("link to itself", tree / "link to itself");
    ASSERT_EQ(::mkfifo((tree / "fifo").c_str(), 0600), 0);
    const Walked walked = walk_all(make_posix_file_system(), tree.path());
    ASSERT_TRUE(walked.finished);
    EXPECT_TRUE(walked.errors.empty());
    EXPECT_EQ(walked.found->paths(), paths_by_the_library(tree.path()));
    EXPECT_TRUE(walked.found->repeated.empty());
    for (const auto& [path, seen] : walked.found->entries) {
        expect_same_as_lstat(path, seen.attributes);
    }
    for (const auto& [path, seen] : walked.found->directories) {
        expect_same_as_lstat(path, seen.attributes);
        EXPECT_EQ(seen.totals.state, DirectoryTotals::State::complete);
    }
    const auto kind = [&](EntryType type) {
        return walked.progress.kinds[static_cast<std::size_t>(type)];
    };
    EXPECT_EQ(kind(EntryType::symlink), 2U);
    EXPECT_EQ(kind(EntryType::fifo), 1U);
    EXPECT_EQ(kind(EntryType::directory), walked.found->directories.size());
    EXPECT_EQ(walked.progress.entries(), walked.found->paths().size());
}

TEST(WalkTree, FollowsASymlinkAtTheTopAndNowhereElse) {
    const TemporaryDirectory tree;
    tree.add_directory("real");
    tree.add_file("real/a");
    std::filesystem::create_directory_symlink("real", tree / "top");
    std::filesystem::create_directory_symlink("..", tree / "real/up");
    const std::string top = tree / "top";
    const Walked walked = walk_all(make_posix_file_system(), top);
    EXPECT_EQ(walked.found->paths(), (std::set<std::string>{top, top + "/a", top + "/up"}));
    EXPECT_EQ(walked.found->directories.size(), 1U);
}

TEST(WalkTree, GoesDeeperThanAnyPathMayBeLong) {
    const TemporaryDirectory tree(TemporaryDirectory::Place::in_memory);
    const std::size_t depth = testing::scaled(2'500);  // 15 KB of names at least
    const std::string name(60, 'n');
    tree.add_chain(name, depth);
    for (const std::size_t budget : {std::size_t{0}, std::size_t{8}}) {
        SCOPED_TRACE(budget);
        const Walked walked = walk_all(make_posix_file_system({false, budget}), tree.path());
        ASSERT_TRUE(walked.finished);
        EXPECT_TRUE(walked.errors.empty());
        EXPECT_EQ(walked.found->directories.size(), depth + 1);
        EXPECT_EQ(walked.found->entries.size(), depth);
        std::size_t longest = 0;
        for (const auto& [path, seen] : walked.found->entries) {
            longest = std::max(longest, path.size());
        }
        EXPECT_EQ(longest, tree.path().size() + depth * (name.size() + 1) + 2);
    }
}

TEST(WalkTree, StaysWithinItsDescriptorBudget) {
    const TemporaryDirectory tree(TemporaryDirectory::Place::in_memory);
    add_bush(tree, ".", 4, 5, 2);
    tree.add_chain("chain", 300);
    std::filesystem::create_directory(tree / "wide");
    for (int i = 0; i < 3000; ++i)
        std::filesystem::create_directory(tree / ("wide/" + std::to_string(i)));
    const std::size_t expected = paths_by_the_library(tree.path()).size();
    for (const std::size_t budget : {8U, 12U, 16U, 24U, 64U, 200U}) {
        SCOPED_TRACE(budget);
        const auto fs = std::make_shared<FaultyFileSystem>(
            make_posix_file_system(), [](const FaultyCall& call) {
                // A little latency, so that the engine uses all the threads that it may.
                const bool slow = call.operation == Operation::open;
                return Fault{0, std::chrono::microseconds(slow ? 200 : 0), false};
            });
        fs->set_descriptor_budget(budget);
        const Walked walked = walk_all(fs, tree.path());
        ASSERT_TRUE(walked.finished);
        EXPECT_TRUE(walked.errors.empty());
        EXPECT_EQ(walked.found->paths().size(), expected);
        EXPECT_LE(fs->most_open_directories(), budget);
    }
}

// What no one can work within is taken for the least that one can.
TEST(WalkTree, ABudgetOfNextToNothingIsNotTakenForOneWithoutEnd) {
    const SyntheticTree deep{2, 0, 12};
    for (const std::size_t budget : {1U, 2U, 3U}) {
        SCOPED_TRACE(budget);
        const auto fs = testing::faulty(deep, [](const FaultyCall&) { return Fault{}; });
        fs->set_descriptor_budget(budget);
        const Walked walked = walk_all(fs, "t");
        ASSERT_TRUE(walked.finished);
        EXPECT_EQ(walked.found->directories.size(), deep.total_directories() + 1);
        EXPECT_LE(fs->most_open_directories(), 8U);
    }
}

TEST(WalkTree, WorksWithTheDescriptorsThatALowLimitLeaves) {
    const TemporaryDirectory tree(TemporaryDirectory::Place::in_memory);
    add_bush(tree, ".", 3, 6, 1);
    tree.add_chain("chain", 200);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit low{64, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    const Walked walked = walk_all(make_posix_file_system(), tree.path());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_TRUE(walked.finished);
    EXPECT_TRUE(walked.errors.empty());
    EXPECT_EQ(walked.found->paths(), paths_by_the_library(tree.path()));
}

TEST(WalkTree, HasNothingOpenWhenItHasEnded) {
    const TemporaryDirectory tree(TemporaryDirectory::Place::in_memory);
    add_bush(tree, ".", 2, 4, 3);
    for (int i = 0; i < 3000; ++i) tree.add_file("d0/wide" + std::to_string(i));
    for (int i = 0; i < 10; ++i) {
        Walk walk(make_posix_file_system(), tree.path(), {},
                  testing::into(std::make_shared<testing::Tally>()));
        ASSERT_TRUE(walk.wait_finished(patience));
        EXPECT_EQ(open_descriptors(tree), 0U) << "while the walk can still be asked";
    }
    EXPECT_EQ(open_descriptors(tree), 0U);
}

TEST(WalkTree, HasNothingOpenWhenItHasBeenClosed) {
    const TemporaryDirectory tree(TemporaryDirectory::Place::in_memory);
    add_bush(tree, ".", 4, 6, 3);
    for (int i = 0; i < 10; ++i) {
        Walk walk(make_posix_file_system(), tree.path(), {},
                  testing::into(std::make_shared<testing::Tally>()));
        ASSERT_EQ(walk.wait_started(patience), 0);
        walk.close();
        EXPECT_EQ(open_descriptors(tree), 0U) << "while the walk can still be asked";
    }
}

// What is removed meanwhile has vanished; whatever the moment, it is no error.
TEST(WalkTree, SurvivesARemovalOfTheTreeUnderIt) {
    for (int again = 0; again < 5; ++again) {
        const TemporaryDirectory tree(TemporaryDirectory::Place::in_memory);
        std::filesystem::create_directory(tree / "bush");
        add_bush(tree, "bush", 4, static_cast<int>(scaled(6, 2)), 3);
        const auto fs =
            std::make_shared<FaultyFileSystem>(make_posix_file_system(), [](const FaultyCall&) {
                return Fault{0, std::chrono::microseconds(50), false};
            });
        const auto found = std::make_shared<testing::Collection>();
        Walk walk(fs, tree.path(), {}, testing::into(found));
        while (walk.progress().entries() < 100 &&
               !walk.wait_finished(std::chrono::milliseconds(1))) {
        }
        std::filesystem::remove_all(tree / "bush");
        ASSERT_TRUE(walk.wait_finished(patience));
        EXPECT_EQ(testing::texts(walk.errors()), std::vector<std::string>{});
        EXPECT_GE(found->paths().size(), 100U);
        EXPECT_TRUE(found->repeated.empty());
    }
}

// A directory swapped for a symlink must lead nowhere.
TEST(WalkTree, IsNotLedAstrayByADirectorySwappedForASymlink) {
    const TemporaryDirectory outside;
    outside.add_file("secret");
    const TemporaryDirectory tree;
    tree.add_directory("d");
    const std::string d = tree / "d";
    const auto fs =
        std::make_shared<FaultyFileSystem>(make_posix_file_system(), [&](const FaultyCall& call) {
            if (call.operation == Operation::open && call.path == d) {
                std::filesystem::remove(d);
                std::filesystem::create_directory_symlink(outside.path(), d);
            }
            return Fault{};
        });
    const Walked walked = walk_all(fs, tree.path());
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(walked.found->paths(), std::set<std::string>{tree.path()});
    EXPECT_EQ(walked.progress.vanished, 1U);
    EXPECT_TRUE(walked.errors.empty());
}

}  // namespace
}  // namespace filetree
