#include "work_stack.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>

#include "support/awaited.hpp"

namespace filetree::walk {
namespace {

using filetree::testing::Awaited;
using filetree::testing::patience;

constexpr std::size_t whole = 1'000'000;  // a claim that cuts nothing

// Workers are only names to a stack, which never looks into them.
constexpr char names_of_workers[2] = {};
const Worker* const one = reinterpret_cast<const Worker*>(&names_of_workers[0]);
const Worker* const other = reinterpret_cast<const Worker*>(&names_of_workers[1]);
const Worker* const nobody = nullptr;

NodePtr node(std::string name = "t") { return NodePtr(new Node({}, std::move(name), {}, nullptr)); }
WorkItem listing(std::string name) {
    return {node(std::move(name)), nullptr, nullptr, 0, 0, nullptr};
}
WorkItem range(NodePtr of, std::size_t first, std::size_t last, const Worker* owner = nullptr) {
    return {std::move(of), nullptr, std::make_shared<Listing>(), first, last, owner};
}

// Waits for threads that must all come back.
void join(std::vector<std::future<void>>& threads) {
    for (auto& thread : threads) {
        if (thread.wait_for(patience) != std::future_status::ready) {
            ADD_FAILURE() << "a worker waits for ever";
            std::abort();
        }
        thread.get();
    }
}

TEST(WorkStack, GivesTheNewestFirst) {
    WorkStack stack(1);
    for (const char* name : {"a", "b", "c"}) stack.add(listing(name));
    std::vector<WorkItem> found;
    WorkItem item;
    std::string order;
    bool running = false;
    while (stack.next(nobody, running, found, whole, item)) {
        running = true;
        order += item.node->name();
        if (item.node->name() == "c") {
            found.push_back(listing("d"));
            found.push_back(listing("e"));
        }
    }
    EXPECT_EQ(order, "cedba");
}

TEST(WorkStack, CutsARangeIntoClaimsAndCountsTheParts) {
    WorkStack stack(1);
    const NodePtr of = node();
    stack.add(range(of, 100, 1100));
    std::vector<WorkItem> found;
    WorkItem item;
    std::vector<std::pair<std::size_t, std::size_t>> pieces;
    bool running = false;
    while (stack.next(nobody, running, found, 300, item)) {
        running = true;
        EXPECT_EQ(item.node.get(), of.get());
        EXPECT_FALSE(item.is_listing());
        pieces.emplace_back(item.first, item.last);
    }
    const std::vector<std::pair<std::size_t, std::size_t>> expected{
        {100, 400}, {400, 700}, {700, 1000}, {1000, 1100}};
    EXPECT_EQ(pieces, expected);
    EXPECT_EQ(of->parts.load(), 4U) << "one for the range, one more for each cut";
}

TEST(WorkStack, DoesNotCutWhatIsNoLongerThanAClaim) {
    WorkStack stack(1);
    const NodePtr of = node();
    stack.add(range(of, 0, 300));
    std::vector<WorkItem> found;
    WorkItem item;
    ASSERT_TRUE(stack.next(nobody, false, found, 300, item));
    EXPECT_EQ(item.last, 300U);
    EXPECT_EQ(of->parts.load(), 1U);
}

TEST(WorkStack, GivesAWorkerItsOwnRangesThenDirectoriesThenTheRangesOfOthers) {
    WorkStack stack(2);
    stack.add(range(node("mine"), 0, 20, one));
    stack.add(range(node("theirs"), 0, 20, other));
    stack.add(listing("a"));
    stack.add(listing("b"));
    std::vector<WorkItem> found;
    WorkItem item;
    std::vector<std::string> order;
    bool running = false;
    while (stack.next(one, running, found, 10, item)) {
        running = true;
        order.push_back(std::string(item.node->name()) + std::to_string(item.last));
    }
    const std::vector<std::string> expected{"mine10", "mine20", "b0", "a0", "theirs10", "theirs20"};
    EXPECT_EQ(order, expected);
}

TEST(WorkStack, EndsWhenNothingWaitsAndNobodyRuns) {
    WorkStack stack(4);
    std::vector<WorkItem> found;
    WorkItem item;
    EXPECT_FALSE(stack.next(nobody, false, found, whole, item));
}

TEST(WorkStack, AWaitingWorkerGetsWhatARunningOneFinds) {
    WorkStack stack(4);
    stack.add(listing("a"));
    std::vector<WorkItem> found;
    WorkItem item;
    ASSERT_TRUE(stack.next(nobody, false, found, whole, item));
    const auto served = std::make_shared<Awaited>();
    auto waiting = std::async(std::launch::async, [&] {
        std::vector<WorkItem> own;
        WorkItem got;
        const bool more = stack.next(nobody, false, own, whole, got);
        served->add();
        const std::string name(more ? got.node->name() : "none");
        EXPECT_FALSE(stack.next(nobody, more, own, whole, got));
        return name;
    });
    EXPECT_NE(waiting.wait_for(std::chrono::milliseconds(20)), std::future_status::ready)
        << "it must wait while another may still find work";
    found.push_back(listing("c"));
    found.push_back(listing("b"));
    ASSERT_TRUE(stack.next(nobody, true, found, whole, item));
    EXPECT_TRUE(found.empty());
    ASSERT_TRUE(served->reaches(1));
    EXPECT_FALSE(stack.next(nobody, true, found, whole, item));
    ASSERT_EQ(waiting.wait_for(patience), std::future_status::ready);
    const std::string got(waiting.get());
    EXPECT_TRUE(got == "b" || got == "c") << got;
}

TEST(WorkStack, LetsNoMoreRunThanItsLimit) {
    WorkStack stack(3);
    for (int i = 0; i < 2'000; ++i) stack.add(listing("x"));
    std::atomic<unsigned> running{0};
    std::atomic<unsigned> most{0};
    std::vector<std::future<void>> threads;
    for (int t = 0; t < 8; ++t) {
        threads.push_back(std::async(std::launch::async, [&] {
            std::vector<WorkItem> found;
            WorkItem item;
            bool was_running = false;
            while (stack.next(nobody, was_running, found, whole, item)) {
                was_running = true;
                const unsigned now = ++running;
                unsigned before = most.load();
                while (now > before && !most.compare_exchange_weak(before, now)) {
                }
                std::this_thread::yield();
                --running;
            }
        }));
    }
    join(threads);
    EXPECT_LE(most.load(), 3U);
    EXPECT_LE(stack.census().running_peak, 3U);
    EXPECT_GE(stack.census().running_peak, 1U);
}

TEST(WorkStack, AHigherLimitWakesThoseThatWait) {
    WorkStack stack(1);
    for (int i = 0; i < 3; ++i) stack.add(listing("x"));
    const auto begun = std::make_shared<Awaited>();
    const auto may_end = std::make_shared<Awaited>();
    std::vector<std::future<void>> threads;
    for (int t = 0; t < 3; ++t) {
        threads.push_back(std::async(std::launch::async, [&] {
            std::vector<WorkItem> found;
            WorkItem item;
            ASSERT_TRUE(stack.next(nobody, false, found, whole, item));
            begun->add();
            EXPECT_TRUE(may_end->reaches(1));
            EXPECT_FALSE(stack.next(nobody, true, found, whole, item));
        }));
    }
    ASSERT_TRUE(begun->reaches(1));
    EXPECT_EQ(stack.census().running, 1U);
    stack.set_limit(3);
    EXPECT_TRUE(begun->reaches(3));
    EXPECT_EQ(stack.census().running, 3U);
    may_end->add();
    join(threads);
}

TEST(WorkStack, AfterStopNobodyGetsWorkAndNobodyWaits) {
    WorkStack stack(1);
    stack.add(listing("a"));
    std::vector<WorkItem> found;
    WorkItem item;
    ASSERT_TRUE(stack.next(nobody, false, found, whole, item));
    std::vector<std::future<void>> threads;
    for (int t = 0; t < 3; ++t) {
        threads.push_back(std::async(std::launch::async, [&] {
            std::vector<WorkItem> own;
            WorkItem got;
            EXPECT_FALSE(stack.next(nobody, false, own, whole, got));
        }));
    }
    stack.add(listing("b"));
    stack.stop();
    join(threads);
    found.push_back(listing("c"));
    EXPECT_FALSE(stack.next(nobody, true, found, whole, item));
    EXPECT_EQ(stack.census().waiting, 0U);
}

TEST(WorkStack, GoesOnWithTheWorkOfAWorkerThatHangs) {
    WorkStack stack(1);
    stack.add(listing("hangs"));
    std::vector<WorkItem> of_hung;
    WorkItem hung;
    ASSERT_TRUE(stack.next(nobody, false, of_hung, whole, hung));
    of_hung.push_back(listing("left behind"));
    stack.end_turn_of_hung_worker(of_hung);

    std::vector<WorkItem> found;
    WorkItem item;
    ASSERT_TRUE(stack.next(nobody, false, found, whole, item));
    EXPECT_EQ(item.node->name(), "left behind");
    EXPECT_FALSE(stack.next(nobody, true, found, whole, item)) << "the hung one counts no more";
}

TEST(WorkStack, EndsForThoseWhoWaitWhenTheLastRunningWorkerHangs) {
    WorkStack stack(2);
    stack.add(listing("hangs"));
    std::vector<WorkItem> of_hung;
    WorkItem hung;
    ASSERT_TRUE(stack.next(nobody, false, of_hung, whole, hung));
    std::vector<std::future<void>> threads;
    for (int t = 0; t < 2; ++t) {
        threads.push_back(std::async(std::launch::async, [&] {
            std::vector<WorkItem> found;
            WorkItem item;
            EXPECT_FALSE(stack.next(nobody, false, found, whole, item));
        }));
    }
    stack.end_turn_of_hung_worker(of_hung);
    join(threads);
}

TEST(WorkStack, TakesACensus) {
    WorkStack stack(2);
    for (const char* name : {"a", "b", "c"}) stack.add(listing(name));
    std::vector<WorkItem> found;
    WorkItem item;
    ASSERT_TRUE(stack.next(nobody, false, found, whole, item));
    EXPECT_EQ(stack.census().waiting, 2U);
    EXPECT_EQ(stack.census().running, 1U);
    EXPECT_EQ(stack.census().running_peak, 1U);
}

TEST(WorkStack, HandsOutATreeOfWorkExactlyOnceToManyThreads) {
    WorkStack stack(4);
    stack.add(listing(""));
    std::atomic<int> done{0};
    std::atomic<std::size_t> names{0};
    std::vector<std::future<void>> threads;
    for (int t = 0; t < 6; ++t) {
        threads.push_back(std::async(std::launch::async, [&, t] {
            std::vector<WorkItem> found;
            WorkItem item;
            bool running = false;
            while (stack.next(nobody, running, found, static_cast<std::size_t>(t) + 1, item)) {
                running = true;
                if (!item.is_listing()) {
                    names += item.last - item.first;
                    continue;
                }
                ++done;
                if (item.node->name().size() == 5) continue;
                for (const char c : {'a', 'b', 'c', 'd'}) {
                    found.push_back(listing(std::string(item.node->name()) + c));
                }
                found.push_back(range(item.node, 0, 17));
            }
        }));
    }
    join(threads);
    EXPECT_EQ(done, 1 + 4 + 16 + 64 + 256 + 1024);
    EXPECT_EQ(names, (1 + 4 + 16 + 64 + 256) * 17U);
}

}  // namespace
}  // namespace filetree::walk
