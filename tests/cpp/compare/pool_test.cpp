#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "filetree/compare.hpp"
#include "job.hpp"
#include "support/awaited.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Awaited;
using testing::patience;

// A number of pieces, each of which does the same.
class Pieces final : public Job {
   public:
    Pieces(int count, std::function<void(int)> work, unsigned limit = 1000)
        : left_(count), work_(std::move(work)) {
        limit_ = limit;
    }
    std::atomic<int> done{0};
    std::atomic<int> conclusions{0};
    std::function<void()> last;

   private:
    Piece take() override {
        if (left_ == 0) return {};
        return [this, number = --left_] {
            work_(number);
            ++done;
        };
    }
    [[nodiscard]] bool has_more() const override { return left_ > 0; }
    void conclude() override {
        ++conclusions;
        if (last) last();
    }

    int left_;
    std::function<void(int)> work_;
};

// Its only piece is there again whenever somebody asks, as is what one thread clears while another
// one looks at it.
class OnceOnly final : public Job {
   public:
    int taken = 0;
    bool begun_while_it_concluded = false;

   private:
    Piece take() override {
        ++taken;
        return [] {};
    }
    [[nodiscard]] bool has_more() const override { return taken == 0; }
    void conclude() override {
        bool more = false;
        begun_while_it_concluded = static_cast<bool>(begin(more));
    }
};

// Holds those who come until it is opened.
class Gate {
   public:
    void pass() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    [[nodiscard]] bool await(int waiting) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return waiting_ >= waiting; });
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
    int waiting_ = 0;
};

void nothing(int) {}

// A thread that saw that there is more may come back when others have ended it meanwhile.
TEST(Job, IsNotBegunAnyMoreOnceItHasEnded) {
    const auto job = std::make_shared<OnceOnly>();
    bool more = false;
    ASSERT_TRUE(job->begin(more));
    EXPECT_FALSE(job->end(nullptr));
    EXPECT_FALSE(job->begun_while_it_concluded);
    EXPECT_FALSE(job->begin(more));
    EXPECT_EQ(job->taken, 1);
}

TEST(Pool, DoesEveryPieceOnceAndConcludesOnce) {
    std::vector<std::atomic<int>> times(1000);
    Pool pool(4);
    const auto job = std::make_shared<Pieces>(1000, [&](int number) { ++times[number]; });
    pool.submit(job);
    ASSERT_TRUE(job->wait(patience));
    for (const auto& count : times) EXPECT_EQ(count, 1);
    EXPECT_EQ(job->conclusions, 1);
    EXPECT_EQ(job->failure(), nullptr);
}

TEST(Pool, WorksAtManyJobsAtOnceWithFewThreads) {
    Pool pool(3);
    std::vector<std::shared_ptr<Pieces>> jobs;
    for (int i = 0; i < 300; ++i) {
        jobs.push_back(std::make_shared<Pieces>(20, nothing));
        pool.submit(jobs.back());
    }
    for (const auto& job : jobs) {
        ASSERT_TRUE(job->wait(patience));
        EXPECT_EQ(job->done, 20);
        EXPECT_EQ(job->conclusions, 1);
    }
    EXPECT_LE(pool.threads(), 64U) << "some more than 3 where the machine has stood still";
}

TEST(Pool, GivesEachJobItsTurn) {
    Pool pool(1);
    Gate gate;
    std::mutex mutex;
    std::vector<int> order;
    const auto note = [&](int job) {
        return [&, job](int) {
            const std::lock_guard lock(mutex);
            order.push_back(job);
        };
    };
    const auto first = std::make_shared<Pieces>(1, [&](int) { gate.pass(); });
    pool.submit(first);
    ASSERT_TRUE(gate.await(1));
    Gate submitted;
    const auto a = std::make_shared<Pieces>(
        50,
        [&, noted = note(0)](int number) {
            submitted.pass();
            noted(number);
        },
        4);
    const auto b = std::make_shared<Pieces>(3, note(1));
    pool.submit(a);
    pool.submit(b);
    submitted.open();
    gate.open();
    ASSERT_TRUE(a->wait(patience) && b->wait(patience));
    // Each thread that joins begins with a piece of its own, so a few of the first may come first.
    const auto last_of_b = std::find(order.rbegin(), order.rend(), 1);
    EXPECT_GT(last_of_b - order.rbegin(), 20) << "the short one did not wait for the long one";
}

TEST(Pool, KeepsToAJobsLimit) {
    Pool pool(8);
    std::atomic<int> now{0};
    std::atomic<int> most{0};
    const auto job = std::make_shared<Pieces>(
        200,
        [&](int) {
            const int mine = ++now;
            for (int seen = most; mine > seen && !most.compare_exchange_weak(seen, mine);) {
            }
            std::this_thread::yield();
            --now;
        },
        2);
    pool.submit(job);
    ASSERT_TRUE(job->wait(patience));
    EXPECT_LE(most, 2);
}

TEST(Pool, TheFirstFailureEndsAJobAndNoOther) {
    Pool pool(2);
    const auto bad = std::make_shared<Pieces>(1000, [](int number) {
        if (number == 990) throw std::runtime_error("no");
    });
    const auto good = std::make_shared<Pieces>(100, nothing);
    pool.submit(bad);
    pool.submit(good);
    ASSERT_TRUE(bad->wait(patience) && good->wait(patience));
    ASSERT_NE(bad->failure(), nullptr);
    EXPECT_THROW(std::rethrow_exception(bad->failure()), std::runtime_error);
    EXPECT_EQ(bad->conclusions, 0) << "there is no answer to conclude";
    EXPECT_LT(bad->done, 1000);
    EXPECT_EQ(good->done, 100);
}

TEST(Pool, WhatAConclusionThrowsIsTheFailure) {
    Pool pool(2);
    const auto job = std::make_shared<Pieces>(3, nothing);
    job->last = [] { throw std::runtime_error("changed"); };
    pool.submit(job);
    ASSERT_TRUE(job->wait(patience));
    EXPECT_NE(job->failure(), nullptr);
}

TEST(Pool, ACancelledJobEndsWithItsPieces) {
    Pool pool(2);
    Gate gate;
    const auto job = std::make_shared<Pieces>(1000, [&](int) { gate.pass(); });
    Awaited called;
    job->on_finished([&] { called.add(); });
    pool.submit(job);
    ASSERT_TRUE(gate.await(2));
    job->cancel();
    job->cancel();
    EXPECT_FALSE(job->wait(milliseconds(10))) << "two pieces are under way";
    gate.open();
    ASSERT_TRUE(job->wait(patience));
    EXPECT_LE(job->done, 128) << "those that had begun, and no more";
    ASSERT_NE(job->failure(), nullptr);
    EXPECT_THROW(std::rethrow_exception(job->failure()), CompareError);
    EXPECT_TRUE(called.reaches(1));
    job->on_finished([&] { called.add(); });
    EXPECT_EQ(called.value(), 2) << "at once, as it has ended";
}

TEST(Pool, AJobThatComesAfterItsCloseIsCancelled) {
    Pool pool(2);
    pool.close();
    const auto job = std::make_shared<Pieces>(3, nothing);
    Awaited called;
    job->on_finished([&] { called.add(); });
    pool.submit(job);
    ASSERT_TRUE(job->wait(patience));
    EXPECT_TRUE(called.reaches(1));
    EXPECT_EQ(job->done, 0);
    ASSERT_NE(job->failure(), nullptr);
    EXPECT_THROW(std::rethrow_exception(job->failure()), CompareError);
}

TEST(Pool, ThreadsThatHangAreMadeUpFor) {
    Gate gate;
    Pool pool(2);
    const auto hung = std::make_shared<Pieces>(2, [&](int) { gate.pass(); });
    pool.submit(hung);
    ASSERT_TRUE(gate.await(2));
    std::atomic<unsigned> threads{0};
    const auto job = std::make_shared<Pieces>(100, [&](int) { threads = pool.threads(); });
    pool.submit(job);
    EXPECT_TRUE(job->wait(patience));
    EXPECT_GT(threads, 2U);
    gate.open();
    EXPECT_TRUE(hung->wait(patience));
}

TEST(Pool, WhatComesBehindABurstOfHangsIsBegun) {
    for (int round = 0; round < 20; ++round) {
        Gate gate;
        Pool pool(2);
        const auto warm = std::make_shared<Pieces>(8, nothing);
        pool.submit(warm);
        ASSERT_TRUE(warm->wait(patience));
        std::this_thread::sleep_for(milliseconds(round % 2));  // asleep, or looking around
        std::vector<std::shared_ptr<Pieces>> hung;
        for (int i = 0; i < 2; ++i) {
            hung.push_back(std::make_shared<Pieces>(1, [&](int) { gate.pass(); }));
        }
        const auto job = std::make_shared<Pieces>(1, nothing);
        for (const auto& one : hung) pool.submit(one);
        pool.submit(job);
        EXPECT_TRUE(job->wait(patience));
        gate.open();
        for (const auto& one : hung) EXPECT_TRUE(one->wait(patience));
    }
}

TEST(Pool, AnyNumberOfThreadsThatHangForNobodyAreMadeUpFor) {
    Gate gate;
    Pool pool(2);
    std::vector<std::shared_ptr<Pieces>> hung;
    for (int i = 1; i <= 140; ++i) {
        hung.push_back(std::make_shared<Pieces>(1, [&](int) { gate.pass(); }));
        pool.submit(hung.back());
        ASSERT_TRUE(gate.await(i)) << "it is begun";
        hung.back()->cancel();
    }
    const auto job = std::make_shared<Pieces>(100, nothing);
    pool.submit(job);
    EXPECT_TRUE(job->wait(patience));
    gate.open();
    for (const auto& one : hung) EXPECT_TRUE(one->wait(patience));
}

TEST(Pool, ItsEndCancelsWhatIsUnderWayAndDoesNotWaitForWhatHangs) {
    Gate gate;
    const auto hung = std::make_shared<Pieces>(1, [&](int) { gate.pass(); });
    const auto idle = std::make_shared<Pieces>(1'000'000, nothing);
    {
        Pool pool(1);
        pool.submit(hung);
        ASSERT_TRUE(gate.await(1));
        pool.submit(idle);
    }
    EXPECT_TRUE(idle->wait({}));
    EXPECT_FALSE(hung->wait({}));
    gate.open();
    EXPECT_TRUE(hung->wait(patience));
}

}  // namespace
}  // namespace filetree
