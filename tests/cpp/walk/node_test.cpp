#include "node.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "support/limits.hpp"

namespace filetree::walk {
namespace {

NodePtr make_node(NodePtr parent, std::string name, std::uint64_t inode = 1) {
    Attributes attributes;
    attributes.inode = inode;
    return NodePtr(new Node(std::move(parent), std::move(name), attributes, nullptr));
}

std::string path_of(const NodePtr& node) {
    std::string path;
    node->append_path(path);
    return path;
}

TEST(Node, ItsPathIsTheTopAsGivenAndANameForEachLevel) {
    const NodePtr top = make_node({}, "some/top/");
    const NodePtr below = make_node(top, "a");
    EXPECT_EQ(path_of(top), "some/top/");
    EXPECT_EQ(path_of(below), "some/top//a");
    EXPECT_EQ(path_of(make_node(below, "b\xff")), "some/top//a/b\xff");
}

TEST(Node, AppendsItsPathToWhatIsThere) {
    const NodePtr node = make_node(make_node({}, "top"), "a");
    std::string out = "before ";
    node->append_path(out);
    EXPECT_EQ(out, "before top/a");
}

TEST(Node, KnowsItsDepthAndItsParentsInode) {
    const NodePtr top = make_node({}, "top", 11);
    const NodePtr below = make_node(top, "a", 22);
    const NodePtr deeper = make_node(below, "b", 33);
    EXPECT_EQ(top->depth(), -1);
    EXPECT_EQ(top->parent_inode(), 0U);
    EXPECT_EQ(below->depth(), 0);
    EXPECT_EQ(below->parent_inode(), 11U);
    EXPECT_EQ(deeper->depth(), 1);
    EXPECT_EQ(deeper->parent_inode(), 22U);
    EXPECT_EQ(deeper->name(), "b");
}

TEST(Node, KeepsItsParentsAlive) {
    NodePtr node = make_node({}, "top");
    for (int i = 0; i < 3; ++i) node = make_node(std::move(node), "d");
    EXPECT_EQ(path_of(node), "top/d/d/d");
}

// A chain freed by recursion would overflow any stack.
TEST(Node, FreesAChainOfAMillionParentsWithoutRecursion) {
    std::thread small_stack([] {
        NodePtr node = make_node({}, "top");
        for (int i = 0; i < 1'000'000; ++i) node = make_node(std::move(node), "d");
        EXPECT_EQ(node->depth(), 999'999);
        std::string path;
        node->append_path(path);
        EXPECT_EQ(path.size(), 3U + 2 * 1'000'000U);
    });
    small_stack.join();
}

TEST(Node, ReferencesAreCountedAcrossThreads) {
    const NodePtr top = make_node({}, "top");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([top] {
            for (int i = 0; i < 10'000; ++i) {
                NodePtr child = make_node(top, "child");
                const NodePtr copy = child;
                child = {};
                EXPECT_EQ(copy->parent().get(), top.get());
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(path_of(top), "top");
}

TEST(NodePtr, CopiesAndMovesAsASharedPointerDoes) {
    NodePtr one = make_node({}, "one");
    Node* const node = one.get();
    NodePtr copy = one;
    EXPECT_EQ(copy.get(), node);
    const NodePtr moved = std::move(one);
    EXPECT_EQ(moved.get(), node);
    copy = make_node({}, "two");
    EXPECT_EQ(moved->name(), "one");
    EXPECT_TRUE(moved);
    EXPECT_FALSE(NodePtr());
}

}  // namespace
}  // namespace filetree::walk
