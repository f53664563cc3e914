#include "handle_cache.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <random>
#include <thread>

#include "filetree/faulty_fs.hpp"
#include "filetree/posix_fs.hpp"
#include "filetree/synthetic_fs.hpp"
#include "support/call.hpp"
#include "support/temporary_directory.hpp"

namespace filetree::walk {
namespace {

using filetree::testing::Caller;
using filetree::testing::stat_name;
using filetree::testing::TemporaryDirectory;

// Directories of a synthetic tree, and a record of which are opened.
class HandleCacheTest : public ::testing::Test {
   protected:
    static constexpr std::size_t capacity = 3;

    void SetUp() override {
        // The top is kept from the start, as a walk keeps it.
        auto opened = fs->open("t", caller.context);
        ASSERT_EQ(opened.error, 0);
        top->set_attributes(opened.value->attributes(caller.context).attributes);
        cache.keep(*top, std::move(opened.value), false);
        opens.clear();
    }

    NodePtr child(const NodePtr& parent, const std::string& name) {
        auto handle = cache.acquire(*parent, caller.context);
        EXPECT_EQ(handle.error, 0);
        const StatResult result = stat_name(*handle.value, name, caller.context);
        EXPECT_EQ(result.error, 0) << name;
        return NodePtr(new Node(parent, name, result.attributes, nullptr));
    }
    std::vector<NodePtr> children(std::size_t count) {
        std::vector<NodePtr> nodes;
        for (std::size_t i = 0; i < count; ++i)
            nodes.push_back(child(top, "d" + std::to_string(i)));
        return nodes;
    }
    std::shared_ptr<Directory> open(const NodePtr& node) {
        std::string path;
        node->append_path(path);
        auto parent = cache.acquire(*node->parent(), caller.context);
        return parent.value->open(node->c_name(), caller.context).value;
    }
    void keep(const NodePtr& node, bool streaming = false) {
        cache.keep(*node, open(node), streaming);
    }

    std::vector<std::string> opens;
    std::shared_ptr<FaultyFileSystem> fs = std::make_shared<FaultyFileSystem>(
        make_synthetic_file_system({10, 1, 6}), [this](const FaultyCall& call) {
            if (call.operation == Operation::open) opens.emplace_back(call.path);
            return Fault{};
        });
    Caller caller;
    HandleCache cache{fs, capacity};
    NodePtr top{new Node({}, "t", {}, nullptr)};
};

TEST_F(HandleCacheTest, GivesWhatIsKeptWithoutOpeningItAgain) {
    const NodePtr node = child(top, "d0");
    const auto handle = open(node);
    cache.keep(*node, handle, false);
    opens.clear();
    const auto acquired = cache.acquire(*node, caller.context);
    EXPECT_EQ(acquired.value, handle);
    EXPECT_TRUE(opens.empty());
}

TEST_F(HandleCacheTest, KeepsNoMoreThanItsCapacityAndTheTop) {
    const auto nodes = children(10);
    for (const NodePtr& node : nodes) {
        keep(node);
        EXPECT_LE(fs->open_directories(), capacity + 1);
    }
    EXPECT_EQ(fs->open_directories(), capacity + 1);
}

TEST_F(HandleCacheTest, ClosesTheOldestFirst) {
    const auto nodes = children(5);
    for (const NodePtr& node : nodes) keep(node);
    opens.clear();
    for (const std::size_t i : {4U, 3U, 2U}) {
        EXPECT_EQ(cache.acquire(*nodes[i], caller.context).error, 0);
    }
    EXPECT_TRUE(opens.empty()) << "the three newest are kept";
    EXPECT_EQ(cache.acquire(*nodes[0], caller.context).error, 0);
    EXPECT_EQ(opens, std::vector<std::string>{"t/d0"});
}

TEST_F(HandleCacheTest, KeepsWhatItReopened) {
    const NodePtr node = child(top, "d0");
    EXPECT_EQ(cache.acquire(*node, caller.context).error, 0);
    opens.clear();
    EXPECT_EQ(cache.acquire(*node, caller.context).error, 0);
    EXPECT_TRUE(opens.empty());
}

TEST_F(HandleCacheTest, ReopensComponentByComponentFromTheNearestThatIsOpen) {
    std::vector<NodePtr> chain{top};
    for (int i = 1; i <= 5; ++i) chain.push_back(child(chain.back(), "d" + std::to_string(i)));
    cache.shed();
    opens.clear();
    EXPECT_EQ(cache.acquire(*chain[5], caller.context).error, 0);
    const std::vector<std::string> from_the_top{"t/d1", "t/d1/d2", "t/d1/d2/d3", "t/d1/d2/d3/d4",
                                                "t/d1/d2/d3/d4/d5"};
    EXPECT_EQ(opens, from_the_top);

    cache.shed();
    keep(chain[2]);
    opens.clear();
    EXPECT_EQ(cache.acquire(*chain[5], caller.context).error, 0);
    EXPECT_EQ(opens, std::vector<std::string>(from_the_top.begin() + 2, from_the_top.end()));
}

TEST_F(HandleCacheTest, SheddingClosesEverythingButTheTopAndStreams) {
    const auto nodes = children(3);
    keep(nodes[0]);
    keep(nodes[1], true);
    keep(nodes[2]);
    cache.shed();
    EXPECT_EQ(fs->open_directories(), 2U);
    opens.clear();
    EXPECT_EQ(cache.acquire(*nodes[1], caller.context).error, 0);
    EXPECT_EQ(cache.acquire(*top, caller.context).error, 0);
    EXPECT_TRUE(opens.empty());
}

TEST_F(HandleCacheTest, NeverClosesAStreamForWhatComesLater) {
    const auto nodes = children(9);
    keep(nodes[0], true);
    for (std::size_t i = 1; i < nodes.size(); ++i) keep(nodes[i]);
    EXPECT_EQ(fs->open_directories(), capacity + 1) << "the stream has its place within capacity";
    opens.clear();
    EXPECT_EQ(cache.acquire(*nodes[0], caller.context).error, 0);
    EXPECT_TRUE(opens.empty());
}

TEST_F(HandleCacheTest, AStreamThatHasEndedIsClosedAsTheOthersAre) {
    const auto nodes = children(2);
    const auto handle = open(nodes[0]);
    cache.keep(*nodes[0], handle, true);
    cache.keep(*nodes[0], handle, false);
    EXPECT_EQ(handle.use_count(), 2);
    cache.shed();
    EXPECT_EQ(handle.use_count(), 1);
}

TEST_F(HandleCacheTest, LeavesHalfItsRoomToWhatDoesNotStream) {
    const auto nodes = children(2);
    EXPECT_TRUE(cache.has_room_for_stream());
    keep(nodes[0], true);
    EXPECT_FALSE(cache.has_room_for_stream());
    cache.release(*nodes[0]);
    EXPECT_TRUE(cache.has_room_for_stream());
}

TEST_F(HandleCacheTest, ReleasingClosesAndMayComeWithoutKeeping) {
    const auto nodes = children(3);
    keep(nodes[0]);
    keep(nodes[1], true);
    for (const NodePtr& node : nodes) cache.release(*node);
    EXPECT_EQ(fs->open_directories(), 1U);
    cache.release(*top);
    EXPECT_EQ(fs->open_directories(), 0U);
}

TEST_F(HandleCacheTest, KeepsNothingForANodeThatNobodyNeeds) {
    const NodePtr node = child(top, "d0");
    node->holds = 0;
    keep(node);
    EXPECT_EQ(fs->open_directories(), 1U);
}

TEST_F(HandleCacheTest, PassesOnTheErrorOfAnOpen) {
    const NodePtr node = child(top, "d0");
    const NodePtr missing(new Node(node, "d99", {}, nullptr));
    EXPECT_EQ(cache.acquire(*missing, caller.context).error, ENOENT);
}

TEST_F(HandleCacheTest, ServesManyThreadsWithinItsCapacity) {
    std::vector<NodePtr> nodes = children(10);
    for (std::size_t i = 0; i < 10; ++i) nodes.push_back(child(nodes[i], "d1"));
    const auto shared = std::make_shared<FaultyFileSystem>(
        make_synthetic_file_system({10, 1, 6}), [](const FaultyCall&) { return Fault{}; });
    HandleCache crowded(shared, capacity);
    constexpr std::size_t thread_count = 4;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    // The nodes remember one cache at a time.
    for (const NodePtr& node : nodes) cache.release(*node);
    cache.release(*top);
    for (std::size_t t = 0; t < thread_count; ++t) {
        threads.emplace_back([&, t] {
            Caller own;
            std::mt19937 random(static_cast<unsigned>(t));
            for (int i = 0; i < 2'000; ++i) {
                const NodePtr& node = nodes[random() % nodes.size()];
                const auto got = crowded.acquire(*node, own.context);
                if (!got.ok() || got.value->attributes(own.context).attributes.inode !=
                                     node->attributes().inode) {
                    ++wrong;
                }
                if (i % 100 == 0) crowded.shed();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
    // Each thread holds what it got, and two more while it reopens a chain.
    EXPECT_LE(shared->most_open_directories(), capacity + 1 + 3 * thread_count);
    for (const NodePtr& node : nodes) crowded.release(*node);
    crowded.release(*top);
    EXPECT_EQ(shared->open_directories(), 0U);
}

TEST(HandleCache, SaysEnoentWhenAnotherDirectoryHasTakenThePlace) {
    const TemporaryDirectory tree;
    tree.add_directory("a/below");
    Caller caller;
    const auto fs = make_posix_file_system();
    HandleCache cache(fs, 4);
    const auto handle = fs->open(tree.path(), caller.context).value;
    const NodePtr top(
        new Node({}, tree.path(), handle->attributes(caller.context).attributes, nullptr));
    const NodePtr node(
        new Node(top, "a", stat_name(*handle, "a", caller.context).attributes, nullptr));
    ASSERT_EQ(cache.acquire(*node, caller.context).error, 0);
    cache.shed();

    std::filesystem::rename(tree / "a", tree / "b");
    EXPECT_EQ(cache.acquire(*node, caller.context).error, ENOENT) << "nothing there";
    tree.add_directory("a");
    EXPECT_EQ(cache.acquire(*node, caller.context).error, ENOENT) << "another directory";
    std::filesystem::remove(tree / "a");
    std::filesystem::rename(tree / "b", tree / "a");
    EXPECT_EQ(cache.acquire(*node, caller.context).error, 0) << "the same one, back again";
}

}  // namespace
}  // namespace filetree::walk
