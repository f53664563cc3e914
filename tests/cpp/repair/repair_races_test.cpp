// Trees that their owners change at the worst moment: between what is looked at and what is
// changed. The policy of a failing file system knows the moment.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>

#include "filetree/repair.hpp"
#include "support/repairs.hpp"

namespace filetree {
namespace {

using testing::failing;
using testing::give;
using testing::other_group;
using testing::Outcome;
using testing::run_repair;
using testing::run_undo;
using testing::shared_group;
using testing::SharedTree;
using testing::swap_names;
using testing::user;
using testing::Values;
using testing::values_of;

using Texts = std::vector<std::string>;

constexpr std::uint32_t victim = 4002;
constexpr std::uint32_t victims_group = 4300;

// Does something once, when one of the paths is about to be opened or be taken hold of.
std::shared_ptr<FileSystem> meanwhile(std::set<std::string> paths, std::function<void()> action) {
    const auto done = std::make_shared<std::atomic<bool>>(false);
    return failing(
        [paths = std::move(paths), action = std::move(action), done](const FaultyCall& call) {
            const bool now =
                call.operation == Operation::open && paths.contains(std::string(call.path));
            if (now && !done->exchange(true)) action();
            return Fault{};
        });
}

// What is said of directories that are not those that were found.
Texts stale(const Texts& paths) {
    Texts errors;
    for (const std::string& path : paths) {
        errors.push_back("open " + path + " " + std::to_string(ESTALE));
    }
    return errors;
}

class RepairRaces : public ::testing::Test {
   protected:
    void SetUp() override {
        FILETREE_NEEDS_REPAIRS();
        tree.emplace();
    }
    Outcome run(std::shared_ptr<FileSystem> fs) const {
        RepairOptions options = testing::repair_options(false);
        options.walk.max_threads = options.walk.max_inflight = 1;  // one order of calls
        options.journal = tree->outside / "journal";
        return run_repair(tree->top, options, std::move(fs));
    }
    void expect_skipped(const Outcome& outcome, const Texts& paths, SkipReason reason) const {
        Texts skipped;
        for (const ChangeRecord& record : outcome.skipped) {
            skipped.push_back(record.path);
            EXPECT_EQ(record.reason, reason) << record.path;
        }
        EXPECT_EQ(skipped, paths);
        EXPECT_EQ(outcome.errors, Texts{});
    }

    std::optional<SharedTree> tree;
};

TEST_F(RepairRaces, AnEntryThatVanishesIsNoError) {
    const std::string file = tree->file("file", {user, 0600});
    const Outcome outcome = run(meanwhile({file}, [&] { ::unlink(file.c_str()); }));
    EXPECT_EQ(outcome.errors, Texts{});
    EXPECT_EQ(outcome.counts.changes + outcome.counts.skipped, 0U);
}

TEST_F(RepairRaces, ALinkToASecretInAFilesPlaceKeepsTheSecret) {
    const std::string file = tree->file("file", {user, 0600});
    const std::string secret = tree->outside.add_file("secret");
    give(secret, victim, {victim, 0600});
    const Outcome outcome = run(meanwhile({file}, [&] {
        ASSERT_EQ(::unlink(file.c_str()), 0);
        ASSERT_EQ(::link(secret.c_str(), file.c_str()), 0);
    }));
    EXPECT_EQ(values_of(secret), (Values{victim, 0600}));
    expect_skipped(outcome, {file}, SkipReason::hard_links);
}

TEST_F(RepairRaces, ASymlinkInAFilesPlaceLeadsNowhere) {
    const std::string file = tree->file("file", {user, 0600});
    const std::string secret = tree->outside.add_file("secret");
    give(secret, victim, {victim, 0600});
    const Outcome outcome = run(meanwhile({file}, [&] {
        ASSERT_EQ(::unlink(file.c_str()), 0);
        ASSERT_EQ(::symlink(secret.c_str(), file.c_str()), 0);
    }));
    EXPECT_EQ(values_of(secret), (Values{victim, 0600}));
    EXPECT_EQ(outcome.counts.changes, 0U);
}

TEST_F(RepairRaces, ADirectoryInAFilesPlaceIsLeftAlone) {
    const std::string file = tree->file("file", {user, 0600});
    const Outcome outcome = run(meanwhile({file}, [&] {
        ASSERT_EQ(::unlink(file.c_str()), 0);
        tree->directory("file", {user, 0700});
    }));
    EXPECT_EQ(values_of(file), (Values{user, 0700}));
    expect_skipped(outcome, {file}, SkipReason::replaced);
}

TEST_F(RepairRaces, AnotherFileInAFilesPlaceIsJudgedAnewAndJournaledAsItIs) {
    const std::string file = tree->file("file", {user, 0600});
    const Outcome outcome = run(meanwhile({file}, [&] {
        ASSERT_EQ(::rename(file.c_str(), (tree->outside / "kept").c_str()), 0);
        tree->file("file", {victim, 04711}, victim);
    }));
    ASSERT_EQ(outcome.changed_paths(), Texts{file});
    EXPECT_EQ(outcome.changes[0].uid, victim);
    EXPECT_EQ(outcome.changes[0].old_mode, 04711U);
    EXPECT_EQ(values_of(file), (Values{shared_group, 0751}));
    EXPECT_EQ(values_of(tree->outside / "kept"), (Values{user, 0600}));
    // Of the two lines in the journal one is about what is not there any more.
    const Outcome undone = run_undo(tree->outside / "journal");
    EXPECT_EQ(undone.changed_paths(), Texts{file});
    expect_skipped(undone, {file}, SkipReason::replaced);
    EXPECT_EQ(values_of(file), (Values{victim, 04711}));
}

TEST_F(RepairRaces, WhatIsInADirectoryThatHasTakenAnothersPlaceIsLeftAlone) {
    const std::string a = tree->directory("a", {user, 0700});
    const std::string b = tree->directory("b", {user, 0700});
    tree->file("a/file", {user, 0600});
    tree->file("b/file", {user, 0604});
    const Outcome outcome = run(meanwhile({a, b}, [&] { swap_names(a, b); }));
    EXPECT_EQ(outcome.errors, stale({a, b}));
    EXPECT_EQ(outcome.counts.changes, 0U);
    EXPECT_EQ(values_of(a + "/file"), (Values{user, 0604}));
    EXPECT_EQ(values_of(b + "/file"), (Values{user, 0600}));
    EXPECT_EQ(run_repair(tree->top).counts.changes, 4U) << "a second run finishes it";
}

// Whoever may rename directories of others must not choose whose group their content gets.
TEST_F(RepairRaces, WhatLiesDeeperInSuchADirectoryGetsNoGroupOfTheOther) {
    const std::string mine = tree->directory("mine", {other_group, 0775});
    const std::string theirs = tree->directory("theirs", {victims_group, 0775}, victim);
    tree->directory("theirs/inner", {victim, 0755}, victim);
    tree->directory("theirs/inner/most", {victim, 02755}, victim);
    tree->file("theirs/inner/secret", {victim, 0600}, victim);
    tree->file("theirs/inner/most/secret", {victim, 0600}, victim);
    tree->file("theirs/inner/most/open", {other_group, 0600}, victim);
    const Outcome outcome = run(meanwhile({mine, theirs}, [&] { swap_names(mine, theirs); }));
    EXPECT_EQ(values_of(mine + "/inner"), (Values{victim, 0755}));
    EXPECT_EQ(values_of(mine + "/inner/most"), (Values{victim, 02755}));
    EXPECT_EQ(values_of(mine + "/inner/secret"), (Values{victim, 0600}));
    EXPECT_EQ(values_of(mine + "/inner/most/secret"), (Values{victim, 0600}));
    EXPECT_EQ(outcome.errors, stale({mine, theirs}));
    run_repair(tree->top);
    EXPECT_EQ(values_of(mine + "/inner/most/secret"), (Values{victims_group, 0640}));
}

// Nor by moving them away from above.
TEST_F(RepairRaces, ADirectoryMovedElsewhereTakesNoGroupAlong) {
    tree->directory("mine", {other_group, 02775});
    const std::string inner = tree->directory("mine/inner", {user, 0755});
    tree->file("mine/inner/file", {user, 0600});
    const std::string away = tree->outside / "away";
    const Outcome outcome = run(
        meanwhile({inner + "/file"}, [&] { ASSERT_EQ(::rename(inner.c_str(), away.c_str()), 0); }));
    expect_skipped(outcome, {inner}, SkipReason::replaced);
    EXPECT_EQ(values_of(away), (Values{user, 0755}));
}

}  // namespace
}  // namespace filetree
