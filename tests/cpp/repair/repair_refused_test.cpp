// Systems on which nothing can be repaired: they say so before anything is done.

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>

#include "../fs/platform.hpp"
#include "filetree/posix_fs.hpp"
#include "filetree/repair.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using testing::TemporaryDirectory;

class RepairRefused : public ::testing::TestWithParam<bool> {
   protected:
    void SetUp() override {
        if (platform::can_pin) GTEST_SKIP() << "repairs are available on this system";
    }

    static void expect_refusal(const std::function<void()>& begin, const std::string& name) {
        try {
            begin();
            FAIL() << "not refused";
        } catch (const SystemError& error) {
            EXPECT_EQ(error.error(), EOPNOTSUPP);
            EXPECT_EQ(error.path(), name);
            EXPECT_EQ(error.reason(), "repair is not available on this system");
        }
    }

    const TemporaryDirectory tree;
    const std::string journal = tree / "journal";
};

TEST_P(RepairRefused, ARepairChangesNothingAndMakesNoJournal) {
    RepairOptions options;
    options.dry_run = GetParam();
    options.journal = journal;
    expect_refusal([&] { const Repair repair(make_posix_file_system(), tree.path(), options); },
                   tree.path());
    EXPECT_FALSE(std::filesystem::exists(journal));
}

TEST_P(RepairRefused, AnUndoDoesNotReadItsJournal) {
    expect_refusal([&] { const Undo undo(make_posix_file_system(), journal, GetParam()); },
                   journal);
}

INSTANTIATE_TEST_SUITE_P(DryOrNot, RepairRefused, ::testing::Bool());

}  // namespace
}  // namespace filetree
