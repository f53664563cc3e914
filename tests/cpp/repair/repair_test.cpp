// Repairs of real trees.

#include "filetree/repair.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <thread>

#include "journal.hpp"
#include "support/repairs.hpp"

namespace filetree {
namespace {

using testing::as_user;
using testing::content_of;
using testing::existing_group;
using testing::give;
using testing::inode_of;
using testing::kind_bits;
using testing::other_group;
using testing::Outcome;
using testing::repair_options;
using testing::run_repair;
using testing::run_undo;
using testing::shared_group;
using testing::SharedTree;
using testing::user;
using testing::Values;
using testing::values_of;

using Texts = std::vector<std::string>;

std::vector<repair::JournalLine> lines_of(const std::string& journal) {
    std::vector<repair::JournalLine> lines;
    std::istringstream in(content_of(journal));
    for (std::string text; std::getline(in, text);) {
        const auto line = repair::parse_line(text);
        EXPECT_TRUE(line) << text;
        if (line) lines.push_back(*line);
    }
    return lines;
}

class RepairTree : public ::testing::Test {
   protected:
    void SetUp() override {
        FILETREE_NEEDS_REPAIRS();
        tree.emplace();
    }

    std::optional<SharedTree> tree;
};

TEST_F(RepairTree, WhatItDoesAndSaysIsTheSame) {
    const std::string inner = tree->directory("inner", {user, 0700});
    const std::string file = tree->file("inner/file", {user, 0600});
    const std::string program = tree->file("program", {0, 04711});
    const std::string good = tree->file("good", {other_group, 0640});
    std::filesystem::create_symlink("/etc/passwd", *tree / "symlink");
    const Outcome dry = run_repair(tree->top, {});
    EXPECT_EQ(values_of(file), (Values{user, 0600}));
    const Outcome made = run_repair(tree->top);
    EXPECT_EQ(values_of(inner), (Values{shared_group, 02750}));
    EXPECT_EQ(values_of(file), (Values{shared_group, 0640}));
    EXPECT_EQ(values_of(program), (Values{shared_group, 0751}));
    EXPECT_EQ(values_of(good), (Values{other_group, 0640}));
    for (const Outcome& outcome : {dry, made}) {
        EXPECT_EQ(outcome.changed_paths(), (Texts{inner, file, program}));
        EXPECT_EQ(outcome.errors, Texts{});
        EXPECT_TRUE(outcome.skipped.empty());
        EXPECT_EQ(outcome.counts.changes, 3U);
        EXPECT_EQ(outcome.counts.kinds, (std::array<std::uint64_t, 4>{3, 1, 3, 1}));
        const ChangeRecord& record = outcome.changes.at(2);
        using enum ChangeKind;
        EXPECT_EQ(record.kinds, kind_bits({group, permissions, cleared}));
        EXPECT_EQ(record.uid, user);
        EXPECT_EQ((Values{record.old_gid, record.old_mode}), (Values{0, 04711}));
        EXPECT_EQ((Values{record.new_gid, record.new_mode}), (Values{shared_group, 0751}));
    }
    EXPECT_EQ(run_repair(tree->top).counts.changes, 0U) << "a second run";
}

TEST_F(RepairTree, ATopWithoutASuitableGroupIsOneError) {
    give(tree->top, user, {user, 0700});
    const std::string file = tree->file("inner", {0, 0600});
    for (const bool dry_run : {true, false}) {
        const Outcome outcome = run_repair(tree->top, repair_options(dry_run));
        EXPECT_EQ(outcome.errors, Texts{testing::text(Operation::inherit, tree->top, EINVAL)});
    }
    EXPECT_EQ(values_of(file), (Values{0, 0640}));
}

TEST_F(RepairTree, AGroupToBeReplacedMustExist) {
    RepairOptions options = repair_options(false, tree->outside / "journal");
    options.change_gids = {existing_group, 3'999'999'999};
    EXPECT_THROW(Repair(make_posix_file_system(), tree->top, options), std::invalid_argument);
    EXPECT_FALSE(std::filesystem::exists(options.journal));
    EXPECT_TRUE(group_exists(0));
    EXPECT_FALSE(group_exists(3'999'999'999));
    const std::string file = tree->file("file", {existing_group, 0600});
    RepairOptions existing = repair_options(false);
    existing.change_gids = {existing_group};
    run_repair(tree->top, existing);
    EXPECT_EQ(values_of(file), (Values{shared_group, 0640}));
}

TEST_F(RepairTree, OnlyRootMakesChangesAndAnyoneMayAsk) {
    ASSERT_EQ(::chmod(tree->outside.path().c_str(), 0755), 0);
    const std::string file = tree->file("file", {user, 0600});
    const std::string journal = tree->outside / "journal";
    as_user([&] {
        try {
            run_repair(tree->top, repair_options(false, journal));
            ADD_FAILURE() << "not refused";
        } catch (const SystemError& error) {
            EXPECT_EQ(error.error(), EPERM);
        }
        EXPECT_EQ(run_repair(tree->top, repair_options(true, journal)).changed_paths(),
                  Texts{file});
    });
    EXPECT_FALSE(std::filesystem::exists(journal));
    EXPECT_EQ(values_of(file), (Values{user, 0600}));
}

TEST_F(RepairTree, AProtectedTopIsRefused) {
    std::filesystem::create_directory_symlink("/etc", *tree / "link");
    for (const std::string& top : {std::string("/"), std::string("/etc"), *tree / "link"}) {
        EXPECT_THROW(Repair(make_posix_file_system(), top, {}), ProtectedPath) << top;
    }
    EXPECT_THROW(Repair(make_posix_file_system(), *tree / "none", {}), SystemError);
}

TEST_F(RepairTree, AFileWithOtherLinksIsSkipped) {
    const std::string file = tree->file("file", {user, 0600});
    std::filesystem::create_hard_link(file, tree->outside / "link");
    for (const bool dry_run : {true, false}) {
        const Outcome outcome = run_repair(tree->top, repair_options(dry_run));
        EXPECT_EQ(outcome.counts.changes, 0U);
        ASSERT_EQ(outcome.skipped.size(), 1U);
        EXPECT_EQ(outcome.skipped[0].path, file);
        EXPECT_EQ(outcome.skipped[0].reason, SkipReason::hard_links);
    }
    EXPECT_EQ(values_of(file), (Values{user, 0600}));
}

// Else the line of the link that was not used would be about a change that nobody made.
TEST_F(RepairTree, AFileWithSeveralNamesIsOneChangeAndOneLine) {
    tree->directory("a", {shared_group, 02750});
    tree->directory("b", {other_group, 02750});
    const std::string file = tree->file("a/file", {user, 0600});
    std::filesystem::create_hard_link(file, *tree / "b/file");
    std::filesystem::create_hard_link(file, *tree / "a/again");
    RepairOptions options = repair_options(true, tree->outside / "journal");
    options.hard_links = true;
    EXPECT_EQ(run_repair(tree->top, options).counts.changes, 1U);
    options.dry_run = false;
    const Outcome made = run_repair(tree->top, options);
    ASSERT_EQ(made.changes.size(), 1U);
    const auto lines = lines_of(options.journal);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].path, made.changes[0].path);
    EXPECT_EQ(lines[0].new_gid, made.changes[0].new_gid);
    const Outcome undone = run_undo(options.journal);
    EXPECT_TRUE(undone.skipped.empty());
    EXPECT_EQ(values_of(file), (Values{user, 0600}));
}

TEST_F(RepairTree, TheJournalHasALineForEachChange) {
    const std::string inner = tree->directory("inner", {user, 0700});
    const std::string file = tree->file("inner/\xFF\n", {user, 0600});
    const std::string journal = tree->outside / "journal";
    run_repair(tree->top + "//", repair_options(false, journal));
    const auto lines = lines_of(journal);
    ASSERT_EQ(lines.size(), 2U);
    for (const auto& line : lines) {
        const bool is_file = line.path == std::filesystem::canonical(file).native();
        EXPECT_TRUE(is_file || line.path == std::filesystem::canonical(inner).native());
        EXPECT_EQ(line.inode, inode_of(is_file ? file : inner));
        EXPECT_EQ((Values{line.old_gid, line.old_mode}),
                  (is_file ? Values{user, 0600} : Values{user, 0700}));
        EXPECT_EQ((Values{line.new_gid, line.new_mode}),
                  (is_file ? Values{shared_group, 0640} : Values{shared_group, 02750}));
        EXPECT_EQ(line.uid, user);
    }
}

// What is seen from below a mount is what the walk has seen from above it.
TEST_F(RepairTree, AGroupReachesAcrossAMount) {
    const std::string mounted = tree->directory("mounted", {user, 0700});
    bool permitted = false;
    std::thread([&] {
        permitted = ::unshare(CLONE_FS | CLONE_NEWNS) == 0 &&
                    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                    ::mount("none", mounted.c_str(), "tmpfs", 0, "size=1m") == 0;
        if (!permitted) return;
        give(mounted, user, {user, 0700});
        const std::string file = tree->file("mounted/file", {user, 0600});
        const Outcome outcome = run_repair(tree->top);
        EXPECT_EQ(outcome.changed_paths(), (Texts{mounted, file}));
        EXPECT_TRUE(outcome.skipped.empty());
        EXPECT_EQ(values_of(file), (Values{shared_group, 0640}));
        EXPECT_EQ(values_of(mounted), (Values{shared_group, 02750}));
    }).join();
    if (!permitted) GTEST_SKIP() << "mounting is not permitted";
}

// Whoever can write it can have undo do as they like.
TEST_F(RepairTree, AJournalInTheTreeStaysRootsAlone) {
    const std::string journal = *tree / "journal";
    RepairOptions options = repair_options(false, journal);
    options.force_group_writable = true;
    const std::string file = tree->file("file", {user, 0600});
    run_repair(tree->top, options);
    EXPECT_EQ(values_of(journal).mode, 0600U);
    EXPECT_EQ(values_of(file), (Values{shared_group, 0660}));
    for (const bool dry_run : {true, false}) {
        RepairOptions again = options;
        again.dry_run = dry_run;
        EXPECT_EQ(run_repair(tree->top, again).changed_paths(), Texts{});
    }
    EXPECT_EQ(run_undo(journal).changed_paths(), Texts{file});
}

// Times further away than a number of nanoseconds can say; some file systems have them.
TEST_F(RepairTree, AFileOfTheFarFutureIsJournaled) {
    const std::string file = tree->file("file", {user, 04755});
    ASSERT_EQ(::chown(file.c_str(), user, 0), 0);
    ASSERT_EQ(::chmod(file.c_str(), 04755), 0);
    const timespec far{std::int64_t{1} << 40U, 5};
    const std::array<timespec, 2> times{far, far};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times.data(), 0), 0);
    const std::string journal = tree->outside / "journal";
    run_repair(tree->top, repair_options(false, journal));
    EXPECT_EQ(values_of(file), (Values{shared_group, 0755}));
    EXPECT_TRUE(run_undo(journal).skipped.empty());
    EXPECT_EQ(values_of(file), (Values{0, 04755}));
}

}  // namespace
}  // namespace filetree
