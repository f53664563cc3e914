// Journals put back.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "filetree/repair.hpp"
#include "journal.hpp"
#include "support/repairs.hpp"

namespace filetree {
namespace {

using testing::as_user;
using testing::existing_group;
using testing::failing;
using testing::give;
using testing::inode_of;
using testing::kind_bits;
using testing::Outcome;
using testing::run_repair;
using testing::run_undo;
using testing::shared_group;
using testing::SharedTree;
using testing::text;
using testing::user;
using testing::Values;
using testing::values_of;

using Texts = std::vector<std::string>;

class UndoTree : public ::testing::Test {
   protected:
    void SetUp() override {
        FILETREE_NEEDS_REPAIRS();
        tree.emplace();
        journal = tree->outside / "journal";
        options.journal = journal;
    }
    void expect_skipped(const Outcome& outcome, const std::string& path, SkipReason reason) const {
        ASSERT_EQ(outcome.skipped.size(), 1U);
        EXPECT_EQ(outcome.skipped[0].path, path);
        EXPECT_EQ(outcome.skipped[0].reason, reason);
        EXPECT_EQ(outcome.errors, Texts{});
    }
    // Paths are absolute, and the root's is "/": a failing file system has them with two slashes.
    static std::shared_ptr<FaultyFileSystem> failing_at(Operation operation,
                                                        const std::string& path, int error) {
        return failing(testing::error_at(operation, "/" + path, error));
    }

    std::optional<SharedTree> tree;
    std::string journal;
    RepairOptions options = testing::repair_options(false);
};

TEST_F(UndoTree, RestoresEverythingOnce) {
    const std::string inner = tree->directory("inner", {user, 0700});
    const std::string file = tree->file("inner/file", {0, 0600});
    const std::string program = tree->file("program", {user, 06711});
    const Outcome made = run_repair(tree->top, options);
    const Outcome dry = run_undo(journal, true);
    EXPECT_EQ(values_of(file), (Values{shared_group, 0640}));
    const Outcome undone = run_undo(journal);
    for (const Outcome& outcome : {dry, undone}) {
        EXPECT_EQ(outcome.changed_paths(), made.changed_paths());
        EXPECT_EQ(outcome.errors, Texts{});
        EXPECT_TRUE(outcome.skipped.empty());
    }
    EXPECT_EQ(values_of(inner), (Values{user, 0700}));
    EXPECT_EQ(values_of(file), (Values{0, 0600}));
    EXPECT_EQ(values_of(program), (Values{user, 06711}));
    EXPECT_EQ(run_undo(journal).counts.changes, 0U);
}

TEST_F(UndoTree, TakesBackSeveralRepairsTheLastOneFirst) {
    const std::string file = tree->file("file", {user, 0600});
    run_repair(tree->top, options);
    options.force_group_writable = true;
    run_repair(tree->top, options);
    ASSERT_EQ(values_of(file), (Values{shared_group, 0660}));
    EXPECT_EQ(run_undo(journal, true).counts.changes, 2U);
    run_undo(journal);
    EXPECT_EQ(values_of(file), (Values{user, 0600}));
}

TEST_F(UndoTree, IsRootsAlone) {
    ASSERT_EQ(::chmod(tree->outside.path().c_str(), 0755), 0);
    const std::string file = tree->file("file", {user, 0600});
    run_repair(tree->top, options);
    ASSERT_EQ(::chmod(journal.c_str(), 0644), 0);
    ASSERT_EQ(::chmod(tree->top.c_str(), 02775), 0);
    as_user([&] {
        EXPECT_THROW(run_undo(journal), SystemError);
        EXPECT_EQ(run_undo(journal, true).changed_paths(), Texts{file});
    });
    EXPECT_EQ(values_of(file), (Values{shared_group, 0640}));
    ASSERT_EQ(::chmod(journal.c_str(), 0664), 0);
    EXPECT_THROW(run_undo(journal), SystemError);
}

// Else those of the old group could read it for a moment, or for good if the undo is killed then.
TEST_F(UndoTree, TheOldGroupNeverHasThePermissionsOfTheNewOne) {
    const std::string file = tree->file("file", {existing_group, 0600});
    const std::string inner = tree->directory("inner", {existing_group, 0700});
    options.change_gids = {existing_group};
    options.force_group_writable = true;
    run_repair(tree->top, options);
    ASSERT_EQ(values_of(file), (Values{shared_group, 0660}));
    std::vector<Values> at_change;
    run_undo(journal, false, failing([&](const FaultyCall& call) {
                 if (call.operation == Operation::chown) {
                     at_change.push_back(values_of(std::string(call.path)));
                 }
                 return Fault{};
             }));
    ASSERT_EQ(at_change.size(), 2U);
    for (const Values& values : at_change) EXPECT_EQ(values.mode & 070U, 0U) << values;
    EXPECT_EQ(values_of(file), (Values{existing_group, 0600}));
    EXPECT_EQ(values_of(inner), (Values{existing_group, 0700}));
}

TEST_F(UndoTree, WithoutTheOldGroupOnlyPermissionsAreTaken) {
    const std::string file = tree->file("file", {user, 0600});
    run_repair(tree->top, options);
    const Outcome outcome = run_undo(journal, false, failing_at(Operation::chown, file, EPERM));
    EXPECT_EQ(values_of(file), (Values{shared_group, 0600}));
    EXPECT_EQ(outcome.errors, Texts{text(Operation::chown, file, EPERM)});
    ASSERT_EQ(outcome.changed_paths(), Texts{file});
    EXPECT_EQ(outcome.changes[0].kinds, kind_bits({ChangeKind::cleared}));
    EXPECT_EQ(run_undo(journal).changed_paths(), Texts{file}) << "a second run finishes it";
    EXPECT_EQ(values_of(file), (Values{user, 0600}));
}

TEST_F(UndoTree, WhatARepairHasHalfDoneIsPutBack) {
    const std::string file = tree->file("file", {user, 06710});
    const std::string inner = tree->directory("inner", {user, 0700});
    run_repair(tree->top, options, failing([](const FaultyCall& call) {
                   // Set-id bits are cleared by then.
                   const bool fails = call.operation == Operation::chown &&
                                      !std::filesystem::is_directory(call.path);
                   const bool mode_fails = call.operation == Operation::chmod &&
                                           std::filesystem::is_directory(call.path);
                   return Fault{fails || mode_fails ? EIO : 0};
               }));
    ASSERT_EQ(values_of(file), (Values{user, 0710}));
    ASSERT_EQ(values_of(inner), (Values{shared_group, 0700}));
    const Outcome undone = run_undo(journal);
    EXPECT_EQ(undone.changed_paths(), (Texts{file, inner}));
    EXPECT_EQ(values_of(file), (Values{user, 06710}));
    EXPECT_EQ(values_of(inner), (Values{user, 0700}));
}

TEST_F(UndoTree, WhatIsNotAsTheJournalLeftItIsLeftAlone) {
    struct Case {
        std::function<void(const std::string&)> action;
        SkipReason reason;
    };
    const std::vector<Case> cases = {
        {[](const std::string& path) { ::unlink(path.c_str()); }, SkipReason::missing},
        {[](const std::string& path) { ::chmod(path.c_str(), 0644); }, SkipReason::changed_since},
        {[](const std::string& path) { ::chown(path.c_str(), 4002, shared_group); },
         SkipReason::changed_since},
        {[](const std::string& path) { ::chown(path.c_str(), user, 4300); },
         SkipReason::changed_since},
        {[&](const std::string& path) {
             ::rename(path.c_str(), (tree->outside / "kept").c_str());
             tree->file("inner/file", {shared_group, 0640});
         },
         SkipReason::replaced},
        {[&](const std::string& path) {
             ::rename(path.c_str(), (tree->outside / "kept").c_str());
             ::symlink((tree->outside / "kept").c_str(), path.c_str());
         },
         SkipReason::replaced},
        {[&](const std::string& /*path*/) {
             ::rename((*tree / "inner").c_str(), (tree->outside / "away").c_str());
             ::symlink((tree->outside / "away").c_str(), (*tree / "inner").c_str());
         },
         SkipReason::missing},
    };
    for (const Case& c : cases) {
        tree.emplace();
        options.journal = tree->outside / "journal";
        tree->directory("inner", {shared_group, 02750});
        const std::string file = tree->file("inner/file", {user, 0600});
        run_repair(tree->top, options);
        c.action(file);
        const auto reason = static_cast<int>(c.reason);
        for (const bool dry_run : {true, false}) {
            const Outcome outcome = run_undo(options.journal, dry_run);
            EXPECT_EQ(outcome.counts.changes, 0U) << reason;
            expect_skipped(outcome, file, c.reason);
        }
    }
}

// What has been written to since must not run as its owner.
TEST_F(UndoTree, SetuidIsNotGivenBackToOtherContent) {
    const std::string file = tree->file("file", {0, 04755});
    run_repair(tree->top, options);
    std::ofstream(file) << "1234567";  // as long as before
    expect_skipped(run_undo(journal), file, SkipReason::written_since);
    EXPECT_EQ(values_of(file), (Values{shared_group, 0755}));
}

// An owner can write to a file and set its time back; a group of others must not run that.
TEST_F(UndoTree, SetgidOfAnothersGroupIsNotGivenBackToAnOwnersFile) {
    const std::string file = tree->file("file", {0, 02755});
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    run_repair(tree->top, options);
    std::ofstream(file) << "1234567";
    const std::array<timespec, 2> times{status.st_atim, status.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times.data(), 0), 0);
    for (const bool dry_run : {true, false}) {
        expect_skipped(run_undo(journal, dry_run), file, SkipReason::written_since);
    }
    EXPECT_EQ(values_of(file), (Values{shared_group, 0755}));
}

TEST_F(UndoTree, SetgidOfRootsFilesAndOfAnOwnersOwnGroupIsGivenBack) {
    const std::string roots = tree->file("roots", {existing_group, 02755}, 0);
    const std::string own = tree->file("own", {user, 02755});
    options.change_gids = {existing_group};
    run_repair(tree->top, options);
    ASSERT_EQ(values_of(roots), (Values{shared_group, 0755}));
    EXPECT_TRUE(run_undo(journal).skipped.empty());
    EXPECT_EQ(values_of(roots), (Values{existing_group, 02755}));
    EXPECT_EQ(values_of(own), (Values{user, 02755}));
}

TEST_F(UndoTree, ForeignLinesAreErrorsWithTheirPlace) {
    const std::string file = tree->file("file", {user, 0600});
    run_repair(tree->top, options);
    const auto size = std::filesystem::file_size(journal);
    std::ofstream(journal, std::ios::app) << "foreign\n\n{\"time\": 5";
    const Outcome outcome = run_undo(journal);
    EXPECT_EQ(
        outcome.errors,
        Texts{text(Operation::undo, journal + " (byte " + std::to_string(size) + ")", EINVAL)});
    EXPECT_EQ(outcome.changed_paths(), Texts{file});
}

TEST_F(UndoTree, ProtectedPlacesAreLeftAlone) {
    struct stat status {};
    ASSERT_EQ(::stat("/etc/passwd", &status), 0);
    repair::JournalLine line;
    line.path = "/etc/passwd";
    line.inode = status.st_ino;
    line.uid = status.st_uid;
    line.old_gid = line.new_gid = status.st_gid;
    line.new_mode = status.st_mode & 07777U;
    line.old_mode = 0600;
    std::string written;
    repair::append_line(line, written);
    std::ofstream(journal, std::ios::app) << written;
    expect_skipped(run_undo(journal, true), "/etc/passwd", SkipReason::is_protected);
}

TEST_F(UndoTree, ADirectoryThatCannotBeOpenedIsAnError) {
    const std::string inner = tree->directory("inner", {shared_group, 02750});
    const std::string file = tree->file("inner/file", {user, 0600});
    run_repair(tree->top, options);
    const Outcome outcome = run_undo(journal, false, failing_at(Operation::open, inner, EACCES));
    EXPECT_EQ(outcome.errors, Texts{text(Operation::undo, file, EACCES)});
    EXPECT_EQ(values_of(file), (Values{shared_group, 0640}));
}

TEST_F(UndoTree, ADeepTreeNeedsNoMoreDescriptorsThanThereAre) {
    constexpr std::size_t depth = 100;
    constexpr std::size_t budget = 20;
    std::string name = "d";
    Texts files;
    for (std::size_t i = 0; i < depth; ++i, name += "/d") {
        tree->directory(name, {shared_group, 02750});
        files.push_back(tree->file(name + "/f", {user, 0600}));
    }
    run_repair(tree->top, options);
    const auto fs = failing([](const FaultyCall&) { return Fault{}; });
    fs->set_descriptor_budget(budget);
    const Outcome outcome = run_undo(journal, false, fs);
    EXPECT_EQ(outcome.errors, Texts{});
    EXPECT_EQ(outcome.counts.changes, depth);
    EXPECT_LE(fs->most_open_directories(), budget);
    for (const std::string& file : files) ASSERT_EQ(values_of(file), (Values{user, 0600}));
}

}  // namespace
}  // namespace filetree
