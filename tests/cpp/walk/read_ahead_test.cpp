#include "read_ahead.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "support/altered_fs.hpp"
#include "support/awaited.hpp"
#include "support/faults.hpp"

namespace filetree::walk {
namespace {

using std::chrono::milliseconds;
using testing::altered;
using testing::Awaited;
using testing::patience;
using Names = std::vector<std::string>;

// The consumer of a computed tree, and what was opened, in order. It holds what it has claimed
// until it releases it.
class ReadAheadTest : public ::testing::Test {
   protected:
    void begin(const SyntheticTree& tree, unsigned cores, std::size_t window) {
        fs = std::make_shared<FaultyFileSystem>(
            altered(make_synthetic_file_system(tree, "/t"), {{}, {}, names}),
            [this](const FaultyCall& call) {
                if (call.operation != Operation::open) return Fault{};
                note_opened(call.path);
                if (on_open) on_open(call.path);
                return Fault{0, open_takes};
            });
        ReadAhead::Options options;
        options.cores = cores;
        options.window_bytes = std::size_t{1} << 20U;
        options.window_directories = window;
        options.rules.settling_time = std::chrono::seconds(3);
        // On a busy machine anything may take long; it is slow storage only where a test says so.
        if (open_takes.count() == 0) options.quick_call = std::chrono::hours(1);
        ahead = std::make_unique<ReadAhead>(fs, options);
    }
    void TearDown() override { ahead.reset(); }

    // Claims, lists where nobody has, and says what to expect, as a walk does.
    ReadAhead::NodePtr enter(const ReadAhead::NodePtr& parent, const std::string& path,
                             bool* listed = nullptr) {
        const auto [node, was_listed] = ahead->claim(parent, path, {});
        if (listed != nullptr) *listed = was_listed;
        if (!was_listed) {
            ahead->read(node, true, {});
            ListedDirectory& found = ReadAhead::listed(*node);
            std::vector<std::uint32_t> children;
            for (std::uint32_t i = 0; i < found.names.size(); ++i) {
                if (found.names.type(i) == EntryType::directory) children.push_back(i);
            }
            ahead->expect(node, found.names, children);
        }
        EXPECT_EQ(ReadAhead::listed(*node).error, 0);
        return node;
    }
    void note_opened(std::string_view path) {
        const std::lock_guard lock(mutex);
        opened.emplace_back(path);
    }
    Names settled() {
        EXPECT_TRUE(ahead->wait_idle(patience));
        const std::lock_guard lock(mutex);
        return opened;
    }

    std::mutex mutex;
    Names opened;
    std::chrono::microseconds open_takes{0};
    std::function<void(std::string_view)> on_open;
    std::function<void(const std::string&, Listing&)> names;  // alters what is listed
    std::shared_ptr<FaultyFileSystem> fs;
    std::unique_ptr<ReadAhead> ahead;
};

TEST_F(ReadAheadTest, ReadsInTheOrderOfTheWalk) {
    begin({2, 1, 3}, 2, 7);  // one reader
    const auto top = enter(nullptr, "/t");
    EXPECT_EQ(settled(), (Names{"/t", "/t/d0", "/t/d0/d0", "/t/d0/d0/d0", "/t/d0/d0/d1", "/t/d0/d1",
                                "/t/d0/d1/d0", "/t/d0/d1/d1"}));
}

TEST_F(ReadAheadTest, WithOneCoreReadsNothing) {
    begin({2, 1, 3}, 1, 8);
    const auto top = enter(nullptr, "/t");
    EXPECT_EQ(settled(), Names{"/t"});
    bool listed = true;
    enter(top, "/t/d0", &listed);
    EXPECT_FALSE(listed);
    EXPECT_EQ(settled(), (Names{"/t", "/t/d0"}));
    EXPECT_EQ(ahead->threads_peak(), 0U);
}

TEST_F(ReadAheadTest, WhatIsClaimedMakesRoomForWhatFollows) {
    begin({3, 1, 2}, 2, 2);
    const auto top = enter(nullptr, "/t");
    EXPECT_EQ(settled(), (Names{"/t", "/t/d0", "/t/d0/d0"}));
    bool listed = false;
    const auto d0 = enter(top, "/t/d0", &listed);
    EXPECT_TRUE(listed);
    EXPECT_EQ(settled(), (Names{"/t", "/t/d0", "/t/d0/d0", "/t/d0/d1"}));
    const auto below = enter(d0, "/t/d0/d0", &listed);
    EXPECT_TRUE(listed);
    const auto beside = enter(d0, "/t/d0/d1", &listed);
    EXPECT_TRUE(listed);
    const Names all = settled();
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size()) << "none twice";
}

TEST_F(ReadAheadTest, WhatThePassedDirectoryHeldAheadIsForgotten) {
    begin({3, 1, 2}, 2, 4);  // d0 and its three fill the window
    const auto top = enter(nullptr, "/t");
    ASSERT_EQ(settled().size(), 5U);
    const auto d0 = enter(top, "/t/d0");
    ahead->release(d0);  // without entering what is below it
    const Names all = settled();
    EXPECT_TRUE(std::ranges::find(all, "/t/d1/d1") != all.end());
    bool listed = false;
    const auto d1 = enter(top, "/t/d1", &listed);
    EXPECT_TRUE(listed);
}

TEST_F(ReadAheadTest, WhatIsPassedOverIsForgotten) {
    begin({4, 1, 1}, 2, 2);
    const auto top = enter(nullptr, "/t");
    ASSERT_EQ(settled(), (Names{"/t", "/t/d0", "/t/d1"}));
    bool listed = false;
    enter(top, "/t/d1", &listed);
    EXPECT_TRUE(listed);
    EXPECT_EQ(settled(), (Names{"/t", "/t/d0", "/t/d1", "/t/d2"})) << "the window was freed of d0";
    enter(top, "/t/d0", &listed);
    EXPECT_FALSE(listed) << "it is not kept for later";
}

TEST_F(ReadAheadTest, TheCallersOrderIsThatOfTheReaders) {
    begin({6, 1, 1}, 2, 2);
    const auto top = enter(nullptr, "/t");
    ASSERT_EQ(settled(), (Names{"/t", "/t/d0", "/t/d1"}));
    ahead->reorder(top, {"d5", "d1", "new", "d3", "d2", "/t/d4"});  // d0 is not wanted
    EXPECT_EQ(settled(), (Names{"/t", "/t/d0", "/t/d1", "/t/d5"}));
    for (const char* name : {"d5", "d3", "d2"}) enter(top, std::string("/t/") + name);
    const Names all = settled();
    for (const char* name : {"/t/d5", "/t/d1", "/t/d3", "/t/d2"}) {
        EXPECT_EQ(std::ranges::count(all, name), 1) << name;
    }
    for (const char* name : {"/t/d4", "/t/new"}) {
        EXPECT_EQ(std::ranges::count(all, name), 0) << name;
    }
}

TEST_F(ReadAheadTest, OfANameListedTwiceOneIsKeptInTheCallersOrder) {
    names = [](const std::string& path, Listing& listing) {
        if (path != "/t") return;
        listing.clear();
        for (const char* name : {"d0", "d0", "d1"}) listing.add(name, EntryType::directory);
    };
    begin({2, 1, 2}, 2, 4);
    const auto top = enter(nullptr, "/t");
    ASSERT_EQ(settled(), (Names{"/t", "/t/d0", "/t/d0/d0", "/t/d0/d1", "/t/d0"}));
    ahead->reorder(top, {"d1", "d0"});
    const auto d1 = enter(top, "/t/d1");
    bool listed = false;
    const auto d0 = enter(top, "/t/d0", &listed);
    EXPECT_TRUE(listed);
    const auto below = enter(d0, "/t/d0/d0", &listed);
    EXPECT_TRUE(listed);
    const auto beside = enter(d0, "/t/d0/d1", &listed);
    EXPECT_TRUE(listed);
    const Names all = settled();
    EXPECT_EQ(std::ranges::count(all, "/t/d1/d0"), 1);
    EXPECT_EQ(std::ranges::count(all, "/t/d0/d0"), 1) << "nobody will come to the other one";
}

TEST_F(ReadAheadTest, ADirectoryIsReadAgainInPlaceOfWhatWasListed) {
    begin({3, 1, 2}, 2, 100);
    const auto top = enter(nullptr, "/t");
    ASSERT_GE(settled().size(), 9U);
    const auto [node, listed] = ahead->claim(top, "/t/d0", {});
    ASSERT_TRUE(listed);
    ReadAhead::listed(*node).names.clear();
    ahead->read(node, true, {});
    EXPECT_EQ(ReadAhead::listed(*node).names.size(), 4U);
    ahead->expect(node, ReadAhead::listed(*node).names, {0, 2});
    const Names all = settled();
    EXPECT_EQ(std::ranges::count(all, "/t/d0"), 2);
    EXPECT_EQ(std::ranges::count(all, "/t/d0/d0"), 2) << "what was below it is not trusted";
    EXPECT_EQ(std::ranges::count(all, "/t/d0/d1"), 1);
}

TEST_F(ReadAheadTest, ReadersGoOnAfterWhatIsThrownWhileTheConsumerHelps) {
    Awaited taken, helping, below, thrown;
    on_open = [&, consumer = std::this_thread::get_id()](std::string_view path) {
        const bool helps = std::this_thread::get_id() == consumer && path != "/t";
        if (helps) {
            helping.add();
            EXPECT_TRUE(below.reaches(1)) << "what the consumer waits for has been read meanwhile";
            throw std::runtime_error("below");
        }
        if (path == "/t/d0") {
            taken.add();
            EXPECT_TRUE(helping.reaches(1));
        }
        if (path == "/t/d0/d0") {
            below.add();
            EXPECT_TRUE(thrown.reaches(1));
        }
    };
    begin({4, 1, 2}, 2, 100);  // one reader
    const auto top = enter(nullptr, "/t");
    ASSERT_TRUE(taken.reaches(1));
    EXPECT_THROW((void)ahead->claim(top, "/t/d0", {}), std::runtime_error);
    thrown.add();
    const Names all = settled();
    EXPECT_EQ(std::ranges::count(all, "/t/d0/d1"), 0) << "nobody will come to it";
    EXPECT_EQ(std::ranges::count(all, "/t/d2/d0"), 1);
}

TEST_F(ReadAheadTest, OnSlowStorageTheConsumersReadsAreMadeByReaders) {
    open_takes = milliseconds(2);
    begin({3, 1, 1}, 2, 1);
    const auto top = enter(nullptr, "/t");
    ASSERT_EQ(settled().size(), 2U);
    int waited = 0;
    open_takes = milliseconds(200);
    const auto claim = ahead->claim(top, "/t/d2", {});
    ASSERT_FALSE(claim.listed);
    ahead->read(claim.node, true, [&] { ++waited; });
    EXPECT_GT(waited, 0);
    EXPECT_EQ(ReadAhead::listed(*claim.node).names.size(), 1U);
}

}  // namespace
}  // namespace filetree::walk
