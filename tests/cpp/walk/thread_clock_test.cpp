// What a thread is doing, as others see it.

#include "thread_clock.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "support/awaited.hpp"

namespace filetree::walk {
namespace {

using testing::Awaited;

// Whether a thread that does `work` is seen to be runnable before it is told to end. It is looked
// at until it is as expected, as it may still be on its way into `work`.
bool is_seen(bool expected, const std::function<void(Awaited& end)>& work) {
    ThreadClock clock;
    Awaited attached;
    Awaited end;
    std::thread thread([&] {
        clock.attach();
        attached.add();
        work(end);
    });
    bool seen = !expected;
    if (attached.reaches(1)) {
        const auto deadline = std::chrono::steady_clock::now() + testing::patience;
        while (seen != expected && std::chrono::steady_clock::now() < deadline) {
            seen = clock.runnable();
            std::this_thread::yield();
        }
    }
    end.add();
    thread.join();
    return seen == expected;
}

TEST(ThreadClock, AThreadThatComputesIsRunnable) {
    EXPECT_TRUE(is_seen(true, [](Awaited& end) {
        while (end.value() == 0) {
        }
    }));
}

TEST(ThreadClock, AThreadThatWaitsIsNot) {
    EXPECT_TRUE(is_seen(false, [](Awaited& end) { (void)end.reaches(1); }));
}

TEST(ThreadClock, OneThatIsNotAttachedTellsNothing) {
    const ThreadClock clock;
    EXPECT_FALSE(clock.runnable());
    EXPECT_EQ(clock.cpu_time().count(), 0);
    EXPECT_EQ(clock.wait_time().count(), 0);
}

}  // namespace
}  // namespace filetree::walk
