// Walks across mounts, in a mount namespace of the test's own. Only root may have one.

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <thread>

#include "filetree/posix_fs.hpp"
#include "support/call.hpp"
#include "support/tally.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using testing::TemporaryDirectory;
using testing::walk_all;

using Paths = std::set<std::string>;

// Runs `body` on a thread with a mount namespace of its own, which the threads that it starts
// share, and which takes its mounts with it. False where that is not permitted.
template <class Body>
bool in_own_mount_namespace(Body body) {
    bool permitted = false;
    std::thread([&] {
        permitted = ::unshare(CLONE_FS | CLONE_NEWNS) == 0 &&
                    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
        if (permitted) body();
    }).join();
    return permitted;
}

class WalkMount : public ::testing::Test {
   protected:
    Paths find(const WalkOptions& options) {
        const auto walked = walk_all(make_posix_file_system(), tree.path(), options);
        EXPECT_TRUE(walked.finished);
        EXPECT_TRUE(walked.errors.empty());
        file_count = walked.found->directories.at(tree.path()).totals.file_count;
        Paths out;
        for (const std::string& path : walked.found->paths()) {
            if (path != tree.path()) out.insert(path.substr(tree.path().size() + 1));
        }
        return out;
    }

    [[nodiscard]] bool mounts_have_numbers() const {
        testing::Caller caller;
        const StatResult top =
            make_posix_file_system()->attributes(tree.path(), true, StatMask::type, caller.context);
        return top.attributes.mount_id != top.attributes.device;
    }

    TemporaryDirectory tree;
    std::uint64_t file_count = 0;
};

TEST_F(WalkMount, OneFileSystemLeavesOutOtherMounts) {
    tree.add_directory("plain");
    tree.add_file("plain/f");
    tree.add_directory("mounted");
    const bool permitted = in_own_mount_namespace([&] {
        ASSERT_EQ(::mount("none", (tree / "mounted").c_str(), "tmpfs", 0, "size=1m"), 0);
        tree.add_file("mounted/g");
        const Paths everything{"plain", "plain/f", "mounted", "mounted/g"};
        const Paths here{"plain", "plain/f"};
        WalkOptions options;
        EXPECT_EQ(find(options), everything);
        options.one_file_system = true;
        EXPECT_EQ(find(options), here);
        EXPECT_EQ(file_count, 2U) << "the mount point's name is counted";
        options.attributes = false;
        EXPECT_EQ(find(options), here);
    });
    if (!permitted) GTEST_SKIP() << "mounting is not permitted";
}

TEST_F(WalkMount, OneFileSystemLeavesOutABindMountOfTheSameFileSystem) {
    if (!mounts_have_numbers()) GTEST_SKIP() << "mounts are told by their devices only";
    tree.add_directory("plain");
    tree.add_file("plain/f");
    tree.add_directory("bound");
    const bool permitted = in_own_mount_namespace([&] {
        ASSERT_EQ(
            ::mount((tree / "plain").c_str(), (tree / "bound").c_str(), nullptr, MS_BIND, nullptr),
            0);
        WalkOptions options;
        EXPECT_EQ(find(options), (Paths{"plain", "plain/f", "bound", "bound/f"}));
        options.one_file_system = true;
        EXPECT_EQ(find(options), (Paths{"plain", "plain/f"}));
    });
    if (!permitted) GTEST_SKIP() << "mounting is not permitted";
}

}  // namespace
}  // namespace filetree
