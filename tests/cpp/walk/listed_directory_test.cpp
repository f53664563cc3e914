#include "listed_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>

#include "filetree/ordered_walk.hpp"
#include "filetree/posix_fs.hpp"
#include "support/altered_fs.hpp"
#include "support/call.hpp"
#include "support/faults.hpp"
#include "support/serial_walk.hpp"
#include "support/temporary_directory.hpp"

namespace filetree::walk {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::altered;
using testing::Caller;
using testing::error_at;
using testing::SerialSource;
using testing::TemporaryDirectory;
using testing::untyped;
using Indices = std::vector<std::uint32_t>;
using Names = std::vector<std::string>;

Names names_of(const Listing& listing) {
    Names out;
    for (std::size_t i = 0; i < listing.size(); ++i) out.emplace_back(listing.name(i));
    return out;
}

class ListedReal : public ::testing::Test {
   protected:
    void SetUp() override {
        for (const char* name : {"d", "d/inner", ".snapshot", ".hidden"}) tree.add_directory(name);
        tree.add_file("f");
        std::filesystem::create_symlink("d", tree / "to_d");
        std::filesystem::create_symlink("f", tree / "to_f");
        std::filesystem::create_symlink("nowhere", tree / "dangling");
        std::filesystem::create_symlink("loop", tree / "loop");
        ASSERT_EQ(::mkfifo((tree / "fifo").c_str(), 0600), 0);
    }

    ListedDirectory list(const ListingRules& rules = {}) {
        return list_directory(*fs, tree.path(), true, rules, caller.context);
    }
    // Names in the order of the directory.
    [[nodiscard]] Names expected(bool ignore_snapshots) const {
        std::vector<SerialSource::Entry> entries;
        EXPECT_EQ(testing::real_source().list(tree.path(), entries), 0);
        Names out;
        for (const auto& entry : entries) {
            if (!ignore_snapshots || entry.name != ".snapshot") out.push_back(entry.name);
        }
        return out;
    }
    static std::map<std::string, EntryType> types_of(const Listing& names) {
        std::map<std::string, EntryType> out;
        for (std::size_t i = 0; i < names.size(); ++i) {
            out.emplace(names.name(i), names.type(i));
        }
        return out;
    }

    TemporaryDirectory tree;
    std::shared_ptr<FileSystem> fs = make_posix_file_system();
    Caller caller;
};

TEST_F(ListedReal, HasTheNamesInTheirOrderWithTheTypesThatLstatGives) {
    for (const bool leave_to_lstat : {false, true}) {
        if (leave_to_lstat) fs = untyped(fs);
        for (const bool ignore : {false, true}) {
            const ListedDirectory listed = list({ignore, nanoseconds(0)});
            ASSERT_EQ(listed.error, 0);
            EXPECT_EQ(names_of(listed.names), expected(ignore));
            for (const auto& [name, type] : types_of(listed.names)) {
                struct stat attributes {};
                ASSERT_EQ(::lstat((tree / name).c_str(), &attributes), 0);
                EXPECT_EQ(static_cast<unsigned>(type), attributes.st_mode >> 12U) << name;
            }
        }
    }
}

TEST_F(ListedReal, HasTheAttributesOfTheDirectory) {
    struct stat attributes {};
    ASSERT_EQ(::stat(tree.path().c_str(), &attributes), 0);
    const ListedDirectory listed = list();
    EXPECT_EQ(listed.attributes.inode, attributes.st_ino);
    EXPECT_EQ(listed.attributes.device, attributes.st_dev);
    EXPECT_EQ(listed.attributes.mtime.nanoseconds, attributes.st_mtim.tv_nsec);
    EXPECT_EQ(listed.attributes.ctime.nanoseconds, attributes.st_ctim.tv_nsec);
    EXPECT_TRUE(listed.dates_changes);
}

TEST_F(ListedReal, OnlyDirectoriesCalledSnapshotAreLeftOut) {
    std::filesystem::remove(tree / ".snapshot");
    tree.add_file(".snapshot");
    EXPECT_EQ(names_of(list().names), expected(false));
    std::filesystem::remove(tree / ".snapshot");
    std::filesystem::create_symlink("d", tree / ".snapshot");
    EXPECT_EQ(names_of(list().names), expected(false)) << "symlinks are not followed ahead";
}

TEST_F(ListedReal, ATypeThatNobodyKnowsStaysUnknown) {
    fs = std::make_shared<FaultyFileSystem>(untyped(fs),
                                            error_at(Operation::stat, tree / "d", EACCES));
    const ListedDirectory listed = list();
    EXPECT_EQ(listed.error, 0);
    EXPECT_EQ(types_of(listed.names).at("d"), EntryType::unknown);
    EXPECT_EQ(types_of(listed.names).at("f"), EntryType::regular);
}

TEST_F(ListedReal, FollowsASymlinkOnlyWhenAskedTo) {
    const auto follow = list_directory(*fs, tree / "to_d", true, {}, caller.context);
    EXPECT_EQ(follow.error, 0);
    EXPECT_EQ(names_of(follow.names), Names{"inner"});
    const auto stay = list_directory(*fs, tree / "to_d", false, {}, caller.context);
    EXPECT_TRUE(stay.error == ENOTDIR || stay.error == ELOOP) << stay.error;
    EXPECT_EQ(list_directory(*fs, tree / "d", false, {}, caller.context).error, 0);
}

TEST_F(ListedReal, SymlinksThatLeadToDirectoriesBecomeDirectories) {
    for (const bool follow : {false, true}) {
        Listing names = list().names;
        const Names before = names_of(names);
        const Indices entered =
            resolve_links(*fs, tree.path(), follow, true, names, caller.context);
        EXPECT_EQ(names_of(names), before);
        const auto types = types_of(names);
        EXPECT_EQ(types.at("to_d"), EntryType::directory);
        for (const char* name : {"to_f", "dangling", "loop"}) {
            EXPECT_EQ(types.at(name), EntryType::symlink) << name;
        }
        Indices expected;
        for (std::uint32_t i = 0; i < names.size(); ++i) {
            const auto name = names.name(i);
            if (name == "d" || name == ".hidden" || (follow && name == "to_d")) {
                expected.push_back(i);
            }
        }
        EXPECT_EQ(entered, expected);
        const Listing unresolved = list().names;
        EXPECT_EQ(subdirectories(*fs, tree.path(), unresolved, follow, caller.context), expected);
    }
}

TEST_F(ListedReal, ASymlinkCalledSnapshotThatLeadsToADirectoryIsLeftOut) {
    std::filesystem::remove(tree / ".snapshot");
    std::filesystem::create_symlink("d", tree / ".snapshot");
    for (const bool ignore : {false, true}) {
        Listing names = list().names;
        const Indices entered =
            resolve_links(*fs, tree.path(), true, ignore, names, caller.context);
        EXPECT_EQ(names_of(names), expected(ignore));
        for (const std::uint32_t i : entered) EXPECT_EQ(names.type(i), EntryType::directory);
        EXPECT_EQ(entered.size(), ignore ? 3U : 4U);
    }
    std::filesystem::remove(tree / ".snapshot");
    std::filesystem::create_symlink("f", tree / ".snapshot");
    Listing names = list().names;
    (void)resolve_links(*fs, tree.path(), true, true, names, caller.context);
    EXPECT_EQ(names_of(names), expected(false));
}

std::shared_ptr<FaultyFileSystem> faulty(const SyntheticTree& tree, FaultPolicy policy) {
    return std::make_shared<FaultyFileSystem>(make_synthetic_file_system(tree, "/t"),
                                              std::move(policy));
}

TEST(ListedDirectory, AFailureHasAnErrorAndNoNames) {
    Caller caller;
    const auto unopened = faulty({2, 2, 1}, error_at(Operation::open, "/t", EACCES));
    const ListedDirectory none = list_directory(*unopened, "/t", true, {}, caller.context);
    EXPECT_EQ(none.error, EACCES);
    EXPECT_TRUE(none.names.empty());

    testing::CallCounter counter;
    const auto half = faulty({0, 5'000, 0}, [&](const FaultyCall& call) {
        return Fault{call.operation == Operation::read && counter.count(call) == 3 ? EIO : 0};
    });
    const ListedDirectory some = list_directory(*half, "/t", true, {}, caller.context);
    EXPECT_EQ(some.error, EIO);
    EXPECT_TRUE(some.names.empty()) << "os.walk gives nothing of such a directory";
    EXPECT_EQ(half->open_directories(), 0U);
}

TEST(ListedDirectory, IsGivenUpBetweenTwoReadsWhenItGrowsTooLarge) {
    Caller caller;
    const auto fs = make_synthetic_file_system({0, 5'000, 0}, "/t");  // five reads
    std::vector<std::size_t> footprints;
    const auto always = [&](std::size_t footprint) {
        footprints.push_back(footprint);
        return true;
    };
    const auto whole = list_directory(*fs, "/t", true, {}, caller.context, always);
    EXPECT_EQ(whole.error, 0);
    EXPECT_EQ(whole.names.size(), 5'000U);
    EXPECT_EQ(footprints.size(), 4U) << "after the last read there is nothing to give up";
    EXPECT_TRUE(std::is_sorted(footprints.begin(), footprints.end()));
    EXPECT_LT(footprints.front(), footprints.back());
    EXPECT_GE(whole.names.footprint(), footprints.back());

    const auto limit = footprints[2];
    const auto given_up = list_directory(*fs, "/t", true, {}, caller.context,
                                         [&](std::size_t footprint) { return footprint < limit; });
    EXPECT_EQ(given_up.error, ECANCELED);
    EXPECT_TRUE(given_up.names.empty());
}

// A directory with these times, listed now.
bool is_settled(const Timestamp& mtime, const Timestamp& ctime, nanoseconds settling,
                bool dates = true) {
    Caller caller;
    const auto fs = altered(make_synthetic_file_system({1, 1, 1}, "/t"),
                            {[&](const std::string&, Attributes& attributes) {
                                 attributes.mtime = mtime;
                                 attributes.ctime = ctime;
                             },
                             [&](const std::string&) { return dates; },
                             {}});
    const auto listed = list_directory(*fs, "/t", true, {true, settling}, caller.context);
    EXPECT_EQ(listed.dates_changes, dates);
    return listed.settled;
}

TEST(ListedDirectory, IsSettledWhenItHasNotChangedForAWhile) {
    const auto ago = [](std::int64_t s) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return Timestamp{std::chrono::duration_cast<seconds>(now).count() - s, 0};
    };
    const nanoseconds settling = seconds(100);
    EXPECT_TRUE(is_settled(ago(200), ago(200), settling));
    EXPECT_FALSE(is_settled(ago(50), ago(200), settling));
    EXPECT_FALSE(is_settled(ago(200), ago(50), settling));
    EXPECT_FALSE(is_settled(ago(-50), ago(200), settling)) << "a clock that is ahead a little";
    EXPECT_FALSE(is_settled(ago(200), ago(-50), settling));
    EXPECT_FALSE(is_settled(ago(200), ago(-500), settling)) << "nobody sets a ctime";
    EXPECT_TRUE(is_settled(ago(-500), ago(200), settling)) << "an mtime set into the future";
    EXPECT_FALSE(is_settled({}, {}, settling)) << "no times are kept";
    EXPECT_TRUE(is_settled(ago(200), {}, settling));
    EXPECT_TRUE(is_settled({-5, 0}, ago(200), settling)) << "before 1970";
    EXPECT_FALSE(is_settled(ago(200), ago(200), settling, false)) << "changes are not dated";
}

TEST(ListedDirectory, IsCurrentWhileItIsTheSameDirectoryWithTheSameTimes) {
    ListedDirectory listed;
    listed.settled = true;
    listed.attributes = {};
    listed.attributes.inode = 5;
    listed.attributes.device = 6;
    listed.attributes.mode = 0040755;
    listed.attributes.mtime = {7, 8};
    listed.attributes.ctime = {9, 10};
    const StatResult same{listed.attributes, 0};
    EXPECT_TRUE(is_current(listed, same));

    const std::vector<std::function<void(StatResult&)>> differences{
        [](StatResult& now) { now.error = ENOENT; },
        [](StatResult& now) { ++now.attributes.inode; },
        [](StatResult& now) { ++now.attributes.device; },
        [](StatResult& now) { now.attributes.mode = 0100755; },
        [](StatResult& now) { now.attributes.mode = 0120777; },
        [](StatResult& now) { ++now.attributes.mtime.seconds; },
        [](StatResult& now) { --now.attributes.mtime.nanoseconds; },
        [](StatResult& now) { --now.attributes.ctime.seconds; },
        [](StatResult& now) { ++now.attributes.ctime.nanoseconds; }};
    for (std::size_t i = 0; i < differences.size(); ++i) {
        StatResult now = same;
        differences[i](now);
        EXPECT_FALSE(is_current(listed, now)) << "difference " << i;
    }
    StatResult accessed = same;  // what says nothing about the names
    ++accessed.attributes.atime.seconds;
    ++accessed.attributes.size;
    ++accessed.attributes.links;
    EXPECT_TRUE(is_current(listed, accessed));

    ListedDirectory recent = listed;
    recent.settled = false;
    EXPECT_FALSE(is_current(recent, same));
    ListedDirectory failed = listed;
    failed.error = EIO;
    EXPECT_FALSE(is_current(failed, same));
}

TEST(ListedDirectory, ItsAttributesAreThoseFromBeforeItWasRead) {
    Caller caller;
    bool read = false;
    const auto fs = altered(make_synthetic_file_system({2, 2, 1}, "/t"),
                            {[&](const std::string&, Attributes& attributes) {
                                 if (read) ++attributes.mtime.nanoseconds;
                             },
                             {},
                             [&](const std::string&, Listing&) { read = true; }});
    const auto listed = list_directory(*fs, "/t", true, {true, seconds(3)}, caller.context);
    EXPECT_TRUE(listed.settled);
    EXPECT_FALSE(is_current(listed, fs->attributes("/t", true, StatMask::change, caller.context)));
}

TEST(JoinPath, IsThatOfPython) {
    const std::vector<std::array<std::string, 3>> table{
        {"a", "b", "a/b"}, {"a/", "b", "a/b"},  {"a//", "b", "a//b"}, {"", "b", "b"},
        {"/", "b", "/b"},  {"a", "/b", "/b"},   {"a", "", "a/"},      {"", "", ""},
        {"a/", "", "a/"},  {"a", "b/", "a/b/"}, {".", "..", "./.."}};
    for (const auto& [parent, name, expected] : table) {
        std::string out = "what was there";
        join_path(out, parent, name);
        EXPECT_EQ(out, expected) << parent << " and " << name;
    }
}

}  // namespace
}  // namespace filetree::walk
