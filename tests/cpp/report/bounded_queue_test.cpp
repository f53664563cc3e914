#include "bounded_queue.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

#include "support/limits.hpp"

namespace filetree::report {
namespace {

using filetree::testing::patience;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

using Queue = BoundedQueue<int>;

class BoundedQueueTest : public ::testing::Test {
   protected:
    static constexpr std::size_t limit = 100;

    int pop() {
        int piece = -1;
        EXPECT_EQ(queue.pop(piece, patience), Queue::Pop::piece);
        return piece;
    }
    std::future<bool> push_elsewhere(int piece, std::size_t bytes) {
        return std::async(std::launch::async, [=, this] { return queue.push(piece, bytes); });
    }
    // A push that waits shows in the gauge.
    void await_waiting(std::uint32_t sinks) {
        const auto begun = std::chrono::steady_clock::now();
        while (gauge->waiting_sinks != sinks) {
            ASSERT_LT(std::chrono::steady_clock::now() - begun, patience);
            std::this_thread::yield();
        }
    }

    std::shared_ptr<ConsumerGauge> gauge = std::make_shared<ConsumerGauge>();
    Queue queue{limit, gauge};
};

TEST_F(BoundedQueueTest, GivesPiecesInTheirOrder) {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(queue.push(i, 1));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(pop(), i);
}

TEST_F(BoundedQueueTest, HoldsItsLimitAndNoMore) {
    EXPECT_TRUE(queue.push(1, 60));
    EXPECT_TRUE(queue.push(2, 40));
    auto third = push_elsewhere(3, 1);
    await_waiting(1);
    EXPECT_EQ(third.wait_for(nanoseconds(0)), std::future_status::timeout);
    EXPECT_EQ(pop(), 1);
    EXPECT_TRUE(third.get());
    EXPECT_EQ(gauge->waiting_sinks, 0U);
    EXPECT_EQ(pop(), 2);
    EXPECT_EQ(pop(), 3);
}

TEST_F(BoundedQueueTest, LetsOnePieceLargerThanItsLimitPassWhenEmpty) {
    EXPECT_TRUE(queue.push(1, limit * 10));
    auto second = push_elsewhere(2, limit * 10);
    await_waiting(1);
    EXPECT_EQ(pop(), 1);
    EXPECT_TRUE(second.get());
    EXPECT_EQ(pop(), 2);
}

TEST_F(BoundedQueueTest, ClosingFreesThoseWhoWaitAndDropsTheirPieces) {
    EXPECT_TRUE(queue.push(1, limit));
    auto second = push_elsewhere(2, 1);
    auto third = push_elsewhere(3, 1);
    await_waiting(2);
    queue.close();
    EXPECT_FALSE(second.get());
    EXPECT_FALSE(third.get());
    EXPECT_FALSE(queue.push(4, 1));
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, patience), Queue::Pop::end);
    EXPECT_EQ(piece, -1);
}

TEST_F(BoundedQueueTest, ClosingWakesTheConsumer) {
    auto consumer = std::async(std::launch::async, [this] {
        int piece = -1;
        return queue.pop(piece, patience);
    });
    queue.close();
    EXPECT_EQ(consumer.get(), Queue::Pop::end);
}

TEST_F(BoundedQueueTest, FinishingLetsWhatIsThereOutFirst) {
    EXPECT_TRUE(queue.push(1, 1));
    queue.finish();
    EXPECT_EQ(pop(), 1);
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, patience), Queue::Pop::end);
    EXPECT_EQ(queue.pop(piece, patience), Queue::Pop::end) << "and again";
}

TEST_F(BoundedQueueTest, FinishingWakesTheConsumer) {
    auto consumer = std::async(std::launch::async, [this] {
        int piece = -1;
        return queue.pop(piece, patience);
    });
    queue.finish();
    EXPECT_EQ(consumer.get(), Queue::Pop::end);
}

TEST_F(BoundedQueueTest, WaitsForAPieceNoLongerThanAsked) {
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, milliseconds(5)), Queue::Pop::timeout);
    EXPECT_EQ(piece, -1);
}

TEST_F(BoundedQueueTest, CountsTheCpuTimeOfItsConsumerBetweenPieces) {
    EXPECT_TRUE(queue.push(1, 1));
    EXPECT_TRUE(queue.push(2, 1));
    EXPECT_EQ(pop(), 1);
    volatile unsigned work = 0;
    for (unsigned i = 0; i < 1'000'000; ++i) work = work + i;
    EXPECT_EQ(pop(), 2);
    EXPECT_GT(gauge->cpu_nanoseconds, 0U);
}

TEST_F(BoundedQueueTest, DropsWhatIsInItWhenClosed) {
    const auto counted = std::make_shared<int>(0);
    BoundedQueue<std::shared_ptr<int>> of_pointers(limit, gauge);
    EXPECT_TRUE(of_pointers.push(counted, 1));
    EXPECT_EQ(counted.use_count(), 2);
    of_pointers.close();
    EXPECT_EQ(counted.use_count(), 1);
}

TEST_F(BoundedQueueTest, CarriesEverythingFromManyThreadsToOne) {
    constexpr int producers = 4;
    constexpr int each = 2'000;
    std::vector<std::thread> threads;
    std::atomic<int> living{producers};
    for (int p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            for (int i = 0; i < each; ++i) {
                EXPECT_TRUE(queue.push(p * each + i, 1 + static_cast<std::size_t>(i) % 70));
            }
            if (--living == 0) queue.finish();
        });
    }
    std::vector<int> seen(producers * each, 0);
    int piece = -1;
    Queue::Pop result{};
    while ((result = queue.pop(piece, patience)) == Queue::Pop::piece) {
        ++seen.at(static_cast<std::size_t>(piece));
    }
    EXPECT_EQ(result, Queue::Pop::end);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(seen, std::vector<int>(producers * each, 1));
}

}  // namespace
}  // namespace filetree::report
