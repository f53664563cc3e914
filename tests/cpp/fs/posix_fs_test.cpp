#include "filetree/posix_fs.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <set>
#include <thread>

#include "support/call.hpp"
#include "support/limits.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using testing::Caller;
using testing::open_descriptors;
using testing::read_all;
using testing::scaled;
using testing::stat_name;
using testing::TemporaryDirectory;

class PosixFs : public ::testing::Test {
   protected:
    std::shared_ptr<Directory> open_top() {
        auto opened = fs->open(tree.path(), caller.context);
        EXPECT_EQ(opened.error, 0);
        return opened.value;
    }

    // One entry of each kind, and names that no sane person would choose.
    void add_odd_entries() const {
        for (const std::string& name : odd_names()) tree.add_file(name, name.size());
        tree.add_directory("directory");
        tree.add_directory(".hidden");
        std::filesystem::create_symlink("directory", tree / "link");
        std::filesystem::create_symlink("nowhere at all", tree / "dangling");
        std::filesystem::create_hard_link(tree / "plain", tree / "twin");
        ASSERT_EQ(::mkfifo((tree / "fifo").c_str(), 0600), 0);
        const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (tree / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ::close(socket);
        ASSERT_EQ(::truncate(tree.add_file("sparse").c_str(), off_t{1} << 32), 0);
        const timespec times[2] = {{-1'000'000, 999'999'999}, {4'000'000'000, 1}};
        ASSERT_EQ(::utimensat(AT_FDCWD, (tree / "plain").c_str(), times, 0), 0);
    }
    static std::vector<std::string> odd_names() {
        return {"plain",
                " ",
                "a b",
                "new\nline",
                "tab\t",
                "quote\"",
                "\xff\xfe",
                "\x01",
                "...",
                "..a",
                "-rf",
                "*",
                "back\\",
                "ü.txt",
                "\xed\xa0\x80",
                "\x7f",
                std::string(255, 'n')};
    }

    TemporaryDirectory tree;
    std::shared_ptr<FileSystem> fs = make_posix_file_system();
    Caller caller;
};

EntryType type_of(const struct stat& attributes) {
    return static_cast<EntryType>(attributes.st_mode >> 12U & 15U);
}

TEST_F(PosixFs, ListsTheNamesThatReaddirLists) {
    add_odd_entries();
    Listing listing;
    ASSERT_EQ(read_all(*open_top(), listing, caller.context), 0);
    std::multiset<std::string> found;
    for (std::size_t i = 0; i < listing.size(); ++i) found.emplace(listing.name(i));
    const auto expected = tree.names();
    EXPECT_EQ(found, std::multiset<std::string>(expected.begin(), expected.end()));
}

TEST_F(PosixFs, GivesTheAttributesThatLstatGives) {
    add_odd_entries();
    const auto top = open_top();
    Listing listing;
    ASSERT_EQ(read_all(*top, listing, caller.context), 0);
    ASSERT_GT(listing.size(), 20U);
    std::vector<StatResult> results(listing.size());
    ASSERT_EQ(top->stat(listing, 0, listing.size(), StatMask::all, results.data(), caller.context),
              listing.size());
    for (std::size_t i = 0; i < listing.size(); ++i) {
        SCOPED_TRACE(listing.c_str(i));
        struct stat expected {};
        ASSERT_EQ(::lstat((tree / listing.c_str(i)).c_str(), &expected), 0);
        ASSERT_EQ(results[i].error, 0);
        const Attributes& a = results[i].attributes;
        EXPECT_EQ(a.inode, expected.st_ino);
        EXPECT_EQ(a.device, expected.st_dev);
        EXPECT_EQ(a.mode, expected.st_mode);
        EXPECT_EQ(a.links, expected.st_nlink);
        EXPECT_EQ(a.uid, expected.st_uid);
        EXPECT_EQ(a.gid, expected.st_gid);
        EXPECT_EQ(a.size, static_cast<std::uint64_t>(expected.st_size));
        EXPECT_EQ(a.blocks, static_cast<std::uint64_t>(expected.st_blocks));
        EXPECT_EQ(a.mtime.seconds, expected.st_mtim.tv_sec);
        EXPECT_EQ(a.mtime.nanoseconds, expected.st_mtim.tv_nsec);
        EXPECT_EQ(a.ctime.seconds, expected.st_ctim.tv_sec);
        EXPECT_EQ(a.ctime.nanoseconds, expected.st_ctim.tv_nsec);
        EXPECT_EQ(a.atime.seconds, expected.st_atim.tv_sec);
        if (listing.type(i) != EntryType::unknown) {
            EXPECT_EQ(listing.type(i), type_of(expected));
        }
        EXPECT_EQ(a.is_directory(), S_ISDIR(expected.st_mode));
    }
}

TEST_F(PosixFs, TellsTypesWhenAskedOnlyForThem) {
    add_odd_entries();
    const auto top = open_top();
    for (const char* name : {"plain", "directory", "link", "fifo", "socket"}) {
        SCOPED_TRACE(name);
        struct stat expected {};
        ASSERT_EQ(::lstat((tree / name).c_str(), &expected), 0);
        const StatResult result = stat_name(*top, name, caller.context, StatMask::type);
        ASSERT_EQ(result.error, 0);
        EXPECT_EQ(result.attributes.mode & S_IFMT, expected.st_mode & S_IFMT);
        EXPECT_EQ(result.attributes.inode, expected.st_ino);
    }
}

TEST_F(PosixFs, GivesTheAttributesOfTheDirectoryItself) {
    struct stat expected {};
    ASSERT_EQ(::stat(tree.path().c_str(), &expected), 0);
    const StatResult result = open_top()->attributes(caller.context);
    ASSERT_EQ(result.error, 0);
    EXPECT_EQ(result.attributes.inode, expected.st_ino);
    EXPECT_EQ(result.attributes.device, expected.st_dev);
    EXPECT_EQ(result.attributes.mode, expected.st_mode);
}

TEST_F(PosixFs, GivesTheAttributesOfAPathWithAndWithoutFollowingASymlink) {
    add_odd_entries();
    for (const StatMask mask : {StatMask::type, StatMask::change, StatMask::all}) {
        for (const char* name : {"plain", "directory", "link", "fifo", "", "link/."}) {
            SCOPED_TRACE(name);
            struct stat itself {};
            struct stat target {};
            ASSERT_EQ(::lstat((tree / name).c_str(), &itself), 0);
            ASSERT_EQ(::stat((tree / name).c_str(), &target), 0);
            for (const bool follow : {false, true}) {
                const struct stat& expected = follow ? target : itself;
                const StatResult result = fs->attributes(tree / name, follow, mask, caller.context);
                ASSERT_EQ(result.error, 0);
                EXPECT_EQ(result.attributes.inode, expected.st_ino);
                EXPECT_EQ(result.attributes.device, expected.st_dev);
                EXPECT_EQ(result.attributes.mode & S_IFMT, expected.st_mode & S_IFMT);
                if (mask == StatMask::type) continue;
                EXPECT_EQ(result.attributes.mtime.seconds, expected.st_mtim.tv_sec);
                EXPECT_EQ(result.attributes.mtime.nanoseconds, expected.st_mtim.tv_nsec);
                EXPECT_EQ(result.attributes.ctime.seconds, expected.st_ctim.tv_sec);
                EXPECT_EQ(result.attributes.ctime.nanoseconds, expected.st_ctim.tv_nsec);
            }
        }
    }
}

TEST_F(PosixFs, SaysWhyAPathHasNoAttributes) {
    tree.add_file("plain");
    std::filesystem::create_symlink("nowhere", tree / "dangling");
    std::filesystem::create_symlink("loop", tree / "loop");
    const auto error = [&](const std::string& path, bool follow) {
        return fs->attributes(path, follow, StatMask::change, caller.context).error;
    };
    EXPECT_EQ(error(tree / "missing", false), ENOENT);
    EXPECT_EQ(error(tree / "dangling", true), ENOENT);
    EXPECT_EQ(error(tree / "dangling", false), 0);
    EXPECT_EQ(error(tree / "loop", true), ELOOP);
    EXPECT_EQ(error(tree / "loop", false), 0);
    EXPECT_EQ(error(tree / "plain/below", false), ENOTDIR);
    EXPECT_EQ(error(tree / std::string(5'000, 'n'), false), ENAMETOOLONG);
    EXPECT_EQ(error("", true), ENOENT);
}

TEST_F(PosixFs, AStatOfChangesHasTheTimesThatLstatGives) {
    add_odd_entries();
    struct stat expected {};
    ASSERT_EQ(::lstat((tree / "plain").c_str(), &expected), 0);
    const StatResult result = stat_name(*open_top(), "plain", caller.context, StatMask::change);
    ASSERT_EQ(result.error, 0);
    EXPECT_EQ(result.attributes.mtime.seconds, expected.st_mtim.tv_sec);
    EXPECT_EQ(result.attributes.ctime.nanoseconds, expected.st_ctim.tv_nsec);
}

TEST_F(PosixFs, OpensAPathWithASymlinkAtItsEndOnlyWhenItMayFollow) {
    tree.add_directory("real/below");
    std::filesystem::create_directory_symlink("real", tree / "link");
    EXPECT_EQ(fs->open(tree / "link", caller.context, true).error, 0);
    const auto refused = fs->open(tree / "link", caller.context, false);
    EXPECT_TRUE(refused.error == ENOTDIR || refused.error == ELOOP) << refused.error;
    EXPECT_EQ(fs->open(tree / "real", caller.context, false).error, 0);
    EXPECT_EQ(fs->open(tree / "link/below", caller.context, false).error, 0);
}

TEST_F(PosixFs, KnowsThatADiskDatesItsChangesAndThatProcDoesNot) {
    const auto dates = [&](const std::string& path) {
        const auto opened = fs->open(path, caller.context);
        EXPECT_EQ(opened.error, 0) << path;
        const StatResult own = opened.value->attributes(caller.context);
        return opened.value->dates_changes(own.attributes, caller.context);
    };
    const TemporaryDirectory in_memory(TemporaryDirectory::Place::in_memory);
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(dates(tree.path()));
        EXPECT_TRUE(dates(in_memory.path()));
        EXPECT_FALSE(dates("/proc/self")) << "whatever was asked before";
    }
}

TEST_F(PosixFs, CachedAttributesAreTheSameOnALocalDisk) {
    tree.add_file("plain", 123);
    fs = make_posix_file_system({true, 0});
    const StatResult result = stat_name(*open_top(), "plain", caller.context);
    ASSERT_EQ(result.error, 0);
    EXPECT_EQ(result.attributes.size, 123U);
}

TEST_F(PosixFs, DoesNotOpenASymlinkToADirectoryBelowTheTop) {
    tree.add_directory("real");
    std::filesystem::create_directory_symlink("real", tree / "link");
    const auto top = open_top();
    const auto opened = top->open("link", caller.context);
    EXPECT_TRUE(opened.error == ENOTDIR || opened.error == ELOOP) << opened.error;
    EXPECT_EQ(top->open("real", caller.context).error, 0);
}

TEST_F(PosixFs, FollowsASymlinkAtTheTop) {
    tree.add_directory("real");
    std::filesystem::create_directory_symlink("real", tree / "link");
    EXPECT_EQ(fs->open(tree / "link", caller.context).error, 0);
}

TEST_F(PosixFs, SaysEnoentForNamesThatAreNotThere) {
    const auto top = open_top();
    EXPECT_EQ(top->open("missing", caller.context).error, ENOENT);
    EXPECT_EQ(stat_name(*top, "missing", caller.context).error, ENOENT);
    EXPECT_EQ(fs->open(tree / "missing", caller.context).error, ENOENT);
}

TEST_F(PosixFs, SaysEnotdirForWhatIsNoDirectoryAndNeverBlocksOnAFifo) {
    tree.add_file("plain");
    ASSERT_EQ(::mkfifo((tree / "fifo").c_str(), 0600), 0);
    const auto top = open_top();
    EXPECT_EQ(top->open("plain", caller.context).error, ENOTDIR);
    EXPECT_EQ(top->open("fifo", caller.context).error, ENOTDIR);
    EXPECT_EQ(fs->open(tree / "plain", caller.context).error, ENOTDIR);
    EXPECT_EQ(fs->open(tree / "fifo", caller.context).error, ENOTDIR);
}

TEST_F(PosixFs, AnEmptyDirectoryHasNoNames) {
    Listing listing;
    const auto top = open_top();
    EXPECT_EQ(read_all(*top, listing, caller.context), 0);
    EXPECT_TRUE(listing.empty());
}

TEST_F(PosixFs, ListsAHundredThousandNamesEachOnce) {
    const std::size_t count = scaled(100'000);
    const TemporaryDirectory crowded(TemporaryDirectory::Place::in_memory);
    for (std::size_t i = 0; i < count; ++i) {
        const std::string path = crowded / std::to_string(i);
        const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ASSERT_GE(fd, 0);
        ::close(fd);
    }
    Listing listing;
    const auto top = fs->open(crowded.path(), caller.context);
    ASSERT_EQ(top.error, 0);
    ASSERT_EQ(read_all(*top.value, listing, caller.context), 0);
    EXPECT_EQ(listing.size(), count);
    std::vector<bool> seen(count, false);
    for (std::size_t i = 0; i < listing.size(); ++i) {
        seen.at(static_cast<std::size_t>(std::stoul(listing.c_str(i)))) = true;
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), static_cast<std::ptrdiff_t>(count));
}

TEST_F(PosixFs, AddsOneBatchOfNamesWithEachRead) {
    const TemporaryDirectory crowded(TemporaryDirectory::Place::in_memory);
    const std::string name(200, 'n');
    for (int i = 0; i < 5'000; ++i) crowded.add_file(name + std::to_string(i));
    Listing listing;
    const auto top = fs->open(crowded.path(), caller.context);
    ASSERT_EQ(top.error, 0);
    const auto more = top.value->read(listing, caller.context);
    ASSERT_EQ(more.error, 0);
    EXPECT_TRUE(more.value);
    EXPECT_GT(listing.size(), 0U);
    EXPECT_LT(listing.size(), 5'000U);
}

TEST_F(PosixFs, StatsAndOpensInOneDirectoryFromManyThreads) {
    for (int i = 0; i < 50; ++i) {
        tree.add_directory("d" + std::to_string(i));
        tree.add_file("f" + std::to_string(i), static_cast<std::size_t>(i));
    }
    const auto top = open_top();
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            Caller own;
            for (int i = 0; i < 50; ++i) {
                const std::string number = std::to_string(i);
                const StatResult file = stat_name(*top, "f" + number, own.context);
                if (file.error != 0 || file.attributes.size != static_cast<unsigned>(i)) ++wrong;
                const auto opened = top->open(("d" + number).c_str(), own.context);
                if (!opened.ok() || opened.value->attributes(own.context).error != 0) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST_F(PosixFs, StopsBetweenNamesWhenAskedTo) {
    tree.add_file("a");
    Listing names;
    names.add("a", EntryType::unknown);
    StatResult result;
    const auto top = open_top();
    caller.stop = true;
    EXPECT_EQ(top->stat(names, 0, 1, StatMask::all, &result, caller.context), 0U);
}

TEST_F(PosixFs, EveryCallIsABeat) {
    tree.add_file("a");
    const auto top = open_top();
    const std::uint64_t opened = caller.context.beats();
    EXPECT_GT(opened, 0U);
    EXPECT_EQ(stat_name(*top, "a", caller.context).error, 0);
    EXPECT_GT(caller.context.beats(), opened);
}

TEST_F(PosixFs, ClosesItsDescriptors) {
    tree.add_directory("d");
    {
        const auto top = open_top();
        const auto below = top->open("d", caller.context);
        ASSERT_EQ(below.error, 0);
        EXPECT_EQ(open_descriptors(tree), 2U);
    }
    EXPECT_EQ(open_descriptors(tree), 0U);
}

TEST_F(PosixFs, ADirectoryThatHasBeenReadIsOneDescriptorAndIsClosedOnce) {
    tree.add_file("a");
    {
        const auto top = open_top();
        Listing listing;
        EXPECT_TRUE(top->read(listing, caller.context).value);
        EXPECT_FALSE(top->read(listing, caller.context).value);
        EXPECT_EQ(listing.size(), 1U);
        EXPECT_EQ(stat_name(*top, "a", caller.context).error, 0);
        EXPECT_EQ(open_descriptors(tree), 1U);
    }
    EXPECT_EQ(open_descriptors(tree), 0U);
}

TEST_F(PosixFs, TakesItsDescriptorBudgetFromTheLimitUnlessGiven) {
    EXPECT_EQ(make_posix_file_system({false, 33})->descriptor_budget(), 33U);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit low{64, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    const std::size_t budget = make_posix_file_system()->descriptor_budget();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_LT(budget, 64U);
    EXPECT_GE(budget, 8U);
}

}  // namespace
}  // namespace filetree
