// Two files through a file system that fails and changes where a test says so.

#include <gtest/gtest.h>

#include <cerrno>

#include "filetree/compare.hpp"
#include "support/limits.hpp"
#include "support/scripted_files.hpp"

namespace filetree {
namespace {

using testing::mebi;
using testing::patience;

class FilePair : public ::testing::Test {
   protected:
    FilePair() {
        fs->files = {{"a", &a}, {"b", &b}};
        set_size(20 * mebi);
        b.inode = 2;
    }
    void set_size(std::uint64_t size) { a.size = a.told_size = b.size = b.told_size = size; }

    // "equal", "different", or the failure.
    std::string outcome(CompareOptions options = {}) {
        const FileComparison comparison(pool, fs, "a", "b", options);
        auto& running = const_cast<FileComparison&>(comparison);
        if (!running.wait(patience)) return "still running";
        if (const auto failure = comparison.failure()) {
            try {
                std::rethrow_exception(failure);
            } catch (const CompareError& error) {
                return error.what() + std::string(", ") + std::to_string(error.error());
            }
        }
        return comparison.equal() ? "equal" : "different";
    }

    const std::shared_ptr<ScriptedFileSystem> fs = std::make_shared<ScriptedFileSystem>();
    Script a;
    Script b;
    Pool pool{4};
};

TEST_F(FilePair, IsReadWholeByAllThreadsTogether) {
    EXPECT_EQ(outcome({.quick_check = false}), "equal");
    EXPECT_EQ(a.read, 20 * mebi);
    EXPECT_EQ(b.read, 20 * mebi);
}

TEST_F(FilePair, OneByteDiffersAtAnyPlace) {
    for (const std::uint64_t place : {std::uint64_t{0}, 4 * mebi - 1, 4 * mebi, 20 * mebi - 1}) {
        b.byte = [=](std::uint64_t offset) { return offset == place ? 'y' : 'x'; };
        EXPECT_EQ(outcome(), "different") << place;
    }
}

TEST_F(FilePair, AnErrorWhileReadingIsNoAnswer) {
    b.on_read = [](std::uint64_t offset) { return offset >= 13 * mebi ? EIO : 0; };
    EXPECT_EQ(outcome(), "b: Input/output error, " + std::to_string(EIO));
}

TEST_F(FilePair, AFileThatChangesIsNoAnswerWhicheverItWouldBe) {
    const std::string changed =
        "a: the file changed while it was compared, " + std::to_string(EAGAIN);
    a.on_read = [this](std::uint64_t offset) {
        if (offset == 16 * mebi) ++a.changes;
        return 0;
    };
    EXPECT_EQ(outcome(), changed);
    b.byte = [](std::uint64_t offset) { return offset == 17 * mebi ? 'y' : 'x'; };
    EXPECT_EQ(outcome({.quick_check = false, .max_workers = 1}), changed);
}

TEST_F(FilePair, AFileThatEndsBeforeItsSizeIsDifferentFromOneThatDoesNot) {
    b.size = 20 * mebi - 1;
    EXPECT_EQ(outcome(), "different");
    a.size = b.size;
    EXPECT_EQ(outcome(), "equal") << "both end there, and neither has changed";
}

TEST_F(FilePair, SizesThatCannotBeTrustedAreNoAnswer) {
    set_size(3 * mebi + 5);
    for (const std::uint64_t told : {std::uint64_t{0}, std::uint64_t{4096}}) {
        a.told_size = told;
        a.true_size = false;
        EXPECT_EQ(outcome(), "equal") << told;
        b.byte = [](std::uint64_t offset) { return offset == 3 * mebi + 4 ? 'y' : 'x'; };
        EXPECT_EQ(outcome(), "different") << told;
        b.byte = [](std::uint64_t) { return 'x'; };
        b.size += 1;
        EXPECT_EQ(outcome(), "different") << told;
        b.size -= 1;
    }
}

TEST_F(FilePair, SharedExtentsAreEqualOnlyWhereTheyAreTheSame) {
    b.byte = [](std::uint64_t) { return 'y'; };
    a.extents = b.extents = {{0, 100 * mebi, 10 * mebi}, {10 * mebi, 300 * mebi, 10 * mebi}};
    EXPECT_EQ(outcome(), "equal");
    EXPECT_EQ(a.read + b.read, 0U);
    std::swap(b.extents[0].physical, b.extents[1].physical);
    EXPECT_EQ(outcome(), "different");
    a.extents.clear();
    b.extents.clear();
    EXPECT_EQ(outcome(), "different");
}

TEST_F(FilePair, AMissingFileIsNotFound) {
    fs->files.erase("b");
    EXPECT_EQ(outcome(), "b: No such file or directory, " + std::to_string(ENOENT));
}

TEST_F(FilePair, StopsSoonAfterItIsCancelled) {
    set_size(std::uint64_t{1} << 50U);
    FileComparison comparison(pool, fs, "a", "b", {});
    while (comparison.bytes_read() == 0) std::this_thread::yield();
    comparison.cancel();
    EXPECT_TRUE(comparison.wait(patience));
    EXPECT_NE(comparison.failure(), nullptr);
}

}  // namespace
}  // namespace filetree
