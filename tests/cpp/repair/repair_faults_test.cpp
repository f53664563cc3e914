// Repairs in which calls fail: nothing is half done silently, and one failure ends nothing.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <optional>

#include "filetree/repair.hpp"
#include "support/file_size_limit.hpp"
#include "support/repairs.hpp"

namespace filetree {
namespace {

using testing::CallCounter;
using testing::error_at;
using testing::failing;
using testing::FileSizeLimit;
using testing::kind_bits;
using testing::Outcome;
using testing::patience;
using testing::run_repair;
using testing::shared_group;
using testing::SharedTree;
using testing::text;
using testing::user;
using testing::Values;
using testing::values_of;

using Texts = std::vector<std::string>;

const RepairOptions apply = testing::repair_options(false);

class RepairFaults : public ::testing::Test {
   protected:
    void SetUp() override {
        FILETREE_NEEDS_REPAIRS();
        tree.emplace();
        fine = tree->file("fine", {user, 0600});
    }
    void expect_fine_repaired(const Outcome& outcome) const {
        EXPECT_EQ(values_of(fine), (Values{shared_group, 0640}));
        EXPECT_EQ(outcome.changed_paths(), Texts{fine});
    }

    std::optional<SharedTree> tree;
    std::string fine;
};

TEST_F(RepairFaults, WithoutTheGroupNoPermissionIsGiven) {
    const std::string file = tree->file("file", {user, 0600});
    const std::string inner = tree->directory("inner", {user, 0700});
    const Outcome outcome =
        run_repair(tree->top, apply, failing([&](const FaultyCall& call) {
                       const bool fails = call.operation == Operation::chown && call.path != fine;
                       return Fault{fails ? EPERM : 0};
                   }));
    EXPECT_EQ(values_of(file), (Values{user, 0600}));
    EXPECT_EQ(values_of(inner), (Values{user, 0700}));
    EXPECT_EQ(outcome.errors,
              (Texts{text(Operation::chown, file, EPERM), text(Operation::chown, inner, EPERM)}));
    expect_fine_repaired(outcome);
    EXPECT_EQ(run_repair(tree->top).counts.changes, 2U) << "a second run finishes it";
}

// What was cleared before the group could not be given is a change.
TEST_F(RepairFaults, SetIdBitsClearedForAGroupThatIsNotGivenAreInTheRecord) {
    const std::string file = tree->file("file", {user, 06711});
    const Outcome outcome =
        run_repair(tree->top, apply, failing(error_at(Operation::chown, file, EPERM)));
    EXPECT_EQ(values_of(file), (Values{user, 0711}));
    ASSERT_EQ(outcome.changed_paths(), (Texts{file, fine}));
    EXPECT_EQ(outcome.changes[0].kinds, kind_bits({ChangeKind::cleared}));
    EXPECT_EQ(outcome.changes[0].new_gid, user);
    EXPECT_EQ(outcome.changes[0].new_mode, 0711U);
    EXPECT_EQ(outcome.errors, Texts{text(Operation::chown, file, EPERM)});
}

TEST_F(RepairFaults, SetIdBitsThatCannotBeClearedKeepTheGroup) {
    const std::string file = tree->file("file", {user, 06711});
    const Outcome outcome =
        run_repair(tree->top, apply, failing(error_at(Operation::chmod, file, EIO)));
    EXPECT_EQ(values_of(file), (Values{user, 06711}));
    EXPECT_EQ(outcome.errors, Texts{text(Operation::chmod, file, EIO)});
    expect_fine_repaired(outcome);
}

TEST_F(RepairFaults, TheRecordHasWhatWasDoneWhenThePermissionsFail) {
    const std::string file = tree->file("file", {user, 0600});
    const std::string inner = tree->directory("inner", {user, 0700});
    const Outcome outcome =
        run_repair(tree->top, apply, failing([&](const FaultyCall& call) {
                       const bool fails = call.operation == Operation::chmod && call.path != fine;
                       return Fault{fails ? EROFS : 0};
                   }));
    EXPECT_EQ(outcome.errors,
              (Texts{text(Operation::chmod, file, EROFS), text(Operation::chmod, inner, EROFS)}));
    ASSERT_EQ(outcome.changed_paths(), (Texts{file, fine, inner}));
    for (const std::size_t i : {0U, 2U}) {
        const ChangeRecord& record = outcome.changes[i];
        EXPECT_EQ(record.kinds, kind_bits({ChangeKind::group}));
        EXPECT_EQ(record.old_mode, record.new_mode);
        EXPECT_EQ(values_of(record.path), (Values{shared_group, record.old_mode}));
    }
    EXPECT_EQ(outcome.counts.kinds, (std::array<std::uint64_t, 4>{3, 0, 1, 0}));
}

TEST_F(RepairFaults, WithoutDescriptorsItWaitsForSome) {
    const std::string file = tree->file("file", {user, 0600});
    const auto counter = std::make_shared<CallCounter>();
    const Outcome outcome =
        run_repair(tree->top, apply, failing([file, counter](const FaultyCall& call) {
                       const bool pins = call.operation == Operation::open && call.path == file;
                       const int count = pins ? counter->count(call) : 9;
                       return Fault{count == 1 ? EMFILE : count == 2 ? ENFILE : 0};
                   }));
    EXPECT_EQ(values_of(file), (Values{shared_group, 0640}));
    EXPECT_EQ(outcome.errors, Texts{});
}

TEST_F(RepairFaults, WhatCannotBeTakenHoldOfIsAnError) {
    const std::string file = tree->file("file", {user, 0600});
    const Outcome outcome =
        run_repair(tree->top, apply, failing(error_at(Operation::open, file, EACCES)));
    EXPECT_EQ(values_of(file), (Values{user, 0600}));
    EXPECT_EQ(outcome.errors, Texts{text(Operation::open, file, EACCES)});
    expect_fine_repaired(outcome);
}

TEST_F(RepairFaults, ADirectoryThatCannotBeOpenedIsAnErrorAndStaysAsItIs) {
    const std::string inner = tree->directory("inner", {user, 0700});
    const Outcome outcome =
        run_repair(tree->top, apply, failing(error_at(Operation::open, inner, EACCES)));
    EXPECT_EQ(values_of(inner), (Values{user, 0700}));
    EXPECT_EQ(outcome.errors, Texts{text(Operation::open, inner, EACCES)});
    expect_fine_repaired(outcome);
}

// The directory is not at hand where its last name hangs.
TEST_F(RepairFaults, ADirectoryWhoseOnlyNameHangsIsAnErrorToo) {
    const std::string inner = tree->directory("inner", {user, 0700});
    const std::string file = tree->file("inner/file", {user, 0600});
    RepairOptions options = apply;
    options.walk.stall_timeout = std::chrono::seconds(1);
    const auto fs = failing(testing::fault_at(Operation::stat, file, testing::hang));
    const Outcome outcome = run_repair(tree->top, options, fs);
    fs->release();
    EXPECT_EQ(values_of(inner), (Values{user, 0700}));
    EXPECT_EQ(outcome.errors, (Texts{text(Operation::open, inner, ESTALE),
                                     text(Operation::stat, file, ETIMEDOUT)}));
    expect_fine_repaired(outcome);
}

TEST_F(RepairFaults, AChangeThatFindsNoRoomInTheJournalIsNotMade) {
    const std::string inner = tree->directory("inner", {user, 0700});
    const auto calls = std::make_shared<std::atomic<int>>(0);
    RepairOptions options = apply;
    options.journal = tree->outside / "journal";
    const FileSizeLimit limited(100);
    Repair repair(failing([calls](const FaultyCall& call) {
                      const bool changes =
                          call.operation == Operation::chown || call.operation == Operation::chmod;
                      if (changes) ++*calls;
                      return Fault{};
                  }),
                  tree->top, options);
    try {
        (void)repair.wait(patience);
        ADD_FAILURE() << "there was room";
    } catch (const SystemError& error) {
        EXPECT_EQ(error.error(), EFBIG);
        EXPECT_EQ(error.path(), options.journal);
    }
    limited.lift();
    EXPECT_EQ(calls->load(), 0);
    EXPECT_EQ(values_of(fine), (Values{user, 0600}));
    EXPECT_EQ(values_of(inner), (Values{user, 0700}));
    EXPECT_EQ(repair.counts().changes, 0U);
}

}  // namespace
}  // namespace filetree
