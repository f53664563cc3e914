// Walks that rest, end there, and go on as other walks: every row once.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <random>
#include <thread>

#include "support/faults.hpp"
#include "support/limits.hpp"
#include "support/tally.hpp"

namespace filetree {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::Collection;
using testing::faulty;
using testing::hang;
using testing::into;
using testing::patience;
using testing::texts;

// What had been handed over when a walk came to rest, and where to go on.
struct Rested {
    bool at_end = false;
    std::string frontier;
    std::vector<EntryError> errors;
    std::map<std::string, Collection::SeenDirectory> directories;
    std::map<std::string, Collection::SeenEntry> entries;
};

// Walks until the `nth` rest, or to the end.
Rested walk_until_rest(const std::shared_ptr<FileSystem>& fs, const WalkOptions& options,
                       const std::string& begin_at, int nth) {
    const auto found = std::make_shared<Collection>();
    Rested rested;
    std::atomic<int> rests{0};
    const auto take = [&](const std::vector<EntryError>& errors) {
        const std::lock_guard lock(found->mutex);
        rested.directories = found->directories;
        rested.entries = found->entries;
        rested.errors = errors;
        EXPECT_EQ(found->repeated, std::vector<std::string>());
    };
    WalkRests when;
    when.begin_at = begin_at;
    when.due = [] { return true; };
    when.at_rest = [&](const Rest& rest) {
        if (++rests < nth) return true;
        rested.frontier = rest.frontier;
        take(rest.errors);
        EXPECT_EQ(rest.progress.entries(), rested.directories.size() + rested.entries.size());
        return false;
    };
    Walk walk(fs, "t", options, into(found), nullptr, when);
    EXPECT_TRUE(walk.wait_finished(patience));
    if (const auto failure = walk.failure()) std::rethrow_exception(failure);
    rested.at_end = !walk.cancelled();
    if (rested.at_end) take(walk.errors());
    return rested;
}

// Walks on and on, each time a few rests further.
struct Chain {
    std::map<std::string, Collection::SeenDirectory> directories;
    std::map<std::string, Collection::SeenEntry> entries;
    std::vector<EntryError> errors;
    int walks = 0;

    Chain(const std::shared_ptr<FileSystem>& fs, const WalkOptions& options, std::mt19937& random) {
        std::string frontier;
        for (bool at_end = false; !at_end; ++walks) {
            const int nth = 1 + static_cast<int>(random() % 3);
            Rested rested = walk_until_rest(fs, options, frontier, nth);
            for (const auto& [path, seen] : rested.directories) {
                EXPECT_TRUE(directories.emplace(path, seen).second) << path << " came twice";
            }
            for (const auto& [path, seen] : rested.entries) {
                EXPECT_TRUE(entries.emplace(path, seen).second) << path << " came twice";
            }
            errors.insert(errors.end(), rested.errors.begin(), rested.errors.end());
            frontier = rested.frontier;
            at_end = rested.at_end;
        }
    }
};

void expect_same(const Chain& chain, const testing::Walked& whole) {
    ASSERT_EQ(chain.directories.size(), whole.found->directories.size());
    ASSERT_EQ(chain.entries.size(), whole.found->entries.size());
    for (const auto& [path, seen] : whole.found->directories) {
        const auto found = chain.directories.find(path);
        ASSERT_NE(found, chain.directories.end()) << path;
        EXPECT_EQ(found->second.depth, seen.depth) << path;
        EXPECT_EQ(found->second.parent_inode, seen.parent_inode) << path;
        EXPECT_EQ(found->second.attributes.inode, seen.attributes.inode) << path;
        EXPECT_EQ(found->second.attributes.size, seen.attributes.size) << path;
        EXPECT_EQ(found->second.totals.file_count, seen.totals.file_count) << path;
        EXPECT_EQ(found->second.totals.size_sum, seen.totals.size_sum) << path;
        EXPECT_EQ(found->second.totals.state, seen.totals.state) << path;
    }
    for (const auto& [path, seen] : whole.found->entries) {
        const auto found = chain.entries.find(path);
        ASSERT_NE(found, chain.entries.end()) << path;
        EXPECT_EQ(found->second.depth, seen.depth) << path;
        EXPECT_EQ(found->second.parent_inode, seen.parent_inode) << path;
        EXPECT_EQ(found->second.attributes.inode, seen.attributes.inode) << path;
    }
    EXPECT_EQ(texts(chain.errors), texts(whole.errors));
}

// Slow enough for a walk to rest many times, here and there more than elsewhere.
FaultPolicy slow() {
    return [](const FaultyCall& call) {
        const std::size_t n = std::hash<std::string_view>{}(call.path);
        return Fault{0, microseconds(n % 7 == 0 ? 3000 : 100), false};
    };
}

class WalkRest : public ::testing::TestWithParam<unsigned> {
   protected:
    std::mt19937 random{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Seeds, WalkRest, ::testing::Range(0U, 6U));

TEST_P(WalkRest, OnesThatGoOnWithEachOtherFindWhatOneWalkFinds) {
    const SyntheticTree tree{.directories = 5, .files = 7, .depth = 3};
    WalkOptions options;
    options.max_inflight = 1 + random() % 16;
    const Chain chain(faulty(tree, slow()), options, random);
    EXPECT_GT(chain.walks, 3);
    expect_same(chain, testing::walk_all(make_synthetic_file_system(tree), "t"));
}

TEST_P(WalkRest, LargeDirectoriesAreFinishedFirst) {
    const SyntheticTree tree{.directories = 3, .files = 2500, .depth = 1};
    const auto policy = [](const FaultyCall& call) {
        return Fault{0, microseconds(call.operation == Operation::stat ? 10 : 2000), false};
    };
    const Chain chain(faulty(tree, policy), {}, random);
    expect_same(chain, testing::walk_all(make_synthetic_file_system(tree), "t"));
}

TEST_P(WalkRest, ErrorsComeOnce) {
    const SyntheticTree tree{.directories = 4, .files = 5, .depth = 3};
    const auto failing = [](const FaultyCall& call) {
        const std::size_t n = std::hash<std::string_view>{}(call.path);
        const bool top = call.path == "t";
        return Fault{!top && n % 5 == 0 ? EACCES : 0, microseconds(2000), false};
    };
    const Chain chain(faulty(tree, failing), {}, random);
    EXPECT_GT(chain.walks, 1);
    EXPECT_GT(chain.errors.size(), 10U);
    expect_same(chain, testing::walk_all(faulty(tree, failing), "t"));
}

TEST_P(WalkRest, WhatIsLeftOutStaysOut) {
    const SyntheticTree tree{.directories = 4, .files = 3, .depth = 4};
    WalkOptions options;
    options.max_depth = 3;
    const auto whole = testing::walk_all(make_synthetic_file_system(tree), "t");
    for (const auto& [path, seen] : whole.found->directories) {
        if (std::hash<std::string>{}(path) % 9 == 0 && path != "t") options.exclude.push_back(path);
    }
    const auto selected = testing::walk_all(make_synthetic_file_system(tree), "t", options);
    ASSERT_LT(selected.found->entries.size(), whole.found->entries.size());
    expect_same(Chain(faulty(tree, slow()), options, random), selected);
}

TEST(WalkRests, ADirectoryThatHangsIsLeftForLater) {
    const SyntheticTree tree{.directories = 6, .files = 4, .depth = 1};
    const auto whole = testing::walk_all(make_synthetic_file_system(tree), "t");
    std::string hung;
    for (const auto& [path, seen] : whole.found->directories) hung = path;  // any below the top
    const auto fs = faulty(tree, [&](const FaultyCall& call) {
        return call.operation == Operation::open && call.path == hung ? hang : Fault{};
    });
    const auto found = std::make_shared<Collection>();
    std::string frontier;
    std::size_t seen = 0;
    WalkRests when;
    when.due = [&] {
        const std::lock_guard lock(found->mutex);
        return found->directories.size() == whole.found->directories.size() - 1;
    };
    when.at_rest = [&](const Rest& rest) {
        EXPECT_TRUE(rest.errors.empty());
        frontier = rest.frontier;
        seen = found->directories.size() + found->entries.size();
        return false;
    };
    {
        Walk walk(fs, "t", {}, into(found), nullptr, when);
        EXPECT_TRUE(walk.wait_finished(patience));
        fs->release();
    }
    const Rested rest = walk_until_rest(make_synthetic_file_system(tree), {}, frontier, 1'000'000);
    EXPECT_EQ(rest.directories.size(), 1U);
    EXPECT_TRUE(rest.directories.contains(hung));
    EXPECT_EQ(seen + 1 + rest.entries.size(),
              whole.found->directories.size() + whole.found->entries.size());
}

TEST(WalkRests, DoNotComeInTheMidstOfADirectory) {
    const SyntheticTree tree{.directories = 0, .files = 3000, .depth = 0};
    std::atomic<bool> hanging{false};
    const auto whole = testing::walk_all(make_synthetic_file_system(tree), "t");
    const std::string last = whole.found->entries.rbegin()->first;
    const auto fs = faulty(tree, [&](const FaultyCall& call) {
        if (call.operation != Operation::stat || call.path != last) return Fault{};
        hanging = true;
        return hang;
    });
    const auto found = std::make_shared<Collection>();
    std::atomic<int> early{0};
    std::atomic<bool> released{false};
    WalkRests when;
    when.due = [&] {
        const std::lock_guard lock(found->mutex);
        return hanging && !found->entries.empty();
    };
    when.at_rest = [&](const Rest& /*rest*/) {
        if (!released) ++early;
        return true;
    };
    Walk walk(fs, "t", {}, into(found), nullptr, when);
    EXPECT_FALSE(walk.wait_finished(milliseconds(300)));
    released = true;
    fs->release();
    EXPECT_TRUE(walk.wait_finished(patience));
    EXPECT_EQ(early, 0);
    EXPECT_EQ(found->entries.size(), tree.total_files());
}

TEST(WalkRests, AnEndedWalkLeavesNothing) {
    const SyntheticTree tree{.directories = 2, .files = 2, .depth = 1};
    const auto fs = make_synthetic_file_system(tree);
    const Rested all = walk_until_rest(fs, {}, {}, 1'000'000);
    EXPECT_TRUE(all.at_end);
    EXPECT_EQ(all.entries.size(), tree.total_files());
}

// Notices two threads in it at once.
class SoloSink final : public EntrySink {
   public:
    void entries(const WalkedDirectory& /*parent*/, const Listing& /*names*/,
                 std::span<const std::uint32_t> /*selected*/, std::size_t /*first*/,
                 const StatResult* /*stats*/) override {
        const Visit visit(*this);
    }
    void directory(const WalkedDirectory& /*directory*/,
                   const DirectoryTotals& /*totals*/) override {
        const Visit visit(*this);
    }
    void flush() override {
        const Visit visit(*this);
        std::this_thread::sleep_for(microseconds(50));
    }

   private:
    struct Visit {
        explicit Visit(SoloSink& sink_) : sink(sink_) { EXPECT_EQ(++sink.inside_, 1); }
        ~Visit() { --sink.inside_; }
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;
        SoloSink& sink;
    };
    std::atomic<int> inside_{0};
};

TEST(WalkRests, DoNotMeetWorkersThatLeave) {
    std::atomic<int> rests{0};
    for (int i = 0; i < 150; ++i) {
        const SyntheticTree tree{.directories = 6, .files = 3, .depth = 2};
        const auto fs = faulty(tree, [](const FaultyCall& call) {
            return Fault{0, microseconds(call.operation == Operation::open ? 500 : 0), false};
        });
        // Shared: the walk may call back a moment after it has been waited for.
        const auto ended = std::make_shared<std::atomic<bool>>(false);
        WalkRests when;
        when.due = [] { return true; };
        when.at_rest = [&](const Rest& /*rest*/) {
            EXPECT_FALSE(*ended);
            ++rests;
            return i % 2 == 0;
        };
        Walk walk(
            fs, "t", {}, [] { return std::make_unique<SoloSink>(); }, nullptr, when);
        walk.on_finished([ended] { *ended = true; });
        ASSERT_TRUE(walk.wait_finished(patience));
        walk.close();
    }
    EXPECT_GT(rests, 0);
}

TEST(WalkRests, AnotherTopIsRefused) {
    const SyntheticTree tree{.directories = 4, .files = 4, .depth = 3};
    Rested rested = walk_until_rest(faulty(tree, slow()), {}, {}, 2);
    ASSERT_FALSE(rested.at_end);
    constexpr std::size_t inode_at = 8;
    rested.frontier.at(inode_at) ^= 1;
    EXPECT_THROW(
        (void)walk_until_rest(make_synthetic_file_system(tree), {}, rested.frontier, 1'000'000),
        std::invalid_argument);
}

TEST(WalkRests, ATornFrontierIsRefused) {
    const SyntheticTree tree{.directories = 4, .files = 4, .depth = 3};
    const Rested rested = walk_until_rest(faulty(tree, slow()), {}, {}, 2);
    ASSERT_FALSE(rested.at_end);
    const auto fs = make_synthetic_file_system(tree);
    int refused = 0;
    int whole_groups = 0;
    for (std::size_t length = 1; length < rested.frontier.size(); length += 7) {
        try {
            (void)walk_until_rest(fs, {}, rested.frontier.substr(0, length), 1'000'000);
            ++whole_groups;
        } catch (const std::invalid_argument&) {
            ++refused;
        }
    }
    // Where it is cut between two groups, its length is for others to check.
    EXPECT_GT(refused, 5 * whole_groups);
}

}  // namespace
}  // namespace filetree
