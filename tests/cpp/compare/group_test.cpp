// Many files through a file system that fails and changes where a test says so.

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <thread>

#include "filetree/compare.hpp"
#include "support/limits.hpp"
#include "support/scripted_files.hpp"

namespace filetree {
namespace {

using testing::mebi;
using testing::patience;

class Group : public ::testing::Test {
   protected:
    Script& add(std::uint64_t size) {
        Script& script = scripts.emplace_back();
        script.size = script.told_size = size;
        script.inode = scripts.size();
        paths.push_back(std::to_string(scripts.size()));
        fs->files[paths.back()] = &script;
        return script;
    }

    // The groups, as "0 1 0"; the failure.
    std::string outcome(CompareOptions options = {}, bool only_whether = false) {
        GroupComparison comparison(pool, fs, {paths.begin(), paths.end()}, options, only_whether);
        if (!comparison.wait(patience)) return "still running";
        if (const auto failure = comparison.failure()) {
            try {
                std::rethrow_exception(failure);
            } catch (const CompareError& error) {
                return error.what();
            }
        }
        if (only_whether) return comparison.all_equal() ? "equal" : "different";
        std::string text;
        for (const std::size_t group : comparison.groups()) text += std::to_string(group) + " ";
        return text;
    }

    const std::shared_ptr<ScriptedFileSystem> fs = std::make_shared<ScriptedFileSystem>();
    std::deque<Script> scripts;
    std::vector<std::string> paths;
    Pool pool{4};
};

TEST_F(Group, EachIsReadOnce) {
    for (int i = 0; i < 5; ++i) add(3 * mebi);
    EXPECT_EQ(outcome(), "0 0 0 0 0 ");
    for (const Script& script : scripts) EXPECT_EQ(script.read, 3 * mebi);
}

TEST_F(Group, OneByteMakesAGroupOfItsOwnAtAnyPlace) {
    for (const std::uint64_t place : {std::uint64_t{0}, 4 * mebi - 1, 4 * mebi, 9 * mebi - 1}) {
        scripts.clear();
        paths.clear();
        add(9 * mebi);
        add(9 * mebi).byte = [=](std::uint64_t at) { return at == place ? 'y' : 'x'; };
        add(9 * mebi);
        EXPECT_EQ(outcome(), "0 1 0 ") << place;
        EXPECT_EQ(outcome({.quick_check = false}), "0 1 0 ") << place;
        EXPECT_EQ(outcome({}, true), "different") << place;
    }
}

TEST_F(Group, WhatHasNoSizeToTrustIsReadToItsEnd) {
    add(5 * mebi).true_size = false;
    add(5 * mebi);
    add(5 * mebi - 1).true_size = false;
    add(0);
    EXPECT_EQ(outcome(), "0 0 1 2 ");
    EXPECT_EQ(outcome({.size_precheck = false}), "0 0 1 2 ");
    EXPECT_EQ(outcome({}, true), "different");
}

TEST_F(Group, OneFileOfManyNamesIsNotRead) {
    for (int i = 0; i < 3; ++i) add(mebi).inode = 1;
    EXPECT_EQ(outcome(), "0 0 0 ");
    for (const Script& script : scripts) EXPECT_EQ(script.read, 0U);
}

TEST_F(Group, AnErrorWhileReadingIsNoAnswer) {
    for (int i = 0; i < 3; ++i) add(9 * mebi);
    scripts[1].on_read = [](std::uint64_t at) { return at >= 5 * mebi ? EIO : 0; };
    EXPECT_EQ(outcome({.quick_check = false}), "2: Input/output error");
}

TEST_F(Group, AFileThatIsNotThereIsNoAnswer) {
    add(1);
    paths.emplace_back("gone");
    EXPECT_EQ(outcome(), "gone: No such file or directory");
}

TEST_F(Group, AFileThatChangesBetweenTwoStepsIsNoAnswer) {
    for (int i = 0; i < 3; ++i) add(9 * mebi);
    std::atomic<int> reads{0};
    scripts[2].on_read = [&](std::uint64_t /*at*/) {
        if (++reads == 5) scripts[2].changes.store(1);  // with the last sample
        return 0;
    };
    EXPECT_EQ(outcome(), "3: the file changed while it was compared");
}

TEST_F(Group, AnotherFileInTheSamePlaceIsNoAnswer) {
    for (int i = 0; i < 2; ++i) add(mebi);
    scripts[0].on_read = [&](std::uint64_t /*at*/) {
        scripts[0].inode = 77;
        return 0;
    };
    EXPECT_EQ(outcome(), "1: the file changed while it was compared");
}

TEST_F(Group, OneThatEndsEarlyIsNoAnswer) {
    add(mebi);
    Script& cut = add(mebi);
    cut.size = mebi / 2;
    cut.on_read = [&](std::uint64_t /*at*/) {
        cut.changes.store(1);  // as truncation does
        return 0;
    };
    EXPECT_EQ(outcome(), "2: the file changed while it was compared");
}

TEST_F(Group, StopsWithinAChunkWhenCancelled) {
    for (int i = 0; i < 2; ++i) add(1024 * mebi);
    std::atomic<bool> begun{false};
    for (Script& script : scripts) {
        script.on_read = [&](std::uint64_t /*at*/) {
            begun.store(true);
            return 0;
        };
    }
    GroupComparison comparison(pool, fs, {paths.begin(), paths.end()}, {}, false);
    while (!begun.load()) std::this_thread::yield();
    comparison.cancel();
    ASSERT_TRUE(comparison.wait(patience));
    EXPECT_TRUE(comparison.failure());
    EXPECT_LT(comparison.bytes_read(), 1024 * mebi);
}

}  // namespace
}  // namespace filetree
