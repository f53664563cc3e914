// Protected directories, known by path and by what they are.

#include "protected.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "../fs/platform.hpp"
#include "filetree/posix_fs.hpp"
#include "support/call.hpp"
#include "support/fake_directory.hpp"
#include "support/temporary_directory.hpp"

namespace filetree::repair {
namespace {

using filetree::testing::Caller;
using filetree::testing::FakeDirectory;
using filetree::testing::TemporaryDirectory;

class Protected : public ::testing::Test {
   protected:
    // The protected directory that an open one is or lies in.
    std::string holder_of(const std::string& path) {
        const auto opened = fs->open(path, caller.context);
        EXPECT_TRUE(opened.ok()) << path;
        const auto holding = places.holding(*opened.value, caller.context);
        EXPECT_EQ(holding.error, 0) << path;
        return std::string(holding.value);
    }
    Attributes attributes(const std::string& path) {
        return fs->attributes(path, true, StatMask::all, caller.context).attributes;
    }

    Caller caller;
    std::shared_ptr<FileSystem> fs = make_posix_file_system();
    ProtectedDirectories places{*fs, caller.context};
};

TEST_F(Protected, APathIsHeldByWholeComponents) {
    const auto holding = [](std::string_view path) { return ProtectedDirectories::holding(path); };
    EXPECT_EQ(holding("/"), "/");
    for (const std::string_view place : protected_directories) {
        const std::string path(place);
        EXPECT_EQ(holding(path), place);
        EXPECT_EQ(holding(path + "/inner/most"), place);
        EXPECT_EQ(holding(path + "data"), "") << path;
        EXPECT_EQ(holding("/home" + path), "");
    }
    EXPECT_EQ(holding("/lib64/x"), "/lib64");
    EXPECT_EQ(holding("/usrdata"), "");
    EXPECT_EQ(holding("/home"), "");
    EXPECT_EQ(holding(""), "");
}

TEST_F(Protected, AnOpenDirectoryIsHeldWhateverItsPath) {
    if (!platform::can_pin) GTEST_SKIP() << "what is above a directory is found by pinning it";
    const TemporaryDirectory tree;
    EXPECT_EQ(holder_of("/"), "/");
    EXPECT_EQ(holder_of("/etc"), "/etc");
    EXPECT_EQ(holder_of("/usr/share"), "/usr");
    EXPECT_EQ(holder_of(tree.path()), "");
    std::filesystem::create_directory_symlink("/usr/share", tree / "link");
    EXPECT_EQ(holder_of(tree / "link"), "/usr");
}

TEST_F(Protected, WhatCannotBeSeenUpToTheRootIsAnError) {
    class Blind final : public Directory {
       public:
        Result<bool> read(Listing& /*out*/, CallContext& /*context*/) override { return {}; }
        std::size_t stat(const Listing& /*names*/, std::size_t /*first*/, std::size_t /*last*/,
                         StatMask /*mask*/, StatResult* /*out*/,
                         CallContext& /*context*/) override {
            return 0;
        }
        Result<std::shared_ptr<Directory>> open(const char* /*name*/,
                                                CallContext& /*context*/) override {
            return Result<std::shared_ptr<Directory>>::failure(EACCES);
        }
        StatResult attributes(CallContext& /*context*/) override {
            return {filetree::testing::directory_attributes(), 0};
        }
        bool dates_changes(const Attributes& /*attributes*/, CallContext& /*context*/) override {
            return true;
        }
    } blind;
    EXPECT_NE(places.holding(blind, caller.context).error, 0);
}

TEST_F(Protected, ADirectoryOfAWalkIsHeldByThoseAboveIt) {
    const FakeDirectory top("t", attributes("/tmp"), -1, 0);
    const FakeDirectory bound("t/e", attributes("/etc"), 0, 0, &top);
    const FakeDirectory inner("t/e/i", attributes("/tmp"), 1, 0, &bound);
    EXPECT_FALSE(places.hold(&top));
    EXPECT_TRUE(places.hold(&bound));
    EXPECT_TRUE(places.hold(&inner));
    EXPECT_FALSE(places.hold(nullptr));
    EXPECT_EQ(places.being(attributes("/etc")), "/etc");
    EXPECT_EQ(places.being(attributes("/tmp")), "");
    Attributes other_device = attributes("/etc");
    ++other_device.device;
    EXPECT_EQ(places.being(other_device), "");
}

TEST_F(Protected, APathIsResolvedAsFarAsItLeadsSomewhere) {
    const TemporaryDirectory tree;
    const std::string real = std::filesystem::canonical(tree.path()).native();
    std::filesystem::create_directory(tree / "d");
    std::filesystem::create_directory_symlink("d", tree / "link");
    EXPECT_EQ(resolved(tree / "link/"), real + "/d");
    EXPECT_EQ(resolved(tree / "link/../link/./none/at/all//"), real + "/d/none/at/all");
    EXPECT_EQ(resolved("/"), "/");
    EXPECT_EQ(resolved("///"), "/");
    std::filesystem::create_symlink("loop", tree / "loop");
    EXPECT_TRUE(resolved(tree / "loop").starts_with("/"));
}

TEST(ProtectedPath, SaysWhichPlace) {
    EXPECT_STREQ(ProtectedPath("/x/..", "/").what(), "top: /x/.. is /, where nothing is repaired");
    EXPECT_STREQ(ProtectedPath("/l", "/etc").what(),
                 "top: /l is or lies in /etc, where nothing is repaired");
}

}  // namespace
}  // namespace filetree::repair
