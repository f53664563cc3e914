// The rules alone, against what repair.hpp says of them.

#include "rules.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "support/fake_directory.hpp"
#include "support/repairs.hpp"

namespace filetree::repair {
namespace {

using filetree::testing::FakeDirectory;
using filetree::testing::kind_bits;

constexpr std::uint32_t owner = 1000;
constexpr std::uint32_t good = 5000;
constexpr std::uint32_t replaced = 6000;

Attributes entry(std::uint32_t mode, std::uint32_t gid, std::uint32_t uid = owner,
                 std::uint64_t links = 1) {
    Attributes attributes;
    attributes.mode = mode;
    attributes.uid = uid;
    attributes.gid = gid;
    attributes.links = links;
    return attributes;
}

// Directories one in the other; the top first.
class Chain {
   public:
    explicit Chain(std::initializer_list<Attributes> directories) {
        for (const Attributes& attributes : directories) {
            const auto depth = static_cast<std::int32_t>(chain_.size()) - 1;
            chain_.emplace_back("d", attributes, depth, 0, chain_.empty() ? nullptr : last());
        }
    }
    [[nodiscard]] const WalkedDirectory* last() const { return &chain_.back(); }
    [[nodiscard]] const WalkedDirectory* at(std::size_t i) const { return &chain_[i]; }

   private:
    std::deque<FakeDirectory> chain_;
};

const Chain shared_top{entry(0042770, good)};

Rules rules(std::vector<std::uint32_t> change_gids = {}, bool writable = false,
            bool hard_links = false) {
    RepairOptions options;
    options.change_gids = std::move(change_gids);
    options.force_group_writable = writable;
    options.hard_links = hard_links;
    return Rules(options);
}

struct Case {
    const char* what;
    Attributes entry;
    std::uint32_t gid;
    std::uint32_t mode;
    std::uint32_t writable_mode;  // with force_group_writable
};

TEST(RepairRules, EachKindOfEntryGetsItsGroupAndPermissions) {
    const std::vector<Case> cases = {
        {"directory", entry(0040700, good), good, 02750, 02770},
        {"directory with setgid", entry(0042700, good), good, 02750, 02770},
        {"setgid is all that lacks", entry(0040750, good), good, 02750, 02770},
        {"nothing is taken away", entry(0047777, good), good, 07777, 07777},
        {"private directory", entry(0040700, owner), good, 02750, 02770},
        {"private directory keeps setuid", entry(0044700, owner), good, 06750, 06770},
        {"directory of group 0", entry(0040511, 0), good, 02551, 02571},
        {"directory of a group to be replaced", entry(0040700, replaced), good, 02750, 02770},
        {"file", entry(0100600, good), good, 0640, 0660},
        {"file that nobody may read", entry(0100000, good), good, 0040, 0060},
        {"file does not become executable", entry(0100711, good), good, 0751, 0771},
        {"file keeps setuid with its group", entry(0106755, good), good, 06755, 06755},
        {"private file", entry(0100600, owner), good, 0640, 0660},
        {"private file with set-id bits", entry(0107755, owner), good, 01755, 01775},
        {"file of group 0", entry(0102755, 0), good, 0755, 0775},
        {"root's file of group 0", entry(0104755, 0, 0), good, 0755, 0775},
        {"file of a group to be replaced", entry(0100604, replaced), good, 0644, 0664},
        {"symlink", entry(0120777, owner), owner, 0777, 0777},
        {"fifo", entry(0010600, owner), good, 0600, 0600},
        {"fifo with setgid", entry(0012600, owner), good, 0600, 0600},
        {"fifo of a good group", entry(0016600, good), good, 06600, 06600},
        {"socket", entry(0140700, 0), good, 0700, 0700},
        {"character device", entry(0020600, 0), good, 0600, 0600},
        {"block device", entry(0060600, replaced), good, 0600, 0600},
    };
    for (const Case& c : cases) {
        for (const bool writable : {false, true}) {
            const Verdict verdict = rules({replaced}, writable).judge(c.entry, shared_top.last());
            EXPECT_EQ(verdict.gid, c.gid) << c.what;
            EXPECT_EQ(verdict.mode, writable ? c.writable_mode : c.mode) << c.what;
            // What has been repaired is left alone.
            Attributes after = c.entry;
            after.gid = verdict.gid;
            after.mode = (after.mode & ~07777U) | verdict.mode;
            EXPECT_FALSE(rules({replaced}, writable).judge(after, shared_top.last()).changes(after))
                << c.what;
            EXPECT_EQ(verdict.changes(c.entry),
                      after.gid != c.entry.gid || after.mode != c.entry.mode)
                << c.what;
        }
    }
}

TEST(RepairRules, AFileThatKeepsSetIdBitsIsNotMadeWritable) {
    for (const std::uint32_t bits : {setuid_bit, setgid_bit, setuid_bit | setgid_bit}) {
        const Attributes kept = entry(0100755 | bits, good);
        const Attributes cleared = entry(0100755 | bits, owner);
        const Attributes writable = entry(0100775 | bits, good);
        const Rules forced = rules({}, true);
        const auto judge = [&](const Attributes& e) { return forced.judge(e, shared_top.last()); };
        EXPECT_TRUE(forced.withholds_write(kept, judge(kept))) << bits;
        EXPECT_FALSE(forced.withholds_write(cleared, judge(cleared))) << bits;
        EXPECT_FALSE(forced.withholds_write(writable, judge(writable))) << bits;
        EXPECT_FALSE(rules({}, false).withholds_write(kept, judge(kept))) << bits;
    }
}

TEST(RepairRules, SetgidOfAFileIsNotSetAnew) {
    const auto renews = [](const Attributes& e) {
        return would_renew_setgid(e, rules({}, false).judge(e, shared_top.last()));
    };
    EXPECT_TRUE(renews(entry(0102711, good)));
    EXPECT_FALSE(renews(entry(0102755, good))) << "nothing to change";
    EXPECT_FALSE(renews(entry(0102711, owner))) << "goes with the group";
    EXPECT_FALSE(renews(entry(0104711, good))) << "its owner could set it himself";
    EXPECT_FALSE(renews(entry(0042711, good))) << "a directory";
}

TEST(RepairRules, TheNearestDirectoryWithASuitableGroupGivesIts) {
    const Rules judge = rules({replaced});
    const Attributes wanting = entry(0100640, owner);
    const Chain chain{entry(0042750, 7001), entry(0042750, 7002),     entry(0042750, owner),
                      entry(0042750, 0),    entry(0042750, replaced), entry(0042750, 1, 1)};
    EXPECT_EQ(judge.judge(wanting, chain.last()).gid, 7002U);
    EXPECT_EQ(judge.source(chain.last()), chain.at(1));
    EXPECT_EQ(judge.source(chain.at(0)), chain.at(0));
    EXPECT_EQ(judge.judge(chain.at(2)->attributes(), chain.at(1)).gid, 7002U);
}

// The group counts with the owner of the directory that has it.
TEST(RepairRules, AGroupIsPrivateWhereItsNumberIsTheOwners) {
    const Chain chain{entry(0042750, 2000, 1)};
    EXPECT_EQ(rules().judge(entry(0100640, 0, 2000), chain.last()).gid, 2000U);
    EXPECT_FALSE(rules()
                     .judge(entry(0100640, 2000, 2000), chain.last())
                     .changes(entry(0100640, 2000, 2000)));
}

TEST(RepairRules, WhereNoGroupIsSuitableItStaysAndPermissionsAreGiven) {
    const Chain chain{entry(0042750, 0), entry(0042750, owner)};
    const Verdict verdict = rules().judge(entry(0106600, owner), chain.last());
    EXPECT_EQ(verdict.gid, owner);
    EXPECT_EQ(verdict.mode, 06640U);
    EXPECT_EQ(rules().source(chain.last()), nullptr);
    EXPECT_TRUE(rules().unsuitable(chain.at(0)->attributes()));
    EXPECT_FALSE(rules().unsuitable(entry(0040700, good)));
    EXPECT_EQ(rules().judge(entry(0040700, 0), nullptr).gid, 0U) << "a top";
}

TEST(RepairRules, GroupsToBeReplacedMayComeInAnyOrder) {
    const Rules judge = rules({9, 3, 7, 3, 1});
    for (const std::uint32_t gid : {1U, 3U, 7U, 9U}) EXPECT_TRUE(judge.unsuitable(entry(0, gid)));
    for (const std::uint32_t gid : {2U, 8U, 10U}) EXPECT_FALSE(judge.unsuitable(entry(0, gid)));
}

TEST(RepairRules, OtherLinksForbidAChangeOfWhatIsNoDirectory) {
    for (const std::uint32_t type : {0100000U, 0010000U, 0020000U, 0060000U, 0140000U}) {
        EXPECT_TRUE(rules().forbidden_by_links(entry(type, 0, owner, 2))) << type;
        EXPECT_FALSE(rules().forbidden_by_links(entry(type, 0, owner, 1))) << type;
        EXPECT_FALSE(rules({}, false, true).forbidden_by_links(entry(type, 0, owner, 2))) << type;
    }
    EXPECT_FALSE(rules().forbidden_by_links(entry(0040000, 0, owner, 9)));
}

TEST(RepairRules, KindsOfChange) {
    const auto kinds = [](std::uint32_t mode, std::uint32_t new_mode,
                          std::uint32_t new_gid = good) {
        return kinds_of_change(entry(mode, good), new_gid, new_mode);
    };
    using enum ChangeKind;
    EXPECT_EQ(kinds(0100640, 0640), 0);
    EXPECT_EQ(kinds(0100640, 0640, replaced), kind_bits({group}));
    EXPECT_EQ(kinds(0040750, 02750), kind_bits({setgid}));
    EXPECT_EQ(kinds(0100600, 0640), kind_bits({permissions}));
    EXPECT_EQ(kinds(0104640, 0640), kind_bits({cleared}));
    EXPECT_EQ(kinds(0100600, 04600), kind_bits({permissions})) << "undo";
    EXPECT_EQ(kinds(0106700, 02750, replaced), kind_bits({group, permissions, cleared}));
    EXPECT_EQ(kinds(0040700, 02750, replaced), kind_bits({group, setgid, permissions}));
}

}  // namespace
}  // namespace filetree::repair
