// Walks of trees where calls fail: nothing is lost silently, and one failure ends nothing.

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <set>

#include "support/faults.hpp"
#include "support/tally.hpp"

namespace filetree {
namespace {

using testing::CallCounter;
using testing::error_at;
using testing::faulty;
using testing::text;
using testing::texts;
using testing::walk_all;
using testing::Walked;
using State = DirectoryTotals::State;

using Texts = std::vector<std::string>;

constexpr SyntheticTree small{3, 4, 2};  // 13 directories with 4 files each

// Everything in a tree, by path.
std::set<std::string> paths_of(const SyntheticTree& tree, const std::string& top = "t",
                               std::uint32_t level = 0) {
    std::set<std::string> out{top};
    for (std::uint32_t i = 0; i < tree.files; ++i) {
        out.insert(top + "/f" + std::to_string(i) + ".dat");
    }
    for (std::uint32_t i = 0; level < tree.depth && i < tree.directories; ++i) {
        out.merge(paths_of(tree, top + "/d" + std::to_string(i), level + 1));
    }
    return out;
}

std::set<std::string> without(std::set<std::string> paths, const std::string& root,
                              bool root_too = true) {
    std::erase_if(paths, [&](const std::string& path) {
        return path.starts_with(root + "/") || (root_too && path == root);
    });
    return paths;
}

TEST(WalkFaults, ADirectoryThatCannotBeOpenedIsAnErrorAndKeepsItsRow) {
    const Walked walked = walk_all(faulty(small, error_at(Operation::open, "t/d1", EACCES)), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{text(Operation::open, "t/d1", EACCES)});
    EXPECT_EQ(walked.progress.errors, 1U);
    EXPECT_EQ(walked.found->paths(), without(paths_of(small), "t/d1", false));
    const auto& totals = walked.found->directories.at("t/d1").totals;
    EXPECT_EQ(totals.state, State::unreadable);
    EXPECT_FALSE(totals.opened);
    EXPECT_EQ(walked.found->directories.at("t").totals.state, State::complete);
    EXPECT_EQ(walked.found->directories.at("t").totals.file_count, 7U);
}

TEST(WalkFaults, AnErrorInTheMiddleOfAListingKeepsTheNamesAlreadyRead) {
    const SyntheticTree tree{2, 5000, 1};
    const auto counter = std::make_shared<CallCounter>();
    const Walked walked = walk_all(faulty(tree,
                                          [counter](const FaultyCall& call) {
                                              const bool third =
                                                  call.operation == Operation::read &&
                                                  call.path == "t/d1" && counter->count(call) == 3;
                                              return Fault{third ? EIO : 0};
                                          }),
                                   "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{text(Operation::read, "t/d1", EIO)});
    const auto& totals = walked.found->directories.at("t/d1").totals;
    EXPECT_EQ(totals.state, State::unreadable);
    EXPECT_TRUE(totals.opened);
    EXPECT_EQ(totals.file_count, 2048U) << "two reads of 1024 names";
    EXPECT_EQ(walked.found->entries.size(), 5000U + 5000U + 2048U);
    EXPECT_TRUE(walked.found->repeated.empty());
}

TEST(WalkFaults, AStaleHandleIsAnErrorOfThatDirectoryOnly) {
    for (const Operation operation : {Operation::open, Operation::read}) {
        const Walked walked = walk_all(faulty(small, error_at(operation, "t/d0/d2", ESTALE)), "t");
        ASSERT_TRUE(walked.finished);
        EXPECT_EQ(texts(walked.errors), Texts{text(operation, "t/d0/d2", ESTALE)});
        EXPECT_EQ(walked.found->paths(), without(paths_of(small), "t/d0/d2", false));
    }
}

TEST(WalkFaults, AnEntryThatCannotBeStattedIsAnErrorAndNothingElse) {
    const Walked walked =
        walk_all(faulty(small, error_at(Operation::stat, "t/d1/f2.dat", EACCES)), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{text(Operation::stat, "t/d1/f2.dat", EACCES)});
    EXPECT_EQ(walked.found->paths(), without(paths_of(small), "t/d1/f2.dat"));
    const auto& totals = walked.found->directories.at("t/d1").totals;
    EXPECT_EQ(totals.state, State::complete);
    EXPECT_EQ(totals.file_count, 7U) << "names listed, whatever became of them";
}

TEST(WalkFaults, ADirectoryThatCannotBeStattedIsNotEntered) {
    const Walked walked = walk_all(faulty(small, error_at(Operation::stat, "t/d1", EIO)), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{text(Operation::stat, "t/d1", EIO)});
    EXPECT_EQ(walked.found->paths(), without(paths_of(small), "t/d1"));
}

TEST(WalkFaults, WhatIsGoneAfterListingHasVanishedAndIsNoError) {
    const std::set<std::string> gone{"t/f0.dat", "t/d0/f1.dat", "t/d1"};
    const Walked walked = walk_all(faulty(small,
                                          [&gone](const FaultyCall& call) {
                                              return Fault{gone.contains(std::string(call.path)) &&
                                                                   call.operation == Operation::stat
                                                               ? ENOENT
                                                               : 0};
                                          }),
                                   "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_TRUE(walked.errors.empty());
    EXPECT_EQ(walked.progress.vanished, 3U);
    auto expected = paths_of(small);
    for (const std::string& path : gone) expected = without(expected, path);
    EXPECT_EQ(walked.found->paths(), expected);
}

TEST(WalkFaults, ADirectoryGoneOrReplacedBeforeItsOpeningHasVanished) {
    for (const int error : {ENOENT, ENOTDIR, ELOOP}) {
        const Walked walked =
            walk_all(faulty(small, error_at(Operation::open, "t/d2", error)), "t");
        ASSERT_TRUE(walked.finished);
        EXPECT_TRUE(walked.errors.empty());
        EXPECT_EQ(walked.progress.vanished, 1U);
        EXPECT_EQ(walked.found->paths(), without(paths_of(small), "t/d2"));
    }
}

// getdents says ENOENT of a directory that was removed while it was open.
TEST(WalkFaults, ADirectoryGoneBetweenItsOpeningAndItsReadingHasVanished) {
    const Walked walked = walk_all(faulty(small, error_at(Operation::read, "t/d2", ENOENT)), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{});
    EXPECT_EQ(walked.progress.vanished, 1U);
}

TEST(WalkFaults, ATopThatCannotBeOpenedOrReadSaysSo) {
    const Walked unopened = walk_all(faulty(small, error_at(Operation::open, "t", EACCES)), "t");
    EXPECT_TRUE(unopened.finished);
    EXPECT_TRUE(unopened.found->paths().empty());
    const Walked unread = walk_all(faulty(small, error_at(Operation::read, "t", EIO)), "t");
    ASSERT_TRUE(unread.finished);
    EXPECT_EQ(texts(unread.errors), Texts{text(Operation::read, "t", EIO)});
    EXPECT_EQ(unread.found->paths(), std::set<std::string>{"t"});
    EXPECT_EQ(unread.found->directories.at("t").totals.state, State::unreadable);
}

// The first `times` calls of every operation on every path fail.
FaultPolicy fails_first(int times, int error) {
    return [times, error, counter = std::make_shared<CallCounter>()](const FaultyCall& call) {
        return Fault{counter->count(call) <= times ? error : 0};
    };
}

TEST(WalkFaults, CallsThatAreInterruptedAreMadeAgain) {
    const Walked walked = walk_all(faulty(small, fails_first(5, EINTR)), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{});
    EXPECT_EQ(walked.found->paths(), paths_of(small));
}

TEST(WalkFaults, CallsThatAreInterruptedAreMadeAgainWithoutAttributesToo) {
    WalkOptions options;
    options.attributes = false;
    options.one_file_system = true;  // directories are looked at even so
    const Walked walked = walk_all(faulty(small, fails_first(5, EINTR)), "t", options);
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{});
    EXPECT_EQ(walked.found->directories.size(), 13U);
}

TEST(WalkFaults, ACallThatIsInterruptedForEverIsAnError) {
    for (const Operation operation : {Operation::open, Operation::read}) {
        const Walked walked = walk_all(faulty(small, error_at(operation, "t/d0", EINTR)), "t");
        ASSERT_TRUE(walked.finished);
        EXPECT_EQ(texts(walked.errors), Texts{text(operation, "t/d0", EINTR)});
    }
    const Walked walked =
        walk_all(faulty(small, error_at(Operation::stat, "t/f0.dat", EINTR)), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{text(Operation::stat, "t/f0.dat", EINTR)});
}

TEST(WalkFaults, WaitsForDescriptorsThatOthersHold) {
    for (const int error : {EMFILE, ENFILE}) {
        const auto counter = std::make_shared<CallCounter>();
        const auto policy = [=](const FaultyCall& call) {
            return Fault{call.operation == Operation::open && counter->count(call) <= 3 ? error
                                                                                        : 0};
        };
        const Walked walked = walk_all(faulty(small, policy), "t");
        ASSERT_TRUE(walked.finished);
        EXPECT_EQ(texts(walked.errors), Texts{});
        EXPECT_EQ(walked.found->paths(), paths_of(small));
    }
}

TEST(WalkFaults, DescriptorsThatNeverComeAreAnErrorNotAHang) {
    const Walked walked = walk_all(faulty(small, error_at(Operation::open, "t/d1", EMFILE)), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(texts(walked.errors), Texts{text(Operation::open, "t/d1", EMFILE)});
    EXPECT_EQ(walked.found->paths(), without(paths_of(small), "t/d1", false));
}

// A fault for about one call in six, decided by what is called alone.
int scattered_error(Operation operation, std::string_view path) {
    if (path == "t") return 0;
    const std::size_t dice =
        std::hash<std::string>{}(std::string(path) + ' ' + std::string(to_string(operation)));
    constexpr int errors[] = {EACCES, EIO, ESTALE, ENOENT};
    if (dice % 6 != 0) return 0;
    // What a read that says ENOENT means is another test's matter.
    return errors[dice / 6 % (operation == Operation::read ? 3 : 4)];
}

// What must come of a directory below which scattered errors happen, found by recursion.
struct Expected {
    std::set<std::string> paths;
    Texts errors;
    std::uint64_t vanished = 0;

    void visit(const SyntheticTree& tree, const std::string& path, std::uint32_t level) {
        if (fails(Operation::open, path)) return;
        paths.insert(path);
        if (fails(Operation::read, path)) return;
        for (std::uint32_t i = 0; i < tree.files; ++i) {
            const std::string file = path + "/f" + std::to_string(i) + ".dat";
            if (!fails(Operation::stat, file)) paths.insert(file);
        }
        for (std::uint32_t i = 0; level < tree.depth && i < tree.directories; ++i) {
            const std::string below = path + "/d" + std::to_string(i);
            if (!fails(Operation::stat, below)) visit(tree, below, level + 1);
        }
    }

   private:
    bool fails(Operation operation, const std::string& path) {
        const int error = scattered_error(operation, path);
        if (error == 0) return false;
        if (error == ENOENT) {
            ++vanished;
            return true;
        }
        errors.push_back(text(operation, path, error));
        // The row of a directory that could not be read is kept.
        if (operation == Operation::open) paths.insert(path);
        return true;
    }
};

TEST(WalkFaults, EveryFailureIsListedAndNothingElseIsMissing) {
    const SyntheticTree tree{5, 8, 4};
    const auto policy = [](const FaultyCall& call) {
        return Fault{scattered_error(call.operation, call.path)};
    };
    Expected expected;
    expected.visit(tree, "t", 0);
    std::sort(expected.errors.begin(), expected.errors.end());
    ASSERT_GT(expected.errors.size(), 20U);
    ASSERT_GT(expected.vanished, 5U);

    const Walked walked = walk_all(faulty(tree, policy), "t");
    ASSERT_TRUE(walked.finished);
    EXPECT_EQ(walked.found->paths(), expected.paths);
    EXPECT_EQ(texts(walked.errors), expected.errors);
    EXPECT_EQ(walked.progress.vanished, expected.vanished);
    EXPECT_EQ(walked.progress.entries(), expected.paths.size());
    EXPECT_TRUE(walked.found->repeated.empty());
}

}  // namespace
}  // namespace filetree
