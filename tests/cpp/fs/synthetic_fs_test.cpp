#include "filetree/synthetic_fs.hpp"

#include <gtest/gtest.h>

#include <set>

#include "support/call.hpp"

namespace filetree {
namespace {

using testing::Caller;
using testing::read_all;
using testing::stat_name;

struct Counts {
    std::uint64_t directories = 0;
    std::uint64_t files = 0;
    std::uint64_t file_bytes = 0;
    std::set<std::uint64_t> inodes;
};

void count(Directory& directory, CallContext& context, Counts& out) {
    Listing listing;
    ASSERT_EQ(read_all(directory, listing, context), 0);
    std::vector<StatResult> results(listing.size());
    ASSERT_EQ(directory.stat(listing, 0, listing.size(), StatMask::all, results.data(), context),
              listing.size());
    for (std::size_t i = 0; i < listing.size(); ++i) {
        ASSERT_EQ(results[i].error, 0);
        const Attributes& a = results[i].attributes;
        EXPECT_TRUE(out.inodes.insert(a.inode).second) << "two entries with one inode";
        EXPECT_EQ(a.is_directory(), listing.type(i) == EntryType::directory);
        if (!a.is_directory()) {
            ++out.files;
            out.file_bytes += a.size;
            continue;
        }
        ++out.directories;
        EXPECT_EQ(a.size, SyntheticTree::directory_size);
        const auto opened = directory.open(listing.c_str(i), context);
        ASSERT_EQ(opened.error, 0);
        count(*opened.value, context, out);
    }
}

class SyntheticFs : public ::testing::Test {
   protected:
    std::shared_ptr<Directory> open_top(const SyntheticTree& tree) {
        return make_synthetic_file_system(tree)->open("anything", caller.context).value;
    }
    Caller caller;
};

TEST_F(SyntheticFs, HoldsWhatItsClosedFormsSay) {
    for (const SyntheticTree tree :
         {SyntheticTree{0, 0, 0}, SyntheticTree{0, 7, 3}, SyntheticTree{1, 2, 9},
          SyntheticTree{3, 5, 4}, SyntheticTree{2, 3000, 1}, SyntheticTree{1500, 0, 1},
          SyntheticTree{3, 5, 3, 7}, SyntheticTree{0, 0, 0, 1}, SyntheticTree{2, 1023, 1, 3}}) {
        Counts counts;
        count(*open_top(tree), caller.context, counts);
        EXPECT_EQ(counts.directories, tree.total_directories());
        EXPECT_EQ(counts.files, tree.total_files());
        EXPECT_EQ(counts.file_bytes, tree.total_file_bytes());
    }
}

TEST_F(SyntheticFs, CountsABillionFilesWithoutStoringThem) {
    const SyntheticTree tree = synthetic_tree_of(1'000'000'000);
    EXPECT_EQ(tree.total_files(), 1'000'000'000U);
    EXPECT_LE(tree.files, 100U);
}

TEST_F(SyntheticFs, TheTreeOfANumberOfFilesHasExactlyThoseAndIsTheSmallestOfItsShape) {
    for (const std::uint64_t files : {0ULL, 1ULL, 99ULL, 100ULL, 101ULL, 12'345ULL, 1'000'000ULL}) {
        const SyntheticTree tree = synthetic_tree_of(files);
        EXPECT_EQ(tree.total_files(), files);
        if (tree.directories > 1) {
            SyntheticTree narrower{tree.directories - 1, 100, tree.depth};
            EXPECT_LT(narrower.total_files(), files);
        }
    }
}

TEST_F(SyntheticFs, AttributesDependOnThePathAlone) {
    const SyntheticTree tree{3, 5, 2};
    const auto read = [&] {
        const auto below = open_top(tree)->open("d2", caller.context);
        EXPECT_EQ(below.error, 0);
        return stat_name(*below.value, "f4.dat", caller.context).attributes;
    };
    const Attributes first = read();
    const Attributes again = read();
    EXPECT_EQ(first.inode, again.inode);
    EXPECT_EQ(first.mtime.seconds, again.mtime.seconds);
    EXPECT_EQ(first.size, SyntheticTree::file_size(4));
    EXPECT_NE(first.inode, stat_name(*open_top(tree), "f4.dat", caller.context).attributes.inode);
}

TEST_F(SyntheticFs, AnOpenedDirectoryHasTheAttributesThatItsParentGave) {
    const auto top = open_top({2, 1, 2});
    const StatResult seen = stat_name(*top, "d1", caller.context);
    const auto opened = top->open("d1", caller.context);
    ASSERT_EQ(seen.error, 0);
    ASSERT_EQ(opened.error, 0);
    EXPECT_EQ(opened.value->attributes(caller.context).attributes.inode, seen.attributes.inode);
}

TEST_F(SyntheticFs, KnowsNoNamesButItsOwn) {
    const auto top = open_top({2, 3, 1});
    for (const char* name : {"d2", "f3.dat", "f0", "d", "f.dat", "x0", "", "d0x", "d-1", "f00.dat",
                             "d01", "d4294967296", ".", ".."}) {
        SCOPED_TRACE(name);
        EXPECT_EQ(stat_name(*top, name, caller.context).error, ENOENT);
        EXPECT_EQ(top->open(name, caller.context).error, ENOENT);
    }
    EXPECT_EQ(top->open("f0.dat", caller.context).error, ENOTDIR);
    EXPECT_EQ(top->open("d1", caller.context).error, 0);
}

TEST_F(SyntheticFs, TheLastLevelHasNoDirectories) {
    const auto below = open_top({2, 3, 1})->open("d0", caller.context);
    ASSERT_EQ(below.error, 0);
    EXPECT_EQ(below.value->open("d0", caller.context).error, ENOENT);
    EXPECT_EQ(stat_name(*below.value, "f2.dat", caller.context).error, 0);
}

TEST_F(SyntheticFs, TheFirstDirectoriesLevelByLevelHaveTheSurplus) {
    const auto fs = make_synthetic_file_system({2, 3, 2, 4}, "/t");
    std::vector<std::string> with;
    for (const char* path : {"/t", "/t/d0", "/t/d1", "/t/d0/d0", "/t/d0/d1", "/t/d1/d0"}) {
        Listing listing;
        const auto opened = fs->open(path, caller.context);
        ASSERT_EQ(opened.error, 0);
        ASSERT_EQ(read_all(*opened.value, listing, caller.context), 0);
        const StatResult surplus = stat_name(*opened.value, "f3.dat", caller.context);
        EXPECT_EQ(surplus.error == 0, listing.name(listing.size() - 1) == "f3.dat") << path;
        if (surplus.error == 0) with.emplace_back(path);
    }
    EXPECT_EQ(with, (std::vector<std::string>{"/t", "/t/d0", "/t/d1", "/t/d0/d0"}));
}

TEST_F(SyntheticFs, HoldsAtItsRootWhatItHoldsAnywhereWithoutOne) {
    const SyntheticTree tree{2, 3, 2};
    for (const std::string root : {"/t", "t", "/", "/with/more/levels", "t/"}) {
        SCOPED_TRACE(root);
        const auto fs = make_synthetic_file_system(tree, root);
        Counts counts;
        const auto top = fs->open(root, caller.context);
        ASSERT_EQ(top.error, 0);
        count(*top.value, caller.context, counts);
        EXPECT_EQ(counts.files, tree.total_files());

        const std::string below = (root.ends_with('/') ? root : root + "/") + "d1/d0";
        const auto opened = fs->open(below, caller.context);
        ASSERT_EQ(opened.error, 0);
        const auto by_name =
            top.value->open("d1", caller.context).value->open("d0", caller.context);
        const std::uint64_t inode = by_name.value->attributes(caller.context).attributes.inode;
        EXPECT_EQ(opened.value->attributes(caller.context).attributes.inode, inode);
        for (const bool follow : {false, true}) {
            const StatResult result =
                fs->attributes(below, follow, StatMask::change, caller.context);
            ASSERT_EQ(result.error, 0);
            EXPECT_EQ(result.attributes.inode, inode);
            EXPECT_TRUE(result.attributes.is_directory());
        }
        const StatResult file =
            fs->attributes(below + "/f2.dat", false, StatMask::all, caller.context);
        EXPECT_EQ(file.attributes.size, SyntheticTree::file_size(2));
        EXPECT_FALSE(file.attributes.is_directory());
    }
}

TEST_F(SyntheticFs, KnowsNoPathsButThoseBelowItsRoot) {
    const auto fs = make_synthetic_file_system({2, 3, 2}, "/t");
    for (const char* path : {"", "/", "t", "/tt", "/t0", "/x", "/t/x", "/t/d2", "/t/d0/d0/d0",
                             "/t/f3.dat", "/t/..", "/t/."}) {
        SCOPED_TRACE(path);
        EXPECT_EQ(fs->open(path, caller.context).error, ENOENT);
        EXPECT_EQ(fs->attributes(path, true, StatMask::all, caller.context).error, ENOENT);
    }
    EXPECT_EQ(fs->open("/t/f0.dat", caller.context).error, ENOTDIR);
    EXPECT_EQ(fs->open("/t/f0.dat/d0", caller.context).error, ENOTDIR);
    EXPECT_EQ(fs->open("/t//d0/", caller.context).error, 0);
}

TEST_F(SyntheticFs, DatesItsChangesWhichNeverCome) {
    const auto top = open_top({1, 1, 1});
    const StatResult now = top->attributes(caller.context);
    EXPECT_TRUE(top->dates_changes(now.attributes, caller.context));
    EXPECT_GT(now.attributes.mtime.seconds, 0);
}

TEST_F(SyntheticFs, EachOpenDirectoryHasAPositionOfItsOwn) {
    const auto fs = make_synthetic_file_system({0, 2000, 0});
    const auto one = fs->open("t", caller.context).value;
    const auto other = fs->open("t", caller.context).value;
    Listing of_one;
    Listing of_other;
    EXPECT_TRUE(one->read(of_one, caller.context).value);
    ASSERT_EQ(read_all(*other, of_other, caller.context), 0);
    ASSERT_EQ(read_all(*one, of_one, caller.context), 0);
    EXPECT_EQ(of_one.size(), 2000U);
    EXPECT_EQ(of_other.size(), 2000U);
}

}  // namespace
}  // namespace filetree
